// Signature Version 4: how AWS knows who sends a request.
//
// The header form is for calls; the query form makes a URL that anybody may use for a while.
//
// Threads  no state, safe anywhere
// Source   AWS General Reference, "Signature Version 4 signing process"; vectors in
//          tests/data/aws-sig-v4-test-suite
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_SIGV4_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_SIGV4_H_

#include <chrono>
#include <string>
#include <string_view>

#include "appliance/cloud/aws/canonical_request.h"
#include "appliance/cloud/aws/credentials.h"

namespace linesign::aws {

constexpr std::string_view kSigV4Algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";  // S3 only
constexpr std::chrono::seconds kLongestPresignedTime{604'800};

struct SigningScope {
  std::string region;
  std::string service;  // signing name: "iot", "s3"
  UnixTime time{};      // as AWS's clock has it
};

// What of the request is signed besides its headers.
struct SignedParts {
  PathRule path_rule = PathRule::Normalize;
  std::string payload_hash;      // hex
  bool has_hash_header = false;  // S3 wants the hash in a header too
};

// "20150830/us-east-1/service/aws4_request"
std::string credential_scope(const SigningScope& scope);

std::string string_to_sign(std::string_view algorithm,
                           const SigningScope& scope,
                           std::string_view canonical_request);

// Hex.
std::string signature(const SecretBytes& secret_access_key,
                      const SigningScope& scope,
                      std::string_view string_to_sign);

// Adds X-Amz-Date, X-Amz-Content-Sha256 and X-Amz-Security-Token where they belong, and
// Authorization.
void sign_headers(HttpRequest& request,
                  const Credentials& credentials,
                  const SigningScope& scope,
                  const SignedParts& parts);

// Adds the X-Amz-… parameters to the query. REQUIRES: 1 s <= valid_for <= kLongestPresignedTime.
void presign(HttpRequest& request,
             const Credentials& credentials,
             const SigningScope& scope,
             const SignedParts& parts,
             std::chrono::seconds valid_for);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_SIGV4_H_
