#include "hsm/pkcs11/ca_key.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "hsm/pkcs11/ec_parameters.h"
#include "hsm/pkcs11/recovery.h"

namespace linesign {
namespace {

enum class Shape : uint8_t { Flag, Number, Bytes, Text };

struct AttributeRow {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
  Shape shape;
};

#define LS_CKA(name, shape) \
  AttributeRow { name, #name, Shape::shape }

// What is read back, printed and kept in the transcript.
constexpr std::array kPrivateAttributes = {
    LS_CKA(CKA_CLASS, Number),
    LS_CKA(CKA_KEY_TYPE, Number),
    LS_CKA(CKA_LABEL, Text),
    LS_CKA(CKA_ID, Bytes),
    LS_CKA(CKA_TOKEN, Flag),
    LS_CKA(CKA_PRIVATE, Flag),
    LS_CKA(CKA_SENSITIVE, Flag),
    LS_CKA(CKA_ALWAYS_SENSITIVE, Flag),
    LS_CKA(CKA_EXTRACTABLE, Flag),
    LS_CKA(CKA_NEVER_EXTRACTABLE, Flag),
    LS_CKA(CKA_LOCAL, Flag),
    LS_CKA(CKA_KEY_GEN_MECHANISM, Number),
    LS_CKA(CKA_SIGN, Flag),
    LS_CKA(CKA_DECRYPT, Flag),
    LS_CKA(CKA_UNWRAP, Flag),
    LS_CKA(CKA_DERIVE, Flag),
    LS_CKA(CKA_MODIFIABLE, Flag),
    LS_CKA(CKA_ALWAYS_AUTHENTICATE, Flag),
};

constexpr std::array kPublicAttributes = {
    LS_CKA(CKA_CLASS, Number),
    LS_CKA(CKA_KEY_TYPE, Number),
    LS_CKA(CKA_LABEL, Text),
    LS_CKA(CKA_ID, Bytes),
    LS_CKA(CKA_TOKEN, Flag),
    LS_CKA(CKA_PRIVATE, Flag),
    LS_CKA(CKA_VERIFY, Flag),
    LS_CKA(CKA_ENCRYPT, Flag),
    LS_CKA(CKA_WRAP, Flag),
    LS_CKA(CKA_LOCAL, Flag),
    LS_CKA(CKA_EC_PARAMS, Bytes),
    LS_CKA(CKA_EC_POINT, Bytes),
    LS_CKA(CKA_MODULUS, Bytes),
    LS_CKA(CKA_PUBLIC_EXPONENT, Bytes),
};
#undef LS_CKA

struct FlagRule {
  const char* name;
  const char* wanted;
  const char* meaning;  // of the wrong value, for people
};

// What the private key must say. An attribute that the token does not tell is a fault as well.
constexpr std::array<FlagRule, 12> kFlagRules = {{
    {"CKA_TOKEN", "true", "the key is not stored in the token"},
    {"CKA_PRIVATE", "true", "the key can be used without a login"},
    {"CKA_SENSITIVE", "true", "the key can be read in plain"},
    {"CKA_ALWAYS_SENSITIVE", "true", "the key was readable at some time"},
    {"CKA_EXTRACTABLE", "false", "the key can be taken out of the token"},
    {"CKA_NEVER_EXTRACTABLE", "true", "the key could be taken out at some time"},
    {"CKA_LOCAL", "true", "the key was not generated in this token but imported"},
    {"CKA_SIGN", "true", "the key may not sign"},
    {"CKA_DECRYPT", "false", "the key may decrypt"},
    {"CKA_UNWRAP", "false", "the key may unwrap other keys"},
    {"CKA_DERIVE", "false", "the key may derive other keys"},
    {"CKA_MODIFIABLE", "false", "the attributes of the key can be changed"},
}};

std::optional<CK_ULONG> to_number(const std::optional<Bytes>& value) {
  CK_ULONG number = 0;
  if (!value || value->size() != sizeof(number)) return std::nullopt;
  std::memcpy(&number, value->data(), sizeof(number));
  return number;
}

// Numbers that have a name; by attribute, because the same number means different things.
std::string number_text(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  struct Named {
    CK_ATTRIBUTE_TYPE type;
    CK_ULONG value;
    const char* name;
  };
  static constexpr std::array kNames = {
      Named{CKA_CLASS, CKO_PRIVATE_KEY, "CKO_PRIVATE_KEY"},
      Named{CKA_CLASS, CKO_PUBLIC_KEY, "CKO_PUBLIC_KEY"},
      Named{CKA_KEY_TYPE, CKK_RSA, "CKK_RSA"},
      Named{CKA_KEY_TYPE, CKK_EC, "CKK_EC"},
      Named{CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"},
      Named{CKA_KEY_GEN_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN"},
      Named{CKA_KEY_GEN_MECHANISM, CKM_RSA_X9_31_KEY_PAIR_GEN, "CKM_RSA_X9_31_KEY_PAIR_GEN"},
      Named{CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION, "unknown"},
  };
  for (const Named& row : kNames)
    if (row.type == type && row.value == value) return row.name;
  return fmt::format("{:#x}", value);
}

std::string value_text(const AttributeRow& row, const Bytes& value) {
  switch (row.shape) {
    case Shape::Flag:
      return !value.empty() && value[0] != CK_FALSE ? "true" : "false";
    case Shape::Number:
      if (const auto number = to_number(value)) return number_text(row.type, *number);
      return to_hex(value);
    case Shape::Text:
      return std::string(as_text(value));
    case Shape::Bytes:
      break;
  }
  return to_hex(value);
}

Result<NamedAttributes> read_attributes(TokenSession& session,
                                        CK_OBJECT_HANDLE object,
                                        std::span<const AttributeRow> rows) {
  NamedAttributes attributes;
  for (const AttributeRow& row : rows) {
    LS_TRY(const std::optional<Bytes> value, session.attribute(object, row.type));
    if (value) attributes.emplace_back(row.name, value_text(row, *value));
  }
  return attributes;
}

std::string find_value(const NamedAttributes& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes)
    if (key == name) return value;
  return {};
}

std::optional<KeyType> rsa_type(const Bytes& modulus) {
  const auto first =
      std::find_if(modulus.begin(), modulus.end(), [](uint8_t byte) { return byte != 0; });
  const auto bytes = modulus.end() - first;
  if (bytes == 0 || (*first & 0x80) == 0) return std::nullopt;
  switch (bytes) {
    case 256:
      return KeyType::Rsa2048;
    case 384:
      return KeyType::Rsa3072;
    case 512:
      return KeyType::Rsa4096;
    default:
      return std::nullopt;
  }
}

Result<std::optional<KeyType>> read_type(TokenSession& session, CK_OBJECT_HANDLE private_key) {
  LS_TRY(const std::optional<Bytes> type, session.attribute(private_key, CKA_KEY_TYPE));
  const auto number = to_number(type);
  std::optional<KeyType> known;
  if (number == CKK_EC) {
    LS_TRY(const std::optional<Bytes> curve, session.attribute(private_key, CKA_EC_PARAMS));
    if (curve && equal(*curve, kP256Parameters)) known = KeyType::EcP256;
    if (curve && equal(*curve, kP384Parameters)) known = KeyType::EcP384;
  } else if (number == CKK_RSA) {
    LS_TRY(const std::optional<Bytes> modulus, session.attribute(private_key, CKA_MODULUS));
    if (modulus) known = rsa_type(*modulus);
  }
  return known;
}

void judge_flags(CaKey& key) {
  for (const FlagRule& rule : kFlagRules) {
    const std::string value = find_value(key.private_attributes, rule.name);
    if (value == rule.wanted) continue;
    key.faults.push_back(value.empty()
                             ? fmt::format("{}: the token does not tell", rule.name)
                             : fmt::format("{} is {}: {}", rule.name, value, rule.meaning));
  }
  // Absent on tokens older than PKCS#11 2.20, which cannot ask for it either.
  if (find_value(key.private_attributes, "CKA_ALWAYS_AUTHENTICATE") == "true")
    key.faults.emplace_back(
        "CKA_ALWAYS_AUTHENTICATE is true: the token wants the PIN for every signature");
}

void judge_origin(CaKey& key) {
  if (!key.type) {
    key.faults.emplace_back("the kind of key is none that linesign knows");
    return;
  }
  const std::string made_by = find_value(key.private_attributes, "CKA_KEY_GEN_MECHANISM");
  const bool right = is_rsa(*key.type) ? made_by == "CKM_RSA_PKCS_KEY_PAIR_GEN" ||
                                             made_by == "CKM_RSA_X9_31_KEY_PAIR_GEN"
                                       : made_by == "CKM_EC_KEY_PAIR_GEN";
  if (!right)
    key.faults.push_back(
        fmt::format("CKA_KEY_GEN_MECHANISM is {}: the key was not generated in this token",
                    made_by.empty() ? "not told" : made_by));
}

// The proof of the pudding: asks for the key bytes. Only the length would come back.
void judge_secrecy(TokenSession& session, CaKey& key) {
  const bool rsa = key.type && is_rsa(*key.type);
  const CK_RV answer =
      session.probe_attribute(key.private_key, rsa ? CKA_PRIVATE_EXPONENT : CKA_VALUE);
  if (answer != CKR_ATTRIBUTE_SENSITIVE)
    key.faults.push_back(fmt::format("the token does not refuse to read the key's secret part: {}",
                                     answer == CKR_OK ? "it gives it away" : ckr_name(answer)));
}

Result<std::vector<CK_OBJECT_HANDLE>> find_keys(TokenSession& session,
                                                CK_OBJECT_CLASS object_class,
                                                const KeySelector& wanted) {
  ObjectTemplate search;
  search.number(CKA_CLASS, object_class);
  if (!wanted.label.empty()) search.text(CKA_LABEL, wanted.label);
  if (!wanted.id.empty()) search.bytes(CKA_ID, wanted.id);
  return session.find(search);
}

std::string describe(const KeySelector& wanted) {
  return fmt::format("label '{}', id '{}'", wanted.label, to_hex(wanted.id));
}

Result<CaKey> read_key(TokenSession& session, CK_OBJECT_HANDLE private_key) {
  CaKey key;
  key.private_key = private_key;
  LS_TRY(const std::optional<Bytes> label, session.attribute(private_key, CKA_LABEL));
  LS_TRY(std::optional<Bytes> id, session.attribute(private_key, CKA_ID));
  if (label) key.label = std::string(as_text(*label));
  if (id) key.id = std::move(*id);
  LS_TRY(key.type, read_type(session, private_key));
  LS_TRY(key.private_attributes, read_attributes(session, private_key, kPrivateAttributes));
  judge_flags(key);
  judge_origin(key);
  judge_secrecy(session, key);
  return key;
}

// libp11 and other software take the first public key of an id: so there must be only one.
Result<void> add_public_key(TokenSession& session, CaKey& key) {
  LS_TRY(const auto same_id, find_keys(session, CKO_PRIVATE_KEY, {{}, key.id}));
  if (same_id.size() > 1)
    return fail(ErrorCode::HsmKeyAmbiguous,
                fmt::format("{} private keys have the id '{}'", same_id.size(), to_hex(key.id)));
  LS_TRY(const auto public_keys, find_keys(session, CKO_PUBLIC_KEY, {{}, key.id}));
  if (public_keys.size() > 1)
    return fail(ErrorCode::HsmKeyAmbiguous,
                fmt::format("{} public keys have the id '{}'", public_keys.size(), to_hex(key.id)));
  if (public_keys.empty())
    return fail(
        ErrorCode::HsmKeyNotFound,
        fmt::format("the private key is there, its public key (id '{}') is not", to_hex(key.id)));
  key.public_key = public_keys.front();
  LS_TRY(key.public_attributes, read_attributes(session, key.public_key, kPublicAttributes));
  return {};
}

}  // namespace

std::string key_type_text(const CaKey& key) {
  return key.type ? std::string(to_string(*key.type)) : "unknown";
}

Result<CaKey> find_ca_key(TokenSession& session, const KeySelector& wanted) {
  LS_TRY(const auto found, find_keys(session, CKO_PRIVATE_KEY, wanted));
  if (found.empty()) return fail(ErrorCode::HsmKeyNotFound, describe(wanted));
  if (found.size() > 1)
    return fail(ErrorCode::HsmKeyAmbiguous,
                fmt::format("{} private keys have {}", found.size(), describe(wanted)));
  LS_TRY(CaKey key, read_key(session, found.front()));
  if (key.id.empty())
    return fail(ErrorCode::HsmKeyAmbiguous,
                fmt::format("the key '{}' has no id, so nothing ties its parts", key.label));
  LS_CHECK(add_public_key(session, key));
  return key;
}

Result<std::vector<CaKey>> list_ca_keys(TokenSession& session) {
  LS_TRY(const auto found, find_keys(session, CKO_PRIVATE_KEY, {}));
  std::vector<CaKey> keys;
  for (const CK_OBJECT_HANDLE handle : found) {
    auto key = read_key(session, handle);
    if (!key) continue;
    if (auto pair = add_public_key(session, *key); !pair)
      key->faults.push_back(pair.error().detail());
    keys.push_back(std::move(*key));
  }
  return keys;
}

Result<void> check_key_attributes(const CaKey& key) {
  if (key.faults.empty()) return {};
  std::string all;
  for (const std::string& fault : key.faults) all += (all.empty() ? "" : "; ") + fault;
  return fail(ErrorCode::HsmKeyUnsafe, fmt::format("key '{}': {}", key.label, all));
}

}  // namespace linesign
