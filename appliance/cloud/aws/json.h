// JSON as AWS speaks it: reading that expects little, and writing of flat objects.
//
// Limits   nesting of 128; the length is that of the answer or line that it came in
// Errors   AwsAnswerUnreadable: not an object, nested too deeply, or a required member is missing
//          or of another type
// Threads  plain values, not to be shared
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_JSON_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_JSON_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/JSON/Object.h>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign::aws {

class JsonObject final {
 public:
  JsonObject() : object_(new_object()) {}
  explicit JsonObject(Poco::JSON::Object::Ptr object) : object_(std::move(object)) {}

  static Result<JsonObject> parse(const std::string& text);

  bool has(const std::string& name) const;  // and it is not null
  // Absent: missing, null, or of another type.
  std::optional<std::string> text(const std::string& name) const;
  std::optional<int64_t> integer(const std::string& name) const;
  std::optional<bool> flag(const std::string& name) const;
  // Seconds since 1970, with a fraction that is cut off.
  std::optional<UnixTime> time(const std::string& name) const;
  std::optional<JsonObject> object(const std::string& name) const;
  std::vector<std::string> names() const;  // of all members, in byte order
  // What is not of the type is left out.
  std::vector<std::string> texts(const std::string& name) const;
  std::vector<JsonObject> objects(const std::string& name) const;
  std::map<std::string, std::string> text_map(const std::string& name) const;

  // The same members and values, in whatever order. REQUIRES: both were parsed.
  bool equals(const JsonObject& other) const;

  Result<std::string> required_text(const std::string& name) const;
  Result<JsonObject> required_object(const std::string& name) const;

  // Writing. An empty text is left out.
  JsonObject& set(const std::string& name, const std::string& text);
  JsonObject& set(const std::string& name, bool flag);
  JsonObject& set(const std::string& name, int64_t number);
  JsonObject& set(const std::string& name, const JsonObject& object);
  JsonObject& set(const std::string& name, const std::map<std::string, std::string>& texts);
  // [{"Key": …, "Value": …}]
  JsonObject& set_tags(const std::string& name, const std::map<std::string, std::string>& tags);
  std::string to_string() const;

 private:
  static Poco::JSON::Object::Ptr new_object();
  Poco::JSON::Object::Ptr object_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_JSON_H_
