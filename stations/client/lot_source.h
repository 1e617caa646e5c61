// LotSource: where the CSRs of a lot come from: files that exist, or keys that are made here.
//
// A source is a numbered list; each worker thread has a preparer of its own and takes numbers from
// the list. Nothing is held in memory but the names.
//
// Errors   an Error ends the whole run (a disk that is full); what concerns one device only is a
//          Refused outcome
// Threads  a source is immutable; a preparer belongs to one thread
#ifndef LINESIGN_STATIONS_CLIENT_LOT_SOURCE_H_
#define LINESIGN_STATIONS_CLIENT_LOT_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "stations/client/key_maker.h"
#include "stations/client/lot_folder.h"
#include "stations/client/lot_item.h"

namespace linesign::client {

class LotPreparer {
 public:
  LotPreparer() = default;
  LotPreparer(const LotPreparer&) = delete;
  LotPreparer& operator=(const LotPreparer&) = delete;
  virtual ~LotPreparer() = default;

  virtual Result<LotEntry> prepare(uint64_t index) = 0;
  // What was prepared is durable where it must be before it may be sent.
  virtual Result<void> settle() = 0;
};

class LotSource {
 public:
  LotSource() = default;
  LotSource(const LotSource&) = delete;
  LotSource& operator=(const LotSource&) = delete;
  virtual ~LotSource() = default;

  virtual uint64_t size() const = 0;
  virtual Result<std::unique_ptr<LotPreparer>> make_preparer() const = 0;
};

// Where the device id of a CSR file comes from.
enum class DeviceIdFrom : uint8_t {
  Any,         // the CSR's common name, else the file's name
  FileName,    // without its extension; decode_file_name() is applied
  CommonName,  // of the CSR's subject
  SerialNumber,
};

// CSR files. With `device_id` that is the device's id.
struct CsrFilesPlan {
  std::vector<std::filesystem::path> files;
  std::string device_id;  // only with one file
  std::string order_id;
  DeviceIdFrom device_id_from = DeviceIdFrom::Any;
};
std::unique_ptr<LotSource> make_csr_source(CsrFilesPlan plan, const LotFolder& out);

// The files of a folder that look like CSRs (.csr .req .pem .der .p10), sorted by name.
Result<std::vector<std::filesystem::path>> list_csr_files(const std::filesystem::path& directory);

// Keys made here: <keys>/<device>.key and .csr, durable before the request is sent, because a
// device that is certified can never get another key. What an earlier run made is used again.
struct GeneratePlan {
  uint64_t count = 0;
  uint64_t first = 1;
  std::string prefix;  // device id = prefix and the number in at least 6 digits
  KeyKind kind = KeyKind::EcP256;
  std::string order_id;
};
// Both folders must outlive the source.
std::unique_ptr<LotSource> make_generating_source(GeneratePlan plan,
                                                  const LotFolder& out,
                                                  const LotFolder& keys);

// "line-7-000042"
std::string generated_device_id(const GeneratePlan& plan, uint64_t index);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_SOURCE_H_
