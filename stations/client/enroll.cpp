// Enrolment: one message each way on a connection of its own, and the order in which the files of
// the credential folder come to be, so that a power cut at any point leaves either the old
// credential, or a state from which the same token leads on.
#include <algorithm>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/station.pb.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/join_token.h"
#include "stations/client/certificate_checker.h"
#include "stations/client/connection.h"
#include "stations/client/credential_folder.h"
#include "stations/client/der.h"
#include "stations/client/key_maker.h"
#include "stations/client/station_client.h"
#include "stations/client/wire_values.h"

namespace linesign {
namespace {

using client::Connection;
namespace wire = station::v1;

constexpr size_t kMaxKeyFileBytes = 64 * 1024;

struct PendingKey {
  std::filesystem::path path;
  SecretBytes pem;
};

bool has_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Does the folder hold a certificate for the key that it holds?
bool is_enrolled(const std::filesystem::path& directory) {
  const auto certificate = read_file(directory / client::kStationCertificateFile, kMaxKeyFileBytes);
  const auto key = read_secret_file(directory / client::kStationKeyFile, kMaxKeyFileBytes);
  if (!certificate.has_value() || !key.has_value()) return false;
  const auto facts = client::read_certificate_facts(as_text(*certificate));
  const auto spki = client::public_key_of(key->reveal());
  return facts.has_value() && spki.has_value() && equal(facts->spki, *spki);
}

Result<PendingKey> load_or_make_key(std::filesystem::path path) {
  if (!has_file(path)) {
    LS_TRY(auto maker, client::KeyMaker::open(client::KeyKind::EcP256));
    LS_TRY(const client::MadeKey made, maker.make("station"));
    LS_CHECK(write_file_atomic(
        path, made.private_key_pem.reveal(), 0400, Overwrite::Refuse, Durability::Synced));
  }
  PendingKey key;
  LS_TRY(key.pem, read_secret_file(path, kMaxKeyFileBytes));
  key.path = std::move(path);
  return key;
}

// The key that the new certificate will be for. It is on the disk before the token is used.
Result<PendingKey> prepare_key(const std::filesystem::path& directory, bool overwrite) {
  if (!is_enrolled(directory)) return load_or_make_key(directory / client::kStationKeyFile);
  if (!overwrite)
    return fail(ErrorCode::FileExists, directory.string() + " holds a station's credential");
  return load_or_make_key(directory / client::kNextStationKeyFile);
}

Result<wire::EnrollReply> decode_reply(ByteView body) {
  wire::ToStation message;
  LS_CHECK(decode_body(body, message));
  if (message.has_goodbye()) return fail(client::to_error(message.goodbye().reason()));
  if (!message.has_enroll()) return fail(ErrorCode::FrameMalformed, "EnrollReply expected");
  return std::move(*message.mutable_enroll());
}

Result<wire::EnrollReply> wait_for_reply(Connection& connection, SteadyTime deadline) {
  FrameReader frames;
  Bytes plaintext;
  for (;;) {
    plaintext.clear();
    LS_CHECK(connection.receive(plaintext));
    frames.append(plaintext);
    LS_TRY(const auto body, frames.next());
    if (body) return decode_reply(*body);
    LS_TRY(const bool is_readable, connection.wait(deadline));
    if (!is_readable) return fail(ErrorCode::ConnectionClosed, "no answer in time");
  }
}

Result<wire::EnrollReply> exchange(Connection& connection,
                                   const JoinToken& token,
                                   ByteView csr,
                                   SteadyTime deadline) {
  wire::ToAppliance message;
  message.mutable_enroll()->set_secret(std::string(as_text(token.secret.reveal())));
  message.mutable_enroll()->set_csr_der(std::string(as_text(csr)));
  Bytes frame;
  append_frame(frame, message);
  const auto sent = connection.send(frame);
  wipe(frame);
  auto* secret = message.mutable_enroll()->mutable_secret();
  wipe(std::span(reinterpret_cast<uint8_t*>(secret->data()), secret->size()));
  LS_CHECK(sent);
  LS_TRY(wire::EnrollReply reply, wait_for_reply(connection, deadline));
  connection.close();
  if (reply.status() != wire::STATUS_OK) return fail(client::to_error(reply.failure()));
  return reply;
}

std::string appliance_file(const std::string& address) {
  std::string quoted;
  for (const char c : address) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return fmt::format(
      "# Written by linesign-station enroll. Change the address when the appliance moves.\n"
      "address = \"{}\"\n",
      quoted);
}

Result<void> store(const std::filesystem::path& directory,
                   std::string_view name,
                   std::string_view content) {
  return write_file_atomic(
      directory / name, as_bytes(content), 0644, Overwrite::Replace, Durability::Synced);
}

// station.pem comes last: with it the folder is enrolled.
Result<void> store_all(const std::filesystem::path& directory,
                       const PendingKey& key,
                       const JoinToken& token,
                       const wire::EnrollReply& reply) {
  const std::filesystem::path final_key = directory / client::kStationKeyFile;
  LS_CHECK(store(directory,
                 client::kApplianceCaFile,
                 client::to_pem("CERTIFICATE", as_bytes(reply.ca_certificate_der()))));
  LS_CHECK(store(directory, client::kApplianceFile, appliance_file(token.address)));
  if (key.path != final_key) {
    LS_CHECK(write_file_atomic(
        final_key, key.pem.reveal(), 0400, Overwrite::Replace, Durability::Synced));
  }
  LS_CHECK(store(directory,
                 client::kStationCertificateFile,
                 client::to_pem("CERTIFICATE", as_bytes(reply.certificate_der()))));
  std::error_code ignored;  // a left-over of this name is only used by the next --force
  std::filesystem::remove(directory / client::kNextStationKeyFile, ignored);
  return {};
}

}  // namespace

Result<StationCredential> enroll_station(std::string_view token_text,
                                         const std::filesystem::path& directory,
                                         const EnrollOptions& options) {
  LS_TRY(const JoinToken token, decode_join_token(token_text));
  LS_CHECK(make_directories(directory, 0700));
  LS_TRY(const UniqueFd lock, client::lock_folder(directory));
  LS_TRY(const PendingKey key, prepare_key(directory, options.overwrite));
  LS_TRY(const Bytes csr, client::make_csr(key.pem.reveal(), "station"));
  LS_TRY(const Bytes spki, client::public_key_of(key.pem.reveal()));

  const SteadyTime deadline = std::chrono::steady_clock::now() + options.timeout;
  LS_TRY(const TlsContext context, TlsContext::for_enrollment(token.ca_fingerprint));
  LS_TRY(const auto connection, Connection::open(token.address, context, deadline, -1));
  LS_TRY(const wire::EnrollReply reply, exchange(*connection, token, csr, deadline));

  // What TLS verified by the token's fingerprint is what will be trusted from now on.
  if (!equal(as_bytes(reply.ca_certificate_der()), connection->verified_ca()))
    return fail(ErrorCode::PeerNotTrusted, "another CA was sent than the token names");
  LS_CHECK(
      client::check_issued_by(as_bytes(reply.certificate_der()), connection->verified_ca(), spki));
  LS_CHECK(store_all(directory, key, token, reply));
  return StationCredential::load(directory);
}

}  // namespace linesign
