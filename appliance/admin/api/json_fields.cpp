#include "appliance/admin/api/json_fields.h"

#include <algorithm>
#include <sstream>

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>
#include <openssl/evp.h>

namespace linesign::json {
namespace {

constexpr size_t kBytesInGroup = 3;
constexpr size_t kCharactersInGroup = 4;

// The parser forgives much; what is not written as to_iso8601 writes it is refused here.
UnixTime to_time(const std::string& text) {
  int time_zone = 0;
  const Poco::DateTime parsed =
      Poco::DateTimeParser::parse(Poco::DateTimeFormat::ISO8601_FORMAT, text, time_zone);
  const UnixTime time(std::chrono::seconds(parsed.timestamp().epochTime()));
  if (to_iso8601(time) != text) wrong("a time is expected", text);
  return time;
}

}  // namespace

Object::Ptr make_object() { return Poco::makeShared<Object>(Poco::JSON_PRESERVE_KEY_ORDER); }

std::string stringify(const Object& object) {
  std::ostringstream out;
  object.stringify(out);
  return out.str();
}

Poco::Dynamic::Var time_or_null(const std::optional<UnixTime>& time) {
  if (!time.has_value()) return {};
  return to_iso8601(*time);
}

Poco::Dynamic::Var hash_or_null(const std::optional<Sha256>& hash) {
  if (!hash.has_value()) return {};
  return to_hex(*hash);
}

std::string to_base64(ByteView bytes) {
  const size_t groups = (bytes.size() + kBytesInGroup - 1) / kBytesInGroup;
  std::string text(groups * kCharactersInGroup + 1, '\0');  // OpenSSL writes a zero after it
  EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

void wrong(const std::string& what, const std::string& key) {
  throw Poco::DataFormatException(what, key);
}

std::string text_of(const Object& object, const std::string& key) {
  const Poco::Dynamic::Var value = object.get(key);
  if (!value.isString()) wrong("a text is expected", key);
  return value.extract<std::string>();
}

std::string text_of(const Object& object, const std::string& key, size_t max_bytes) {
  std::string text = text_of(object, key);
  if (text.size() > max_bytes) wrong("a shorter text is expected", key);
  return text;
}

bool flag_of(const Object& object, const std::string& key) {
  const Poco::Dynamic::Var value = object.get(key);
  if (!value.isBoolean()) wrong("true or false is expected", key);
  return value.extract<bool>();
}

UnixTime time_of(const Object& object, const std::string& key) {
  return to_time(object.getValue<std::string>(key));
}

std::optional<UnixTime> optional_time_of(const Object& object, const std::string& key) {
  if (object.isNull(key)) return std::nullopt;
  return time_of(object, key);
}

Sha256 hash_of(const Object& object, const std::string& key) {
  const auto bytes = from_hex(text_of(object, key));
  Sha256 hash{};
  if (!bytes.has_value() || bytes->size() != hash.size())
    wrong("a SHA-256 in hex is expected", key);
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

std::optional<Sha256> optional_hash_of(const Object& object, const std::string& key) {
  if (object.isNull(key)) return std::nullopt;
  return hash_of(object, key);
}

Bytes base64_of(const Object& object, const std::string& key) {
  const std::string text = text_of(object, key);
  Bytes bytes(text.size() / kCharactersInGroup * kBytesInGroup);
  const int size = EVP_DecodeBlock(bytes.data(),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  const auto padding = static_cast<size_t>(
      std::count(text.end() - std::min<ptrdiff_t>(2, std::ssize(text)), text.end(), '='));
  if (size >= 0 && static_cast<size_t>(size) >= padding)
    bytes.resize(static_cast<size_t>(size) - padding);
  // OpenSSL forgives white space and bits that nothing encodes.
  if (size < 0 || to_base64(bytes) != text) wrong("base64 is expected", key);
  return bytes;
}

Object::Ptr object_of(const Object& object, const std::string& key) {
  Object::Ptr member = object.getObject(key);
  if (member.isNull()) wrong("an object is expected", key);
  return member;
}

void expect_members(const Object& object, std::initializer_list<std::string_view> names) {
  for (const std::string& name : object.getNames())
    if (std::find(names.begin(), names.end(), name) == names.end())
      wrong("this member is not expected", name);
  for (const std::string_view name : names)
    if (!object.has(std::string(name))) wrong("this member is missing", std::string(name));
}

std::vector<std::string> texts_of(const Object& object, const std::string& key) {
  const Array::Ptr list = object.getArray(key);
  if (list.isNull()) wrong("a list is expected", key);
  std::vector<std::string> texts;
  for (const Poco::Dynamic::Var& each : *list) {
    if (!each.isString()) wrong("a list of texts is expected", key);
    texts.push_back(each.extract<std::string>());
  }
  return texts;
}

}  // namespace linesign::json
