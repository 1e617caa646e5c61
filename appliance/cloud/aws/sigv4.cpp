#include "appliance/cloud/aws/sigv4.h"

#include <fmt/format.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/times.h"

namespace linesign::aws {
namespace {

Sha256 signing_key(const SecretBytes& secret, const SigningScope& scope) {
  Bytes start = to_bytes(std::string_view("AWS4"));
  start.insert(start.end(), secret.reveal().begin(), secret.reveal().end());
  Sha256 key = hmac_sha256(start, to_amz_date(scope.time).substr(0, 8));
  wipe(start);
  for (const std::string_view part : {std::string_view(scope.region),
                                      std::string_view(scope.service),
                                      std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  return key;
}

}  // namespace

std::string credential_scope(const SigningScope& scope) {
  return fmt::format(
      "{}/{}/{}/aws4_request", to_amz_date(scope.time).substr(0, 8), scope.region, scope.service);
}

std::string string_to_sign(std::string_view algorithm,
                           const SigningScope& scope,
                           std::string_view canonical_request) {
  return fmt::format("{}\n{}\n{}\n{}",
                     algorithm,
                     to_amz_date(scope.time),
                     credential_scope(scope),
                     to_hex(sha256(as_bytes(canonical_request))));
}

std::string signature(const SecretBytes& secret_access_key,
                      const SigningScope& scope,
                      std::string_view string_to_sign) {
  Sha256 key = signing_key(secret_access_key, scope);
  const Sha256 mac = hmac_sha256(key, string_to_sign);
  wipe(key);
  return to_hex(mac);
}

void sign_headers(HttpRequest& request,
                  const Credentials& credentials,
                  const SigningScope& scope,
                  const SignedParts& parts) {
  request.headers.push_back({"X-Amz-Date", to_amz_date(scope.time)});
  if (parts.has_hash_header)
    request.headers.push_back({"X-Amz-Content-Sha256", parts.payload_hash});
  if (!credentials.session_token.empty())
    request.headers.push_back({"X-Amz-Security-Token", reveal_text(credentials.session_token)});
  const CanonicalRequest canonical =
      canonical_request(request, parts.path_rule, parts.payload_hash);
  const std::string text = string_to_sign(kSigV4Algorithm, scope, canonical.text);
  request.headers.push_back({"Authorization",
                             fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                         kSigV4Algorithm,
                                         credentials.access_key_id,
                                         credential_scope(scope),
                                         canonical.signed_headers,
                                         signature(credentials.secret_access_key, scope, text))});
}

void presign(HttpRequest& request,
             const Credentials& credentials,
             const SigningScope& scope,
             const SignedParts& parts,
             std::chrono::seconds valid_for) {
  std::vector<QueryParameter> added = {
      {"X-Amz-Algorithm", std::string(kSigV4Algorithm)},
      {"X-Amz-Credential",
       fmt::format("{}/{}", credentials.access_key_id, credential_scope(scope))},
      {"X-Amz-Date", to_amz_date(scope.time)},
      {"X-Amz-Expires", std::to_string(valid_for.count())},
      {"X-Amz-SignedHeaders", canonical_headers(request).names}};
  if (!credentials.session_token.empty())
    added.push_back({"X-Amz-Security-Token", reveal_text(credentials.session_token)});
  if (!request.url.query.empty()) request.url.query += '&';
  request.url.query += encode_query(added);
  const CanonicalRequest canonical =
      canonical_request(request, parts.path_rule, parts.payload_hash);
  const std::string text = string_to_sign(kSigV4Algorithm, scope, canonical.text);
  request.url.query += "&X-Amz-Signature=" + signature(credentials.secret_access_key, scope, text);
}

}  // namespace linesign::aws
