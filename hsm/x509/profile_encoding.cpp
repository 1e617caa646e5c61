#include "hsm/x509/profile_encoding.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hsm/x509/der_reader.h"
#include "hsm/x509/der_writer.h"
#include "hsm/x509/directory_string.h"

namespace linesign {
namespace {

constexpr std::array<uint8_t, 3> kTrue = {der::kBoolean, 0x01, 0xff};

// Last byte of the OIDs 2.5.29.x of the extensions.
enum class ExtensionId : uint8_t {
  SubjectKeyId = 14,
  KeyUsage = 15,
  SubjectAltName = 17,
  BasicConstraints = 19,
  Policies = 32,
  AuthorityKeyId = 35,
  ExtendedKeyUsage = 37
};

std::array<uint8_t, 5> extension_oid(ExtensionId id) {
  return {der::kObjectId, 0x03, 0x55, 0x1d, static_cast<uint8_t>(id)};
}

// Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
Bytes make_extension(ExtensionId id, bool critical, ByteView value) {
  const Bytes wrapped = make_element(der::kOctetString, value);
  const ByteView flag = critical ? ByteView(kTrue) : ByteView();
  return make_element(der::kSequence, {extension_oid(id), flag, wrapped});
}

tl::unexpected<Error> out_of_range(std::string what) {
  return fail(ErrorCode::ConfigRange, std::move(what));
}

template <typename T>
Result<void> check_no_repetition(const std::vector<T>& values) {
  const std::set<T> different(values.begin(), values.end());
  if (different.size() != values.size()) return out_of_range("a value stands there twice");
  return {};
}

template <typename Rows>
std::string names_of(const Rows& rows) {
  std::vector<std::string_view> names;
  names.reserve(rows.size());
  for (const auto& row : rows) names.push_back(row.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

template <typename Rows>
auto find_row(const Rows& rows, std::string_view name) -> decltype(rows.data()) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.name == name; });
  return row != rows.end() ? &*row : nullptr;
}

struct SubjectFieldRow {
  std::string_view name;
  std::string_view oid;
  uint8_t tag;
  size_t min_characters;
  size_t max_characters;  // RFC 5280 appendix A.1; X.520 for street and postalCode
};

constexpr std::array<SubjectFieldRow, 12> kSubjectFields = {{
    {"C", "2.5.4.6", der::kPrintableString, 2, 2},
    {"ST", "2.5.4.8", der::kUtf8String, 1, 128},
    {"L", "2.5.4.7", der::kUtf8String, 1, 128},
    {"O", "2.5.4.10", der::kUtf8String, 1, 64},
    {"OU", "2.5.4.11", der::kUtf8String, 1, 64},
    {"DC", "0.9.2342.19200300.100.1.25", der::kIa5String, 1, 63},
    {"title", "2.5.4.12", der::kUtf8String, 1, 64},
    {"street", "2.5.4.9", der::kUtf8String, 1, 128},
    {"postalCode", "2.5.4.17", der::kUtf8String, 1, 40},
    {"serialNumber", "2.5.4.5", der::kPrintableString, 1, 64},
    {"dnQualifier", "2.5.4.46", der::kPrintableString, 1, 64},
    {"description", "2.5.4.13", der::kUtf8String, 1, 1024},
}};

Result<Bytes> encode_subject_field(const std::string& name, const std::string& value) {
  if (name == "CN") return out_of_range("CN is the device id and not a fixed field");
  const SubjectFieldRow* const row = find_row(kSubjectFields, name);
  if (row == nullptr) {
    return out_of_range(
        fmt::format("'{}' is not a field; allowed: {}", name, names_of(kSubjectFields)));
  }
  if (value.find_first_of("{}") != std::string::npos) {
    return out_of_range(fmt::format("{}: fields are fixed, they hold no {{device_id}}", name));
  }
  const auto text = decode_directory_string(der::kUtf8String, as_bytes(value));
  if (!text) return out_of_range(fmt::format("{}: {}", name, text.error().detail()));
  if (text->characters < row->min_characters || text->characters > row->max_characters) {
    return out_of_range(
        fmt::format("{} has {} to {} characters", name, row->min_characters, row->max_characters));
  }
  if (!check_directory_string(row->tag, as_bytes(value))) {
    return out_of_range(
        fmt::format("{} holds a character that its string type does not allow", name));
  }
  // The table holds legal OIDs only.
  const Bytes oid = encode_object_id(row->oid).value_or(Bytes());
  const Bytes string = make_element(row->tag, as_bytes(value));
  return make_element(der::kSet, make_element(der::kSequence, {oid, string}));
}

struct KeyUsageRow {
  std::string_view name;
  unsigned bit;
};

// RFC 5280 section 4.2.1.3. keyCertSign (5) and cRLSign (6) are missing on purpose: with one of
// them a device could act as a CA.
constexpr std::array<KeyUsageRow, 8> kKeyUsages = {{{"digitalSignature", 0},
                                                    {"nonRepudiation", 1},
                                                    {"contentCommitment", 1},
                                                    {"keyEncipherment", 2},
                                                    {"dataEncipherment", 3},
                                                    {"keyAgreement", 4},
                                                    {"encipherOnly", 7},
                                                    {"decipherOnly", 8}}};

Result<unsigned> key_usage_bits(const std::vector<std::string>& names) {
  unsigned bits = 0;
  for (const std::string& name : names) {
    const KeyUsageRow* const row = find_row(kKeyUsages, name);
    if (row == nullptr) {
      return out_of_range(fmt::format(
          "'{}' is not a key usage of a device; allowed: {}", name, names_of(kKeyUsages)));
    }
    const unsigned bit = 1U << row->bit;
    if ((bits & bit) != 0) return out_of_range("a value stands there twice");
    bits |= bit;
  }
  return bits;
}

// A BIT STRING of named bits: trailing zero bits are cut off (X.690 section 11.2.2).
Bytes encode_named_bits(unsigned bits) {
  unsigned highest = 0;
  std::array<uint8_t, 2> octets{};
  for (unsigned bit = 0; bit < 16; ++bit) {
    if ((bits >> bit & 1U) == 0) continue;
    highest = bit;
    octets[bit / 8] |= static_cast<uint8_t>(0x80U >> (bit % 8));
  }
  const std::array<uint8_t, 1> unused = {static_cast<uint8_t>(7 - highest % 8)};
  return make_element(der::kBitString, {unused, ByteView(octets).first(highest / 8 + 1)});
}

struct ExtendedUsageRow {
  std::string_view name;
  std::string_view oid;
};

constexpr std::array<ExtendedUsageRow, 5> kExtendedUsages = {{
    {"clientAuth", "1.3.6.1.5.5.7.3.2"},
    {"serverAuth", "1.3.6.1.5.5.7.3.1"},
    {"codeSigning", "1.3.6.1.5.5.7.3.3"},
    {"emailProtection", "1.3.6.1.5.5.7.3.4"},
    {"timeStamping", "1.3.6.1.5.5.7.3.8"},
}};

// A device with this usage could answer for the CA which certificates are revoked (RFC 6960
// section 4.2.2.2).
constexpr std::string_view kOcspSigningOid = "1.3.6.1.5.5.7.3.9";

Result<Bytes> encode_extended_usage(const std::string& usage) {
  const ExtendedUsageRow* const row = find_row(kExtendedUsages, usage);
  const std::string_view dotted = row != nullptr ? row->oid : std::string_view(usage);
  if (usage == "OCSPSigning" || dotted == kOcspSigningOid) {
    return out_of_range("OCSPSigning would let a device speak for the CA");
  }
  auto oid = encode_object_id(dotted);
  if (!oid) {
    return out_of_range(fmt::format(
        "'{}' is not a usage; allowed: {}, or a dotted OID", usage, names_of(kExtendedUsages)));
  }
  return *std::move(oid);
}

}  // namespace

Result<Bytes> encode_subject_fields(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  Bytes out;
  for (const auto& [name, value] : fields) {
    LS_TRY(const Bytes field, encode_subject_field(name, value));
    append(out, field);
  }
  return out;
}

Bytes encode_basic_constraints() {
  // cA is FALSE by default, and DER leaves defaults out.
  const Bytes value = make_element(der::kSequence, {});
  return make_extension(ExtensionId::BasicConstraints, true, value);
}

Result<Bytes> encode_key_usage(const std::vector<std::string>& names, bool critical) {
  if (names.empty()) return out_of_range(fmt::format("allowed: {}", names_of(kKeyUsages)));
  LS_TRY(const unsigned bits, key_usage_bits(names));
  constexpr unsigned kAgreementOnly = 1U << 7U | 1U << 8U;
  if ((bits & kAgreementOnly) != 0 && (bits & 1U << 4U) == 0) {
    return fail(ErrorCode::ConfigConflict, "encipherOnly and decipherOnly need keyAgreement");
  }
  return make_extension(ExtensionId::KeyUsage, critical, encode_named_bits(bits));
}

Result<Bytes> encode_extended_key_usage(const std::vector<std::string>& usages) {
  if (usages.empty()) return Bytes();
  std::vector<Bytes> oids;
  Bytes content;
  for (const std::string& usage : usages) {
    LS_TRY(Bytes oid, encode_extended_usage(usage));
    append(content, oid);
    oids.push_back(std::move(oid));
  }
  LS_CHECK(check_no_repetition(oids));
  return make_extension(
      ExtensionId::ExtendedKeyUsage, false, make_element(der::kSequence, content));
}

Result<Bytes> encode_policies(const std::vector<std::string>& policies) {
  if (policies.empty()) return Bytes();
  LS_CHECK(check_no_repetition(policies));  // RFC 5280 section 4.2.1.4
  Bytes content;
  for (const std::string& policy : policies) {
    const auto oid = encode_object_id(policy);
    if (!oid) return out_of_range(fmt::format("'{}' is not a dotted OID", policy));
    append_element(content, der::kSequence, *oid);
  }
  return make_extension(ExtensionId::Policies, false, make_element(der::kSequence, content));
}

Bytes encode_authority_key_id(ByteView key_id) {
  const Bytes value = make_element(der::kSequence, make_element(der::context(0), key_id));
  return make_extension(ExtensionId::AuthorityKeyId, false, value);
}

Bytes encode_subject_key_id_head() {
  constexpr size_t kKeyIdBytes = 20;
  const std::array<uint8_t, kKeyIdBytes> placeholder{};
  const Bytes extension = make_extension(
      ExtensionId::SubjectKeyId, false, make_element(der::kOctetString, ByteView(placeholder)));
  return {extension.begin(), extension.end() - kKeyIdBytes};
}

Bytes encode_alt_names(const std::vector<AltNameTemplate>& names, std::string_view device_id) {
  if (names.empty()) return {};
  Bytes content;
  for (const AltNameTemplate& name : names) {
    const auto tag = der::context(static_cast<unsigned>(name.kind));
    append_element(content, tag, as_bytes(name.text(device_id)));
  }
  return make_extension(ExtensionId::SubjectAltName, false, make_element(der::kSequence, content));
}

Result<void> check_allowed_keys(const std::vector<KeyType>& keys) {
  if (keys.empty()) {
    return out_of_range(fmt::format("name at least one of: {}", fmt::join(kKeyTypeNames, ", ")));
  }
  return check_no_repetition(keys);
}

Result<void> check_validity(const Profile& profile) {
  if (profile.backdate < std::chrono::seconds(0) || profile.backdate > kMaxBackdate) {
    return out_of_range("backdate is 0s to 30d");
  }
  const bool sane = profile.validity >= kMinValidity && profile.validity <= kMaxValidity;
  if (!profile.no_expiry && !sane) return out_of_range("validity is 1m to 200y, or \"no-expiry\"");
  return {};
}

}  // namespace linesign
