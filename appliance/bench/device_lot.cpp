#include "appliance/bench/device_lot.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "appliance/bench/cancel.h"
#include "appliance/bench/parallel.h"
#include "appliance/bench/rsa_key_pool.h"
#include "hsm/x509/csr.h"
#include "hsm/x509/distinguished_name.h"
#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "stations/client/key_maker.h"

namespace linesign::bench {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE REQUEST-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE REQUEST-----";
constexpr std::string_view kLabel = "CERTIFICATE REQUEST";

using MakeCsr = std::function<Result<Bytes>(size_t number, std::string_view device_id)>;

int rsa_bits(KeyType type) {
  if (type == KeyType::Rsa2048) return 2048;
  return type == KeyType::Rsa3072 ? 3072 : 4096;
}

Result<std::string> random_prefix() {
  std::array<uint8_t, 5> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return fail(ErrorCode::CryptoFailed, "random bytes");
  return "bench-" + to_hex(bytes) + "-";
}

// A maker belongs to one thread, so each thread has its own.
Result<Bytes> make_ec_csr(client::KeyKind kind, std::string_view device_id) {
  thread_local std::optional<client::KeyMaker> maker;
  thread_local client::KeyKind kind_of_maker{};
  if (!maker || kind_of_maker != kind) {
    LS_TRY(auto opened, client::KeyMaker::open(kind));
    maker.emplace(std::move(opened));
    kind_of_maker = kind;
  }
  LS_TRY(client::MadeKey made, maker->make(device_id));
  return std::move(made.csr_der);
}

Result<MakeCsr> csr_maker(const LotSpec& spec) {
  if (is_rsa(spec.device_key)) {
    LS_TRY(auto pool, RsaKeyPool::make(rsa_bits(spec.device_key), spec.count, spec.threads));
    const auto shared = std::make_shared<const RsaKeyPool>(std::move(pool));
    return [shared](size_t number, std::string_view device_id) {
      return shared->csr(number, device_id);
    };
  }
  const auto kind =
      spec.device_key == KeyType::EcP256 ? client::KeyKind::EcP256 : client::KeyKind::EcP384;
  return [kind](size_t /*number*/, std::string_view device_id) {
    return make_ec_csr(kind, device_id);
  };
}

Result<Bytes> decode_base64(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) {
    return c != '\n' && c != '\r';
  });
  Bytes bytes(digits.size() / 4 * 3 + 3);
  const int length = EVP_DecodeBlock(bytes.data(),
                                     reinterpret_cast<const uint8_t*>(digits.data()),
                                     static_cast<int>(digits.size()));
  if (length < 0) return fail(ErrorCode::InputInvalid, "not base64");
  const size_t padding = digits.ends_with("==") ? 2 : (digits.ends_with('=') ? 1 : 0);
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

Result<IssueRequest> read_request(std::string_view base64, const LotSpec& spec) {
  LS_TRY(const Bytes der, decode_base64(base64));
  LS_TRY(const Csr csr, parse_csr(der));
  if (csr.key_type != spec.device_key)
    return fail(
        ErrorCode::InputInvalid,
        fmt::format(
            "has keys of type {}, not {}", to_string(csr.key_type), to_string(spec.device_key)));
  LS_TRY(const auto common_name, read_common_name(DerReader(csr.subject)));
  const std::string device_id = common_name.value_or("");
  LS_CHECK(check_device_id(device_id));
  return IssueRequest::make(device_id, der, spec.order);
}

Result<std::vector<IssueRequest>> read_lot(const std::filesystem::path& file, const LotSpec& spec) {
  std::vector<IssueRequest> lot;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return lot;
  LS_TRY(const Bytes content, read_file(file, kMaxLotBytes));
  std::string_view rest = as_text(content);
  while (lot.size() < spec.count) {
    const size_t begin = rest.find(kBegin);
    if (begin == std::string_view::npos) break;
    rest.remove_prefix(begin + kBegin.size());
    const size_t end = rest.find(kEnd);
    if (end == std::string_view::npos)
      return fail(ErrorCode::InputInvalid, file.string() + ": the last CSR is cut off");
    auto request = read_request(rest.substr(0, end), spec);
    if (!request.has_value()) return fail(request.error().with_context(file.string()));
    lot.push_back(std::move(*request));
    rest.remove_prefix(end);
  }
  return lot;
}

Result<void> append(const std::filesystem::path& file, std::span<const IssueRequest> lot) {
  std::ofstream out(file, std::ios::app);
  for (const IssueRequest& request : lot) out << client::to_pem(kLabel, request.csr_der);
  out.close();
  if (!out) return fail(ErrorCode::Io, file.string() + ": cannot be written");
  return {};
}

}  // namespace

Result<std::vector<IssueRequest>> make_lot(const LotSpec& spec,
                                           const std::function<void(size_t done)>& on_progress) {
  LS_TRY(const std::string prefix, random_prefix());
  LS_TRY(const MakeCsr make, csr_maker(spec));
  std::vector<IssueRequest> lot(spec.count);
  const auto make_one = [&](size_t i) -> Result<void> {
    LS_CHECK(check_cancelled(spec.cancel_descriptor));
    const std::string device_id = fmt::format("{}{:08}", prefix, i);
    LS_TRY(const Bytes der, make(i, device_id));
    lot[i] = IssueRequest::make(device_id, der, spec.order);
    return {};
  };
  LS_CHECK(for_each_in_parallel(spec.count, spec.threads, make_one, on_progress));
  return lot;
}

Result<std::vector<IssueRequest>> load_lot(const std::filesystem::path& file,
                                           const LotSpec& spec,
                                           const std::function<void(size_t done)>& on_progress) {
  LS_TRY(std::vector<IssueRequest> lot, read_lot(file, spec));
  if (lot.size() == spec.count) return lot;
  LotSpec missing = spec;
  missing.count -= lot.size();
  const size_t there = lot.size();
  LS_TRY(std::vector<IssueRequest> made, make_lot(missing, [&](size_t done) {
           if (on_progress) on_progress(there + done);
         }));
  LS_CHECK(append(file, made));
  lot.insert(lot.end(), std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
  return lot;
}

Result<void> write_lot(const std::filesystem::path& file,
                       std::span<const IssueRequest> lot,
                       size_t count) {
  std::string text;
  for (const IssueRequest& request : lot.first(std::min(count, lot.size())))
    text += client::to_pem(kLabel, request.csr_der);
  return write_file_atomic(file, as_bytes(text), 0600, Overwrite::Refuse, Durability::Renamed);
}

}  // namespace linesign::bench
