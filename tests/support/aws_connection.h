// A session of the product with the test double of AWS. Beside AwsDouble, which knows only the
// client: this one needs linesign::registration.
//
// Errors   none: what fails here aborts the test program and says where
#ifndef LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_
#define LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_

#include <memory>
#include <string>

#include "appliance/cloud/registration/target_connection.h"
#include "tests/support/aws_double.h"

namespace linesign::test {

// With the keys of the double's first account. `account`: the one that they must belong to.
std::unique_ptr<TargetConnection> connect(const AwsDouble& aws,
                                          const aws::SessionTools& tools,
                                          const std::string& account = AwsDouble::kAccount);

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_
