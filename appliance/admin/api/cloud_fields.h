// CloudFields: members that requests and replies of the cloud share.
#ifndef LINESIGN_APPLIANCE_ADMIN_API_CLOUD_FIELDS_H_
#define LINESIGN_APPLIANCE_ADMIN_API_CLOUD_FIELDS_H_

#include "appliance/admin/api/cloud_json.h"
#include "appliance/admin/api/json_fields.h"

namespace linesign::json {

Object::Ptr target_object(const CloudTarget& target);
CloudTarget read_target(const Object& object);
RegistrationState registration_state_of(const Object& object, const std::string& key);
BulkTaskState task_state_of(const Object& object, const std::string& key);

// A number, or null where it is absent.
template <typename T>
Poco::Dynamic::Var number_or_null(const std::optional<T>& number) {
  if (!number.has_value()) return {};
  return *number;
}
template <typename T>
std::optional<T> optional_number_of(const Object& object, const std::string& key) {
  if (object.isNull(key)) return std::nullopt;
  return number_of<T>(object, key);
}

}  // namespace linesign::json

#endif  // LINESIGN_APPLIANCE_ADMIN_API_CLOUD_FIELDS_H_
