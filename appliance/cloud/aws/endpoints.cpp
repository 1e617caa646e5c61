#include "appliance/cloud/aws/endpoints.h"

#include <fmt/format.h>

namespace linesign::aws {
namespace {

std::string built_in_host(Service service, std::string_view region, const Settings& settings) {
  const Partition& partition = find_partition(region);
  const std::string name = fmt::format("{}{}", name_of(service), settings.use_fips ? "-fips" : "");
  if (!settings.use_dual_stack) return fmt::format("{}.{}.{}", name, region, partition.suffix);
  if (service == Service::S3)
    return fmt::format("{}.dualstack.{}.{}", name, region, partition.suffix);
  return fmt::format("{}.{}.{}", name, region, partition.dual_stack_suffix);
}

Result<Url> custom_url(Service service, const std::string& text) {
  auto url = parse_url(text);
  if (!url.has_value())
    return fail(url.error().with_context(fmt::format("the endpoint of {}", name_of(service))));
  if (!url->tls && !is_loopback(url->host)) {
    return fail(
        ErrorCode::AwsSettings,
        fmt::format("the endpoint of {}: http:// leads to this machine only", name_of(service)));
  }
  if (!url->query.empty())
    return fail(ErrorCode::AwsSettings,
                fmt::format("the endpoint of {} has a query", name_of(service)));
  while (url->path.ends_with('/')) url->path.pop_back();
  return url;
}

}  // namespace

Result<Endpoint> find_endpoint(Service service,
                               const std::string& region,
                               const Settings& settings) {
  if (region.empty()) return fail(ErrorCode::AwsSettings, "no region is set");
  Endpoint endpoint;
  endpoint.service = service;
  endpoint.signing_region = region;
  const auto custom = settings.endpoint_urls.find(service);
  if (custom != settings.endpoint_urls.end()) {
    LS_TRY(endpoint.url, custom_url(service, custom->second));
    endpoint.is_custom = true;
    return endpoint;
  }
  endpoint.url.path.clear();
  endpoint.url.host = built_in_host(service, region, settings);
  const bool is_global_sts = service == Service::Sts && !settings.use_regional_sts &&
                             !settings.use_fips && partition_of(region) == "aws";
  if (is_global_sts) {
    endpoint.url.host = "sts.amazonaws.com";
    endpoint.signing_region = "us-east-1";
  }
  return endpoint;
}

Endpoint with_bucket(Endpoint endpoint, std::string_view bucket) {
  // The wildcard of S3's certificate covers one label.
  const bool fits_host = !endpoint.is_custom && bucket.find('.') == std::string_view::npos;
  if (fits_host) {
    endpoint.url.host = fmt::format("{}.{}", bucket, endpoint.url.host);
  } else {
    endpoint.url.path += fmt::format("/{}", percent_encode(bucket));
  }
  return endpoint;
}

}  // namespace linesign::aws
