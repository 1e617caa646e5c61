#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "hsm/pkcs11/ca_key.h"

namespace linesign {
namespace {

using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

tl::unexpected<Error> no_key(std::string detail) {
  ERR_clear_error();
  return fail(ErrorCode::CryptoFailed, "public key of the token: " + std::move(detail));
}

// CKA_EC_POINT is a DER OCTET STRING around the point; some tokens give the bare point.
Bytes bare_point(const Bytes& value) {
  const size_t size = value.size();
  if (size > 2 && value[0] == 0x04 && value[1] < 0x80 && size == 2U + value[1])
    return Bytes(value.begin() + 2, value.end());
  if (size > 3 && value[0] == 0x04 && value[1] == 0x81 && size == 3U + value[2])
    return Bytes(value.begin() + 3, value.end());
  return value;
}

Result<EvpKey> from_parameters(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const EvpKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* raw = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return no_key("not a valid key");
  return EvpKey(raw);
}

Result<EvpKey> ec_key(TokenSession& session, const CaKey& key, KeyType type) {
  LS_TRY(const std::optional<Bytes> value, session.attribute(key.public_key, CKA_EC_POINT));
  if (!value) return no_key("no CKA_EC_POINT");
  const Bytes point = bare_point(*value);
  const char* group = type == KeyType::EcP256 ? "P-256" : "P-384";
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(
          builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return no_key("parameters");
  return from_parameters("EC", builder.get());
}

Result<EvpKey> rsa_key(TokenSession& session, const CaKey& key) {
  LS_TRY(const std::optional<Bytes> modulus, session.attribute(key.public_key, CKA_MODULUS));
  LS_TRY(const std::optional<Bytes> exponent,
         session.attribute(key.public_key, CKA_PUBLIC_EXPONENT));
  if (!modulus || !exponent) return no_key("no CKA_MODULUS or CKA_PUBLIC_EXPONENT");
  const BigNumber n(BN_bin2bn(modulus->data(), static_cast<int>(modulus->size()), nullptr));
  const BigNumber e(BN_bin2bn(exponent->data(), static_cast<int>(exponent->size()), nullptr));
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return no_key("parameters");
  return from_parameters("RSA", builder.get());
}

}  // namespace

Result<EvpKey> read_public_key(TokenSession& session, const CaKey& key) {
  if (!key.type) return no_key("the kind of key is none that linesign knows");
  return is_rsa(*key.type) ? rsa_key(session, key) : ec_key(session, key, *key.type);
}

}  // namespace linesign
