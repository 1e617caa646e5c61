// Endpoint: where a service of a region answers, and how it wants to be signed.
//
// Errors   AwsSettings: no region, an endpoint URL that is none, plain HTTP to another machine
// Threads  plain values
// Source   AWS General Reference, "Service endpoints"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ENDPOINTS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ENDPOINTS_H_

#include <string>
#include <string_view>

#include "appliance/cloud/aws/canonical_request.h"
#include "appliance/cloud/aws/partitions.h"
#include "appliance/cloud/aws/settings.h"
#include "appliance/cloud/aws/uri.h"

namespace linesign::aws {

struct Endpoint {
  Service service = Service::Iot;
  Url url;  // the path is what comes before every path, without a last '/'
  std::string signing_region;
  bool is_custom = false;  // from an endpoint URL: S3 then takes the bucket in the path

  std::string_view signing_name() const { return name_of(service); }
  PathRule path_rule() const {
    return service == Service::S3 ? PathRule::AsSent : PathRule::Normalize;
  }
};

// Region given, as targets have their own.
Result<Endpoint> find_endpoint(Service service,
                               const std::string& region,
                               const Settings& settings);

// The endpoint of an S3 bucket: in the host where TLS and the endpoint allow it, else in the path.
Endpoint with_bucket(Endpoint endpoint, std::string_view bucket);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ENDPOINTS_H_
