// A session of the product with the test double of AWS. Beside AwsDouble, which knows only the
// client: this one needs linesign::registration.
//
// Errors   none: what fails here aborts the test program and says where
#ifndef LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_
#define LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_

#include <memory>

#include "appliance/cloud/registration/target_connection.h"
#include "tests/support/aws_double.h"

namespace linesign::test {

// To the double's first account, which is also the one that its credentials must belong to.
std::unique_ptr<TargetConnection> connect(const AwsDouble& aws, const aws::SessionTools& tools);

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_AWS_CONNECTION_H_
