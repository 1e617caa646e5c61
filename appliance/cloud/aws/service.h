// Service: the AWS services that linesign talks to.
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace linesign::aws {

enum class Service : uint8_t { Iot, S3, Sts, RolesAnywhere };

inline constexpr std::array kServices = {
    Service::Iot, Service::S3, Service::Sts, Service::RolesAnywhere};

// "iot": prefix of the host, signing name, and key of a [services] section in one.
constexpr std::string_view name_of(Service service) {
  switch (service) {
    case Service::Iot:
      return "iot";
    case Service::S3:
      return "s3";
    case Service::Sts:
      return "sts";
    case Service::RolesAnywhere:
      break;
  }
  return "rolesanywhere";
}

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_H_
