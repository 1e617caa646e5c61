#include "tests/support/aws_connection.h"

#include <cstdio>
#include <cstdlib>

namespace linesign::test {

std::unique_ptr<TargetConnection> connect(const AwsDouble& aws,
                                          const aws::SessionTools& tools,
                                          const std::string& account) {
  const aws::Environment environment(aws.variables());
  aws::SessionOptions options;
  options.account = AwsDouble::kAccount;
  options.credentials.account = account;
  // The double is not throttled unless a test says so, and tests are in a hurry.
  for (const char* operation : {"RegisterCertificate",
                                "RegisterCertificateWithoutCA",
                                "CreateThing",
                                "AttachThingPrincipal",
                                "AttachPolicy",
                                "AddThingToThingGroup",
                                "DescribeCertificate",
                                "DescribeCACertificate",
                                "RegisterCACertificate",
                                "UpdateCACertificate",
                                "CertificatesPerSecond",
                                "ListThingRegistrationTasks",
                                "DescribeThingRegistrationTask",
                                "StartThingRegistrationTask",
                                "ListThingRegistrationTaskReports",
                                "ListCertificatesByCA"})
    options.quotas[operation] = 10'000;
  auto connection = TargetConnection::open(environment, std::move(options), tools);
  if (!connection.has_value()) {
    std::fprintf(stderr, "the double of AWS: %s\n", connection.error().to_string().c_str());
    std::abort();
  }
  return std::move(*connection);
}

}  // namespace linesign::test
