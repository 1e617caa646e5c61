#include "appliance/cloud/aws/json.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Parser.h>
#include <fmt/format.h>

namespace linesign::aws {
namespace {

using Poco::Dynamic::Var;
using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr size_t kMaxDepth = 128;

template <typename T>
std::optional<T> as(const Var& value) {
  if (value.isEmpty() || value.type() != typeid(T)) return std::nullopt;
  return value.extract<T>();
}

std::optional<double> as_number(const Var& value) {
  if (value.isEmpty() || value.isBoolean() || !value.isNumeric()) return std::nullopt;
  return value.convert<double>();  // of a number: cannot fail
}

Array::Ptr array_of(const Object& object, const std::string& name) {
  return as<Array::Ptr>(object.get(name)).value_or(Array::Ptr());
}

}  // namespace

Object::Ptr JsonObject::new_object() {
  return Poco::makeShared<Object>(Poco::JSON_PRESERVE_KEY_ORDER);
}

Result<JsonObject> JsonObject::parse(const std::string& text) {
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(kMaxDepth);
    const auto object = as<Object::Ptr>(parser.parse(text));
    if (!object) return fail(ErrorCode::AwsAnswerUnreadable, "it is not a JSON object");
    return JsonObject(*object);
  } catch (const Poco::Exception&) {
    // Without the parser's own words: they repeat what they stumbled over.
    return fail(ErrorCode::AwsAnswerUnreadable, "it is not JSON, or nested too deeply");
  }
}

bool JsonObject::has(const std::string& name) const { return !object_->get(name).isEmpty(); }

std::optional<std::string> JsonObject::text(const std::string& name) const {
  return as<std::string>(object_->get(name));
}

std::optional<int64_t> JsonObject::integer(const std::string& name) const {
  constexpr double kMost = 9007199254740992.0;  // exact in a double
  const auto number = as_number(object_->get(name));
  if (!number || !(std::abs(*number) <= kMost)) return std::nullopt;
  return static_cast<int64_t>(*number);
}

std::optional<bool> JsonObject::flag(const std::string& name) const {
  return as<bool>(object_->get(name));
}

std::optional<UnixTime> JsonObject::time(const std::string& name) const {
  constexpr double kYear9999 = 253402300799.0;
  const auto number = as_number(object_->get(name));
  const bool is_time = number && *number >= 0 && *number <= kYear9999;  // not a number is none
  if (!is_time) return std::nullopt;
  return UnixTime(std::chrono::seconds(static_cast<int64_t>(*number)));
}

std::optional<JsonObject> JsonObject::object(const std::string& name) const {
  const auto object = as<Object::Ptr>(object_->get(name));
  if (!object) return std::nullopt;
  return JsonObject(*object);
}

std::vector<std::string> JsonObject::texts(const std::string& name) const {
  std::vector<std::string> texts;
  const Array::Ptr array = array_of(*object_, name);
  for (unsigned i = 0; !array.isNull() && i < array->size(); ++i) {
    if (auto text = as<std::string>(array->get(i))) texts.push_back(std::move(*text));
  }
  return texts;
}

std::vector<JsonObject> JsonObject::objects(const std::string& name) const {
  std::vector<JsonObject> objects;
  const Array::Ptr array = array_of(*object_, name);
  for (unsigned i = 0; !array.isNull() && i < array->size(); ++i) {
    if (const auto object = as<Object::Ptr>(array->get(i))) objects.emplace_back(*object);
  }
  return objects;
}

std::vector<std::string> JsonObject::names() const {
  std::vector<std::string> all = object_->getNames();
  std::sort(all.begin(), all.end());
  return all;
}

// What was parsed writes its members in byte order.
bool JsonObject::equals(const JsonObject& other) const { return to_string() == other.to_string(); }

std::map<std::string, std::string> JsonObject::text_map(const std::string& name) const {
  std::map<std::string, std::string> map;
  const auto object = as<Object::Ptr>(object_->get(name));
  if (!object) return map;
  for (const std::string& key : (*object)->getNames()) {
    if (auto value = as<std::string>((*object)->get(key))) map.emplace(key, std::move(*value));
  }
  return map;
}

Result<std::string> JsonObject::required_text(const std::string& name) const {
  auto found = text(name);
  if (!found || found->empty())
    return fail(ErrorCode::AwsAnswerUnreadable, fmt::format("the member {} is missing", name));
  return std::move(*found);
}

Result<JsonObject> JsonObject::required_object(const std::string& name) const {
  auto found = object(name);
  if (!found)
    return fail(ErrorCode::AwsAnswerUnreadable, fmt::format("the member {} is missing", name));
  return std::move(*found);
}

JsonObject& JsonObject::set(const std::string& name, const std::string& text) {
  if (!text.empty()) object_->set(name, text);
  return *this;
}

JsonObject& JsonObject::set(const std::string& name, bool flag) {
  object_->set(name, flag);
  return *this;
}

JsonObject& JsonObject::set(const std::string& name, int64_t number) {
  object_->set(name, number);
  return *this;
}

JsonObject& JsonObject::set(const std::string& name, const JsonObject& object) {
  object_->set(name, object.object_);
  return *this;
}

JsonObject& JsonObject::set(const std::string& name,
                            const std::map<std::string, std::string>& texts) {
  Object::Ptr object = new_object();
  for (const auto& [key, value] : texts) object->set(key, value);
  object_->set(name, object);
  return *this;
}

JsonObject& JsonObject::set_tags(const std::string& name,
                                 const std::map<std::string, std::string>& tags) {
  Array::Ptr array = Poco::makeShared<Array>();
  for (const auto& [key, value] : tags) {
    Object::Ptr tag = new_object();
    tag->set("Key", key);
    tag->set("Value", value);
    array->add(tag);
  }
  object_->set(name, array);
  return *this;
}

std::string JsonObject::to_string() const {
  std::ostringstream out;
  object_->stringify(out);
  return out.str();
}

}  // namespace linesign::aws
