#include "appliance/cli/report_json.h"

#include <optional>
#include <sstream>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

namespace linesign {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr int kIndent = 2;

Object::Ptr make_object() { return Poco::makeShared<Object>(Poco::JSON_PRESERVE_KEY_ORDER); }

std::string stringify(const Object& object) {
  std::ostringstream out;
  object.stringify(out, kIndent);
  return out.str();
}

// A list of `items`, each as `convert` makes it.
template <typename Items, typename Convert>
Array::Ptr list_of(const Items& items, Convert convert) {
  Array::Ptr list = Poco::makeShared<Array>();
  for (const auto& item : items) list->add(convert(item));
  return list;
}

std::string same(const std::string& text) { return text; }

template <typename T>
Poco::Dynamic::Var value_or_null(const std::optional<T>& value) {
  if (!value.has_value()) return {};
  return *value;
}

Object::Ptr finding_object(const DoctorFinding& finding) {
  Object::Ptr object = make_object();
  object->set("severity", std::string(to_string(finding.severity)));
  object->set("text", finding.text);
  Poco::Dynamic::Var code;
  Poco::Dynamic::Var name;
  if (finding.code.has_value()) {
    code = static_cast<uint32_t>(*finding.code);
    name = std::string(error_info(*finding.code).name);
  }
  object->set("code", code);
  object->set("name", name);
  return object;
}

Object::Ptr mechanism_object(const DoctorMechanism& mechanism) {
  Object::Ptr object = make_object();
  object->set("name", mechanism.name);
  object->set("present", mechanism.present);
  object->set("min_key_bits", mechanism.min_key_bits);
  object->set("max_key_bits", mechanism.max_key_bits);
  return object;
}

Object::Ptr key_object(const DoctorKey& key) {
  Object::Ptr attributes = make_object();
  for (const auto& [name, value] : key.attributes) attributes->set(name, value);
  Object::Ptr object = make_object();
  object->set("label", key.label);
  object->set("id_hex", key.id_hex);
  object->set("type", key.type);
  object->set("attributes", attributes);
  object->set("faults", list_of(key.faults, same));
  return object;
}

Object::Ptr token_object(const DoctorToken& token) {
  Object::Ptr object = make_object();
  object->set("label", token.label);
  object->set("serial", token.serial);
  object->set("manufacturer", token.manufacturer);
  object->set("model", token.model);
  object->set("flags", list_of(token.flags, same));
  object->set("sessions", value_or_null(token.sessions));
  object->set("session_maximum", value_or_null(token.session_maximum));
  object->set("mechanisms", list_of(token.mechanisms, mechanism_object));
  object->set("logged_in", token.logged_in);
  object->set("keys", list_of(token.keys, key_object));
  return object;
}

Object::Ptr slot_object(const DoctorSlot& slot) {
  Object::Ptr object = make_object();
  object->set("id", slot.id);
  object->set("description", slot.description);
  Poco::Dynamic::Var token;
  if (slot.token.has_value()) token = token_object(*slot.token);
  object->set("token", token);
  return object;
}

}  // namespace

std::string to_json(const CeremonyReport& report) {
  Object::Ptr object = make_object();
  object->set("token_label", report.token_label);
  object->set("token_serial", report.token_serial);
  object->set("key_label", report.key_label);
  object->set("key_id_hex", report.key_id_hex);
  object->set("key_type", std::string(to_string(report.key_type)));
  object->set("public_key_sha256_hex", report.public_key_sha256_hex);
  object->set("certificate_sha256_hex", report.certificate_sha256_hex);
  object->set("subject", report.subject);
  object->set("not_before", report.not_before);
  object->set("not_after", report.not_after);
  object->set("written", list_of(report.written, [](const auto& path) { return path.string(); }));
  object->set("notes", list_of(report.notes, same));
  object->set("config_lines", report.config_lines);
  object->set("transcript", report.transcript);
  return stringify(*object);
}

std::string to_json(const DoctorReport& report) {
  Object::Ptr object = make_object();
  object->set("module", report.module.string());
  object->set("module_sha256_hex", report.module_sha256_hex);
  object->set("library", report.library);
  object->set("cryptoki_version", report.cryptoki_version);
  object->set("slots", list_of(report.slots, slot_object));
  object->set("findings", list_of(report.findings, finding_object));
  object->set("config_lines", report.config_lines);
  object->set("worst", std::string(to_string(report.worst())));
  return stringify(*object);
}

}  // namespace linesign
