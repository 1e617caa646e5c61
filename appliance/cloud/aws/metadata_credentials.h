// Credentials from where the program runs: the metadata service of EC2 (version 2 of it only), and
// the endpoint that a container is given.
//
// Limits   64 KiB; the time-outs of MetadataSettings; around every proxy
// Errors   AwsCredentialsMissing: the metadata service is switched off, not there, or knows no
//          role. AwsCredentialsFailed: it answers and gives none
// Threads  see CredentialProvider
// Source   AWS SDKs and Tools Reference Guide, "IMDS credential provider", "Container credential
//          provider"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_METADATA_CREDENTIALS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_METADATA_CREDENTIALS_H_

#include "appliance/cloud/aws/credentials.h"
#include "appliance/cloud/aws/http_transport.h"
#include "appliance/cloud/aws/settings.h"

namespace linesign::aws {

// Both borrow what they are given.
class InstanceCredentials final : public CredentialProvider {
 public:
  InstanceCredentials(HttpTransport& transport, const MetadataSettings& settings)
      : transport_(transport), settings_(settings) {}
  std::string source() const override { return "the instance metadata service"; }
  Result<Credentials> fetch() override;

 private:
  Result<std::string> ask(const std::string& method, const std::string& path, HttpHeader header);
  HttpTransport& transport_;
  const MetadataSettings& settings_;
};

class ContainerCredentials final : public CredentialProvider {
 public:
  ContainerCredentials(HttpTransport& transport, const Environment& environment)
      : transport_(transport), environment_(environment) {}
  // Does the environment name an endpoint?
  static bool is_set_up(const Environment& environment);
  std::string source() const override { return "the container's endpoint"; }
  Result<Credentials> fetch() override;

 private:
  Result<Url> endpoint() const;
  Result<std::string> authorization() const;
  HttpTransport& transport_;
  const Environment& environment_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_METADATA_CREDENTIALS_H_
