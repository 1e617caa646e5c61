// Command line of linesign-station: what was asked for, checked as far as the words alone go.
//
// Errors   Usage
// Threads  the main thread
#ifndef LINESIGN_STATIONS_CLIENT_COMMAND_LINE_H_
#define LINESIGN_STATIONS_CLIENT_COMMAND_LINE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>

#include "stations/client/key_maker.h"
#include "stations/client/lot_source.h"

namespace linesign::client {

struct EnrollCommand {
  std::string token;  // "-": from standard input
  std::filesystem::path token_file;
  std::filesystem::path directory;
  std::chrono::milliseconds timeout{0};
  bool force = false;
  bool json = false;
};

struct RequestCommand {
  std::filesystem::path directory;
  std::string order;
  std::filesystem::path csr;      // one of these three
  std::filesystem::path csr_dir;  //
  uint64_t generate = 0;          //
  std::string device_id;
  DeviceIdFrom device_id_from = DeviceIdFrom::Any;
  std::string device_prefix;  // empty: the station's name and "-"
  uint64_t first = 1;
  KeyKind key_kind = KeyKind::EcP256;
  std::filesystem::path keys;  // empty: `out` and "-keys"
  std::filesystem::path out;
  std::filesystem::path report;
  std::string address;
  uint32_t window = 0;
  unsigned threads = 0;
  std::chrono::milliseconds timeout{0};
  bool quiet = false;
  bool json = false;
};

struct StatusCommand {
  std::filesystem::path directory;
  std::string address;
  bool check = false;
  bool json = false;
};

// The program has said all there is to say (--help, --version, a usage error): leave with this.
struct ExitNow {
  int exit_code = 0;
};

using Command = std::variant<ExitNow, EnrollCommand, RequestCommand, StatusCommand>;

Command parse_command_line(int argc, const char* const* argv);

// Each does what it says, prints, and returns the exit code.
int run(const EnrollCommand& command);
int run(const RequestCommand& command);
int run(const StatusCommand& command);

// "linesign-station/0.1.0", for the log of the appliance.
std::string station_software();

// "linesign-station: <error>" on standard error, with --json as an object on standard output too.
// Returns the error's exit code.
int report_error(const Error& error, bool json);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_COMMAND_LINE_H_
