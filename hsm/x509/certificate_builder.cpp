#include "hsm/x509/certificate_builder.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/rand.h>

#include "hsm/x509/der_reader.h"
#include "hsm/x509/der_writer.h"
#include "hsm/x509/distinguished_name.h"
#include "hsm/x509/openssl_error.h"
#include "hsm/x509/profile_encoding.h"
#include "hsm/x509/tbs_template.h"

namespace linesign {
namespace {

constexpr size_t kPemLineBytes = 48;  // 64 characters
constexpr uint8_t kSerialMask = 0x3f;
constexpr uint8_t kSerialFirst = 0x40;

// AttributeTypeAndValue of the common name up to its text: UTF8String, because a device id may hold
// characters that PrintableString has not.
constexpr std::array<uint8_t, 5> kCommonNameOid = {der::kObjectId, 0x03, 0x55, 0x04, 0x03};

Bytes make_subject(ByteView fields, std::string_view device_id) {
  const size_t attribute = kCommonNameOid.size() + der_size(device_id.size());
  const size_t content = fields.size() + der_size(der_size(attribute));
  Bytes out;
  out.reserve(der_size(content));
  append_header(out, der::kSequence, content);
  append(out, fields);
  append_header(out, der::kSet, der_size(attribute));
  append_header(out, der::kSequence, attribute);
  append(out, kCommonNameOid);
  append_element(out, der::kUtf8String, as_bytes(device_id));
  return out;
}

tl::unexpected<Error> common_name_differs(const std::string& common_name, bool is_kept) {
  std::string detail = fmt::format(
      "it is '{}'; send it as the device id, or make the CSR with the device id as its common name",
      common_name);
  if (!is_kept) detail += ", or set csr_common_name = \"ignore\" in the appliance's [profile]";
  return fail(ErrorCode::CsrSubjectMismatch, std::move(detail));
}

}  // namespace

Result<SerialNumber> make_serial() {
  SerialNumber serial{};
  if (RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) {
    return fail(openssl_error("drawing a serial number"));
  }
  serial[0] = static_cast<uint8_t>((serial[0] & kSerialMask) | kSerialFirst);
  return serial;
}

struct CertificateBuilder::State {
  State(Profile with_profile, CaCertificate with_ca)
      : profile(std::move(with_profile)), ca(std::move(with_ca)) {}

  Profile profile;
  CaCertificate ca;
  Bytes subject_fields;
  std::vector<AltNameTemplate> alt_names;
  TbsTemplate tbs;
  Sha256 profile_hash{};

  UnixTime not_before(UnixTime issued_at) const;
  UnixTime not_after(UnixTime issued_at) const;
  Result<void> check_subject(const Csr& csr, std::string_view device_id) const;
};

UnixTime CertificateBuilder::State::not_before(UnixTime issued_at) const {
  return std::max(issued_at - profile.backdate, ca.not_before());
}

UnixTime CertificateBuilder::State::not_after(UnixTime issued_at) const {
  const UnixTime wanted = profile.no_expiry ? kNoExpiryTime : issued_at + profile.validity;
  return std::min({wanted, ca.not_after(), kNoExpiryTime});
}

Result<void> CertificateBuilder::State::check_subject(const Csr& csr,
                                                      std::string_view device_id) const {
  const bool is_kept = profile.subject_source == SubjectSource::Csr;
  if (!is_kept && profile.csr_common_name == CommonNameRule::Ignore) return {};
  const DerReader name(csr.subject);
  const auto common_name = is_kept ? check_name(name) : read_common_name(name);
  if (!common_name) {
    return fail(common_name.error().with_context(
        is_kept ? "subject = \"csr\" in the profile keeps it"
                : "csr_common_name = \"must-match\" in the profile reads it"));
  }
  if (is_kept && csr.subject.content.empty()) {
    return fail(ErrorCode::CsrSubjectInvalid, "it is empty, and the profile keeps it as it is");
  }
  const std::optional<std::string>& found = *common_name;
  if (found && *found != device_id) return common_name_differs(*found, is_kept);
  return {};
}

CertificateBuilder::CertificateBuilder(std::shared_ptr<const State> state)
    : state_(std::move(state)) {}

Result<CertificateBuilder> CertificateBuilder::create(const Profile& profile,
                                                      const CaCertificate& ca) {
  auto state = std::make_shared<State>(profile, ca);
  LS_CHECK(check_validity(profile));
  LS_CHECK(check_allowed_keys(profile.allowed_keys));
  LS_TRY(state->subject_fields, encode_subject_fields(profile.subject_fields));
  LS_TRY(state->alt_names, parse_alt_names(profile.subject_alt_names));
  LS_TRY(const Bytes key_usage, encode_key_usage(profile.key_usage, profile.key_usage_critical));
  LS_TRY(const Bytes extended_usage, encode_extended_key_usage(profile.extended_key_usage));
  LS_TRY(const Bytes policies, encode_policies(profile.policies));
  Bytes head = encode_basic_constraints();
  append(head, key_usage);
  append(head, extended_usage);
  append(head, encode_subject_key_id_head());
  Bytes tail = encode_authority_key_id(ca.subject_key_id());
  append(tail, policies);
  state->tbs = TbsTemplate(
      signature_algorithm_der(ca.key_type()), ca.subject(), std::move(head), std::move(tail));
  Bytes hashed = to_bytes(canonical_text(profile));
  append(hashed, ca.der());
  state->profile_hash = sha256(hashed);
  return CertificateBuilder(std::move(state));
}

Result<void> CertificateBuilder::check(const Csr& csr, std::string_view device_id) const {
  LS_CHECK(check_device_id(device_id));
  const std::vector<KeyType>& allowed = state_->profile.allowed_keys;
  if (std::find(allowed.begin(), allowed.end(), csr.key_type) == allowed.end()) {
    return fail(ErrorCode::CsrKeyNotAllowed, std::string(to_string(csr.key_type)));
  }
  if (equal(csr.spki, state_->ca.spki())) {
    return fail(ErrorCode::CsrKeyReserved, "it is the key of the device CA");
  }
  LS_CHECK(state_->check_subject(csr, device_id));
  for (const AltNameTemplate& name : state_->alt_names) {
    LS_CHECK(check_alt_name(name.kind, name.text(device_id)));
  }
  return {};
}

Result<Bytes> CertificateBuilder::build_tbs(const Csr& csr,
                                            const CertificateRequest& request) const {
  if ((request.serial[0] & ~kSerialMask) != kSerialFirst) {
    return fail(ErrorCode::Internal, "the serial number does not begin with 0x40..0x7f");
  }
  const CaCertificate& ca = state_->ca;
  if (request.issued_at < ca.not_before() || request.issued_at > ca.not_after()) {
    return fail(ErrorCode::ClockInDoubt,
                fmt::format("{} is outside the validity of the CA certificate, {} to {}",
                            to_iso8601(request.issued_at),
                            to_iso8601(ca.not_before()),
                            to_iso8601(ca.not_after())));
  }
  const bool own_subject = state_->profile.subject_source == SubjectSource::DeviceId;
  const Bytes subject =
      own_subject ? make_subject(state_->subject_fields, request.device_id) : Bytes();
  const Bytes alt_names = encode_alt_names(state_->alt_names, request.device_id);
  TbsParts parts;
  parts.serial = request.serial;
  parts.not_before = state_->not_before(request.issued_at);
  parts.not_after = state_->not_after(request.issued_at);
  parts.subject = own_subject ? ByteView(subject) : csr.subject.whole;
  parts.spki = csr.spki;
  parts.subject_key_id = make_key_id(csr.public_key);
  parts.alt_names = alt_names;
  return state_->tbs.build(parts);
}

const Sha256& CertificateBuilder::profile_hash() const { return state_->profile_hash; }
const CaCertificate& CertificateBuilder::ca() const { return state_->ca; }

Bytes assemble_certificate(ByteView tbs, ByteView signature_algorithm, ByteView signature) {
  const size_t bits = 1 + signature.size();
  const size_t content = tbs.size() + signature_algorithm.size() + der_size(bits);
  Bytes out;
  out.reserve(der_size(content));
  append_header(out, der::kSequence, content);
  append(out, tbs);
  append(out, signature_algorithm);
  append_header(out, der::kBitString, bits);
  out.push_back(0);  // unused bits
  append(out, signature);
  return out;
}

Result<Bytes> assemble_certificate(ByteView tbs, ByteView signature) {
  DerReader outer(tbs);
  LS_TRY(DerReader fields, outer.enter(der::kSequence, "TBSCertificate"));
  LS_TRY([[maybe_unused]] const DerElement version,
         fields.read(der::context_constructed(0), "version"));
  LS_TRY([[maybe_unused]] const DerElement serial, fields.read(der::kInteger, "serialNumber"));
  LS_TRY(const DerElement algorithm, fields.read(der::kSequence, "signature"));
  return assemble_certificate(tbs, algorithm.whole, signature);
}

std::string certificate_pem(ByteView der) {
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  pem.reserve(pem.size() * 2 + der.size() * 3 / 2);
  std::array<unsigned char, 65> line{};
  while (!der.empty()) {
    const ByteView part = der.first(std::min(der.size(), kPemLineBytes));
    const int size = EVP_EncodeBlock(line.data(), part.data(), static_cast<int>(part.size()));
    pem.append(line.begin(), line.begin() + size);
    pem += '\n';
    der = der.subspan(part.size());
  }
  return pem + "-----END CERTIFICATE-----\n";
}

}  // namespace linesign
