// FileNames: the name of a device's file, without its suffix. It is the device id wherever the file
// system can hold that; FAT, exFAT and some network shares refuse ':', and take "dev-a" and "DEV-A"
// for the same file. Then characters are percent-encoded, so that the name can be read back.
//
// Shape    unit:1 -> unit%3A1 where ':' is refused; DEV-A -> %44%45%56-%41 where the folder ignores
//          case and another device of that name came first
// Limits   where case is ignored, the ids of the folder are held in memory
// Threads  safe
// Source   RFC 3986 section 2.1; '%' is no character of a device id
#ifndef LINESIGN_STATIONS_CLIENT_FILE_NAMES_H_
#define LINESIGN_STATIONS_CLIENT_FILE_NAMES_H_

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace linesign::client {

class FileNames final {
 public:
  struct Limits {
    bool refuses_colon = false;
    bool ignores_case = false;
  };
  struct Example {
    std::string device_id;
    std::string stem;
  };

  explicit FileNames(Limits limits) : limits_(limits) {}
  FileNames(const FileNames&) = delete;
  FileNames& operator=(const FileNames&) = delete;
  ~FileNames() = default;

  const Limits& limits() const { return limits_; }
  // A file that is in the folder already keeps its name.
  void add_existing(std::string_view stem);
  std::string stem_of(std::string_view device_id);
  // The first device whose name differs from its id.
  std::optional<Example> example() const;

 private:
  std::string choose(std::string_view device_id);  // REQUIRES: mutex_ is held

  const Limits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::string> stems_;  // of device ids; only if case is ignored
  std::unordered_set<std::string> folded_;              // the stems in lower case
  std::optional<Example> example_;
};

// "unit%3A1" -> "unit:1". A '%' without two hexadecimal digits stays as it is.
std::string decode_file_name(std::string_view stem);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_FILE_NAMES_H_
