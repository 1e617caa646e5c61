#include "hsm/x509/tbs_template.h"

#include <algorithm>

#include "hsm/x509/der_reader.h"
#include "hsm/x509/digest.h"

namespace linesign {
namespace {

constexpr std::array<uint8_t, 5> kVersion3 = {0xa0, 0x03, 0x02, 0x01, 0x02};
constexpr int kFirstUtcYear = 1950;
constexpr int kLastUtcYear = 2049;

void append_two_digits(Bytes& out, unsigned number) {
  out.push_back(static_cast<uint8_t>('0' + number / 10 % 10));
  out.push_back(static_cast<uint8_t>('0' + number % 10));
}

// Up to two times of at most 17 bytes, and the header.
constexpr size_t kMaxValidityBytes = 36;

void append_validity(Bytes& out, UnixTime not_before, UnixTime not_after) {
  const size_t start = out.size();
  append_header(out, der::kSequence, 0);
  append_time(out, not_before);
  append_time(out, not_after);
  out[start + 1] = static_cast<uint8_t>(out.size() - start - 2);
}

}  // namespace

KeyId make_key_id(ByteView public_key) {
  const DigestValue value = digest(DigestKind::Bits160, public_key);
  KeyId id{};
  std::copy_n(value.octets.begin(), id.size(), id.begin());
  return id;
}

void append_time(Bytes& out, UnixTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  const int year = static_cast<int>(date.year());
  const bool utc = year >= kFirstUtcYear && year <= kLastUtcYear;
  append_header(out, utc ? der::kUtcTime : der::kGeneralizedTime, utc ? 13 : 15);
  if (!utc) append_two_digits(out, static_cast<unsigned>(year) / 100);
  append_two_digits(out, static_cast<unsigned>(year) % 100);
  append_two_digits(out, static_cast<unsigned>(date.month()));
  append_two_digits(out, static_cast<unsigned>(date.day()));
  append_two_digits(out, static_cast<unsigned>(clock.hours().count()));
  append_two_digits(out, static_cast<unsigned>(clock.minutes().count()));
  append_two_digits(out, static_cast<unsigned>(clock.seconds().count()));
  out.push_back('Z');
}

TbsTemplate::TbsTemplate(ByteView signature_algorithm,
                         ByteView issuer,
                         Bytes extensions_head,
                         Bytes extensions_tail)
    : head_(to_bytes(kVersion3)),
      extensions_head_(std::move(extensions_head)),
      extensions_tail_(std::move(extensions_tail)) {
  append_header(head_, der::kInteger, kSerialBytes);
  append(signature_and_issuer_, signature_algorithm);
  append(signature_and_issuer_, issuer);
}

Bytes TbsTemplate::build(const TbsParts& parts) const {
  const size_t extensions =
      extensions_head_.size() + kKeyIdBytes + extensions_tail_.size() + parts.alt_names.size();
  Bytes validity;
  validity.reserve(kMaxValidityBytes);
  append_validity(validity, parts.not_before, parts.not_after);
  const size_t content = head_.size() + kSerialBytes + signature_and_issuer_.size() +
                         validity.size() + parts.subject.size() + parts.spki.size() +
                         der_size(der_size(extensions));
  Bytes out;
  out.reserve(der_size(content));
  append_header(out, der::kSequence, content);
  append(out, head_);
  append(out, parts.serial);
  append(out, signature_and_issuer_);
  append(out, validity);
  append(out, parts.subject);
  append(out, parts.spki);
  append_header(out, der::context_constructed(3), der_size(extensions));
  append_header(out, der::kSequence, extensions);
  append(out, extensions_head_);
  append(out, parts.subject_key_id);
  append(out, extensions_tail_);
  append(out, parts.alt_names);
  return out;
}

}  // namespace linesign
