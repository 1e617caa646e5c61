#include "appliance/cloud/aws/roles_anywhere.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/process_credentials.h"
#include "appliance/cloud/aws/times.h"
#include "hsm/x509/der_reader.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"

namespace linesign::aws {
namespace {

struct OpensslFree {
  void operator()(char* text) const { OPENSSL_free(text); }
};

// Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version, serialNumber INTEGER, … } … }
Result<ByteView> serial_number(ByteView certificate_der) {
  DerReader reader(certificate_der);
  LS_TRY(DerReader certificate, reader.enter(der::kSequence, "the certificate"));
  LS_TRY(DerReader tbs, certificate.enter(der::kSequence, "what is signed"));
  if (tbs.next_is(der::context_constructed(0))) LS_CHECK(tbs.any());
  return tbs.positive_integer("the serial number");
}

Result<std::string> decimal_serial(ByteView certificate_der) {
  const auto serial = serial_number(certificate_der);
  if (!serial.has_value())
    return fail(ErrorCode::AwsCredentialsFailed, "the certificate: " + serial.error().detail());
  const BigNumber number(BN_bin2bn(serial->data(), static_cast<int>(serial->size()), nullptr));
  const std::unique_ptr<char, OpensslFree> text(number ? BN_bn2dec(number.get()) : nullptr);
  if (!text) return fail(openssl_error("a serial number"));
  return std::string(text.get());
}

std::string_view algorithm_of(X509Signer::KeyKind kind) {
  return kind == X509Signer::KeyKind::Rsa ? "AWS4-X509-RSA-SHA256" : "AWS4-X509-ECDSA-SHA256";
}

}  // namespace

Result<std::string> region_of_arn(std::string_view arn) {
  size_t from = 0;
  for (int colon = 0; colon < 3 && from != std::string_view::npos; ++colon)
    from = arn.find(':', from) == std::string_view::npos ? std::string_view::npos
                                                         : arn.find(':', from) + 1;
  const size_t end = from == std::string_view::npos ? from : arn.find(':', from);
  if (!arn.starts_with("arn:") || end == std::string_view::npos || end == from)
    return fail(ErrorCode::AwsSettings, fmt::format("\"{}\" is not an ARN with a region", arn));
  return std::string(arn.substr(from, end - from));
}

Result<std::string> X509Authenticator::authorize(HttpRequest& request,
                                                 const SigningScope& scope,
                                                 const SignedParts& parts) {
  LS_TRY(const std::string serial, decimal_serial(signer_->certificate_der()));
  request.headers.push_back({"X-Amz-Date", to_amz_date(scope.time)});
  request.headers.push_back({"X-Amz-X509", to_base64(signer_->certificate_der())});
  std::string chain;
  for (const Bytes& certificate : signer_->chain_der())
    chain += (chain.empty() ? "" : ",") + to_base64(certificate);
  if (!chain.empty()) request.headers.push_back({"X-Amz-X509-Chain", chain});

  const std::string_view algorithm = algorithm_of(signer_->key_kind());
  const CanonicalRequest canonical =
      canonical_request(request, parts.path_rule, parts.payload_hash);
  const std::string text = string_to_sign(algorithm, scope, canonical.text);
  const auto signed_bytes = signer_->sign(sha256(as_bytes(text)));
  if (!signed_bytes.has_value())
    return fail(ErrorCode::AwsCredentialsFailed, signed_bytes.error().to_string());
  request.headers.push_back({"Authorization",
                             fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                         algorithm,
                                         serial,
                                         credential_scope(scope),
                                         canonical.signed_headers,
                                         to_hex(*signed_bytes))});
  return std::string();
}

Result<Credentials> RolesAnywhereCredentials::fetch() {
  JsonObject body;
  body.set("durationSeconds", static_cast<int64_t>(roles_.duration.count()));
  body.set("roleSessionName", roles_.session_name);
  Call call;
  call.operation = "CreateSession";
  call.endpoint = endpoint_;
  call.method = "POST";
  call.path = "/sessions";
  call.query = {{"profileArn", roles_.profile_arn},
                {"roleArn", roles_.role_arn},
                {"trustAnchorArn", roles_.trust_anchor_arn}};
  call.headers = {{"Content-Type", "application/json"}};
  call.body = body.to_string();
  LS_TRY(HttpResponse response, client_.call(call));
  const auto answer = JsonObject::parse(response.body);
  static_cast<void>(take_secret(response.body));  // wipes it
  if (!answer.has_value()) return fail(answer.error().with_context("CreateSession"));
  const std::vector<JsonObject> sets = answer->objects("credentialSet");
  if (sets.empty())
    return fail(ErrorCode::AwsAnswerUnreadable, "CreateSession: credentialSet is empty");
  LS_TRY(const JsonObject credentials, sets.front().required_object("credentials"));
  return read_credentials(credentials, kRolesAnywhereMembers);
}

}  // namespace linesign::aws
