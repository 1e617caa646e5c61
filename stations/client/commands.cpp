// enroll and status: the short commands.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <sstream>

#include <Poco/JSON/Object.h>
#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/plain_text.h"
#include "protocol/base/version.h"
#include "stations/client/command_line.h"
#include "stations/client/credential_folder.h"
#include "stations/client/station_client.h"

namespace linesign::client {
namespace {

constexpr size_t kMaxTokenBytes = 4096;
constexpr int kExitNotPermitted = 77;

Result<std::string> read_standard_input() {
  Bytes content(kMaxTokenBytes);
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(STDIN_FILENO, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::Io, "standard input: " + errno_text(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  content.resize(size);
  std::string token = plain_text(content);
  wipe(content);
  return token;
}

Result<std::string> read_token(const EnrollCommand& command) {
  if (command.token == "-") return read_standard_input();
  if (command.token_file.empty()) return command.token;
  LS_TRY(const SecretBytes content, read_secret_file(command.token_file, kMaxTokenBytes));
  return plain_text(content.reveal());
}

Poco::JSON::Object describe(const StationCredential& credential) {
  Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
  object.set("station", credential.station);
  object.set("appliance", credential.address);
  object.set("not_before", to_iso8601(credential.not_before));
  object.set("not_after", to_iso8601(credential.not_after));
  return object;
}

struct Contact {
  uint32_t window = 0;
  size_t issuers = 0;
  std::chrono::microseconds round_trip{0};
};

Result<Contact> contact(const StationCredential& credential, const StatusCommand& command) {
  ClientOptions options;
  options.address = command.address;
  options.software = station_software();
  LS_TRY(const auto client, StationClient::connect(credential, options));
  Contact found;
  found.window = client->window();
  found.issuers = client->issuer_chain().size();
  LS_TRY(found.round_trip, client->ping());
  return found;
}

// How the validity of a certificate and the clock here fit together.
enum class Validity : uint8_t { Valid, Expired, ClockWrong };

Validity validity_of(const StationCredential& credential, UnixTime now) {
  if (now < credential.not_before) return Validity::ClockWrong;
  return now < credential.not_after ? Validity::Valid : Validity::Expired;
}

int64_t days_left(const StationCredential& credential, UnixTime now) {
  return std::chrono::floor<std::chrono::days>(credential.not_after - now).count();
}

std::string validity_text(const StationCredential& credential, UnixTime now) {
  switch (validity_of(credential, now)) {
    case Validity::Valid:
      return fmt::format("{} days left", days_left(credential, now));
    case Validity::Expired:
      return fmt::format("EXPIRED at this machine's time, {}: check the clock, or enroll again",
                         to_iso8601(now));
    case Validity::ClockWrong:
      break;
  }
  return fmt::format("NOT YET VALID at this machine's time, {}: set the clock", to_iso8601(now));
}

int exit_code_of(Validity validity) {
  if (validity == Validity::ClockWrong) return error_info(ErrorCode::StationClockWrong).exit_code;
  return validity == Validity::Expired ? kExitNotPermitted : 0;
}

void print_status(const StationCredential& credential, UnixTime now) {
  fmt::print("station      {}\n", credential.station);
  fmt::print("appliance    {}\n", credential.address);
  fmt::print("certificate  {} until {}, {}\n",
             to_iso8601(credential.not_before),
             to_iso8601(credential.not_after),
             validity_text(credential, now));
}

void print_contact(const Contact& found) {
  fmt::print(
      "connection   OK, round trip {} us, window {}\n", found.round_trip.count(), found.window);
}

// FAT and the like have one mode for all files.
void warn_of_readable_key(const std::filesystem::path& directory) {
  struct stat info {};
  const std::filesystem::path key = directory / kStationKeyFile;
  if (::stat(key.c_str(), &info) != 0 || (info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
  fmt::print(stderr,
             "linesign-station: {}: other users can read this private key: its file system keeps "
             "no permissions.\n",
             key.string());
}

}  // namespace

std::string station_software() { return fmt::format("linesign-station/{}", kVersion); }

int report_error(const Error& error, bool json) {
  fmt::print(stderr, "{}\n", error_line("linesign-station", error));
  if (json) {
    Poco::JSON::Object details(Poco::JSON_PRESERVE_KEY_ORDER);
    details.set("code", static_cast<int>(error.code()));
    details.set("name", std::string(error_info(error.code()).name));
    details.set("message", error.to_string());
    Poco::JSON::Object object;
    object.set("error", details);
    object.stringify(std::cout);
    std::cout << std::endl;
  }
  return error.exit_code();
}

int run(const EnrollCommand& command) {
  auto token = read_token(command);
  if (!token.has_value()) return report_error(token.error(), command.json);
  EnrollOptions options;
  options.overwrite = command.force;
  options.timeout = command.timeout;
  const auto credential = enroll_station(*token, command.directory, options);
  wipe(std::span(reinterpret_cast<uint8_t*>(token->data()), token->size()));
  if (!credential.has_value() && credential.error().code() == ErrorCode::FileExists)
    return report_error(
        Error(ErrorCode::FileExists, credential.error().detail() + "; --force replaces it"),
        command.json);
  if (!credential.has_value()) return report_error(credential.error(), command.json);
  warn_of_readable_key(command.directory);
  if (command.json) {
    describe(*credential).stringify(std::cout);
    std::cout << std::endl;
  } else {
    fmt::print("Station {} is enrolled at {}; its certificate is valid until {}.\n",
               credential->station,
               credential->address,
               to_iso8601(credential->not_after));
  }
  return 0;
}

int run(const StatusCommand& command) {
  const auto credential = StationCredential::load(command.directory);
  if (!credential.has_value()) return report_error(credential.error(), command.json);
  const UnixTime now = SystemClock().now();
  const Validity validity = validity_of(*credential, now);
  if (!command.json) print_status(*credential, now);
  Poco::JSON::Object object = describe(*credential);
  object.set("clock", to_iso8601(now));
  object.set("clock_wrong", validity == Validity::ClockWrong);
  if (validity != Validity::ClockWrong) object.set("days_left", days_left(*credential, now));
  if (command.check) {
    const auto found = contact(*credential, command);
    if (!found.has_value()) return report_error(found.error(), command.json);
    if (!command.json) print_contact(*found);
    object.set("window", found->window);
    object.set("round_trip_us", static_cast<int64_t>(found->round_trip.count()));
  }
  if (command.json) {
    object.stringify(std::cout);
    std::cout << std::endl;
  }
  return exit_code_of(validity);
}

}  // namespace linesign::client
