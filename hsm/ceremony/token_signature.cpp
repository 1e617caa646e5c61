#include "hsm/ceremony/token_signature.h"

#include <algorithm>

#include "hsm/ceremony/login_place.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/pkcs11/uri.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/credential_file.h"

namespace linesign {
namespace {

constexpr int kSpareSessions = 2;  // ours and one of libp11

std::filesystem::path pin_path(const SignerSettings& settings,
                               const TokenSignatureRequest& request,
                               const Pkcs11Uri& uri) {
  if (!request.pin_file.empty()) return request.pin_file;
  if (!uri.pin_source.empty()) return uri.pin_source;
  return settings.token.pin_file;
}

}  // namespace

Result<Bytes> sign_with_token(const SignerSettings& settings,
                              const TokenSignatureRequest& request,
                              const Sha256& digest) {
  const auto uri = parse_pkcs11_uri(request.key_uri);
  if (!uri.has_value()) return fail(ErrorCode::AwsSettings, "key: " + uri.error().detail());
  LS_TRY(const CertificateFile owner, load_certificate_file(request.certificate));
  LS_TRY(const CaCertificate ca, CaCertificate::load(settings.ca_certificate));
  if (std::ranges::equal(owner.spki, ca.spki()))
    return fail(ErrorCode::InputInvalid, "the CA key does not sign for AWS: use another key");
  const auto pin_file = pin_path(settings, request, *uri);
  LS_TRY(const SecretBytes pin, read_pin_file(pin_file));
  const auto module =
      uri->module_path.empty() ? settings.token.module : std::filesystem::path(uri->module_path);
  LS_TRY(const LoginPlace place, LoginPlace::take(settings, pin_file, request.own_memory));
  LS_TRY(
      OpenToken open,
      OpenToken::open(
          module, {uri->token, uri->serial}, pin, Access::ReadOnly, kSpareSessions, place.rule()));
  LS_TRY(const CaKey key, find_ca_key(open.session(), {uri->object, uri->id}));
  LS_TRY(const TokenKey token_key, TokenKey::open(open.libp11(), key));
  return sign_sha256(token_key.key(), owner.public_key.get(), digest);
}

}  // namespace linesign
