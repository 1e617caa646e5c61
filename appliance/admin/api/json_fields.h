// JsonFields: reading and writing the members of JSON objects, for the codecs of this folder.
//
// Errors   the readers throw Poco::DataFormatException, as Poco's own do, for what is missing or of
//          another type: parse_as() is the one place where such exceptions end, as InputInvalid
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_ADMIN_API_JSON_FIELDS_H_
#define LINESIGN_APPLIANCE_ADMIN_API_JSON_FIELDS_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign::json {

using Poco::JSON::Array;
using Poco::JSON::Object;

// --- writing

Object::Ptr make_object();  // keeps the order of its members
std::string stringify(const Object& object);
Poco::Dynamic::Var time_or_null(const std::optional<UnixTime>& time);
Poco::Dynamic::Var hash_or_null(const std::optional<Sha256>& hash);  // lower-case hex
std::string to_base64(ByteView bytes);                               // RFC 4648 section 4

// A list of what `convert` makes of each item.
template <typename Items, typename Convert>
Array::Ptr list_of(const Items& items, Convert convert) {
  Array::Ptr list = Poco::makeShared<Array>();
  for (const auto& item : items) list->add(convert(item));
  return list;
}

// --- reading

[[noreturn]] void wrong(const std::string& what, const std::string& key);

template <typename T>
T number_of(const Object& object, const std::string& key) {
  const Poco::Dynamic::Var value = object.get(key);
  if (!value.isInteger()) wrong("a number is expected", key);
  return value.convert<T>();
}

std::string text_of(const Object& object, const std::string& key);
std::string text_of(const Object& object, const std::string& key, size_t max_bytes);
bool flag_of(const Object& object, const std::string& key);
// As to_iso8601 writes it, and not otherwise.
UnixTime time_of(const Object& object, const std::string& key);
std::optional<UnixTime> optional_time_of(const Object& object, const std::string& key);
Sha256 hash_of(const Object& object, const std::string& key);
std::optional<Sha256> optional_hash_of(const Object& object, const std::string& key);
Bytes base64_of(const Object& object, const std::string& key);
Object::Ptr object_of(const Object& object, const std::string& key);
std::vector<std::string> texts_of(const Object& object, const std::string& key);

// Calls `read` with each object of a list.
template <typename Read>
void for_each_object(const Object& object, const std::string& key, Read read) {
  const Array::Ptr list = object.getArray(key);
  if (list.isNull()) wrong("a list is expected", key);
  for (unsigned i = 0; i < list->size(); ++i) {
    const Object::Ptr element = list->getObject(i);
    if (element.isNull()) wrong("a list of objects is expected", key);
    read(*element);
  }
}

// The members are these and no other.
void expect_members(const Object& object, std::initializer_list<std::string_view> names);

// What `read` makes of the text's object.
template <typename T, typename Read>
Result<T> parse_as(std::string_view text, Read read) {
  try {
    Poco::JSON::Parser parser;
    const Poco::Dynamic::Var parsed = parser.parse(std::string(text));
    if (parsed.type() != typeid(Object::Ptr))
      return fail(ErrorCode::InputInvalid, "JSON: an object is expected");
    return Result<T>(read(*parsed.extract<Object::Ptr>()));
  } catch (const Poco::Exception& exception) {
    return fail(ErrorCode::InputInvalid, "JSON: " + exception.displayText());
  } catch (const std::exception& exception) {
    return fail(ErrorCode::InputInvalid, std::string("JSON: ") + exception.what());
  }
}

}  // namespace linesign::json

#endif  // LINESIGN_APPLIANCE_ADMIN_API_JSON_FIELDS_H_
