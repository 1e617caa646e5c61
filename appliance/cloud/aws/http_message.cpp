#include "appliance/cloud/aws/http_message.h"

namespace linesign::aws {

std::string_view HttpResponse::header(std::string_view name) const {
  for (const HttpHeader& each : headers) {
    if (each.name == name) return each.value;
  }
  return {};
}

}  // namespace linesign::aws
