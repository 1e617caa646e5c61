// IAM Roles Anywhere: temporary credentials for the holder of a certificate, so that a plant needs
// no secret of AWS. The key may be in an HSM: it is used through X509Signer only.
//
// Shape    POST /sessions, signed as in Signature Version 4 up to the last step, where the key of
//          the certificate signs instead of an HMAC
// Errors   AwsCredentialsFailed: the certificate cannot be read, the key does not sign; of Client
// Threads  as CredentialProvider; a signer is called by one thread at a time for each provider
// Source   IAM Roles Anywhere User Guide, "Authentication signing process"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_ROLES_ANYWHERE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_ROLES_ANYWHERE_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "appliance/cloud/aws/client.h"
#include "protocol/base/ids.h"

namespace linesign::aws {

class X509Signer {
 public:
  enum class KeyKind : uint8_t { Ecdsa, Rsa };

  X509Signer() = default;
  X509Signer(const X509Signer&) = delete;
  X509Signer& operator=(const X509Signer&) = delete;
  virtual ~X509Signer() = default;

  virtual KeyKind key_kind() const = 0;
  virtual const Bytes& certificate_der() const = 0;
  // What leads to the trust anchor, without it; the issuer of the certificate first.
  virtual const std::vector<Bytes>& chain_der() const = 0;
  // ECDSA: SEQUENCE { r, s } in DER. RSA: PKCS#1 v1.5 with SHA-256.
  virtual Result<Bytes> sign(const Sha256& digest) = 0;
};

struct RolesAnywhere {
  std::string trust_anchor_arn{};  // names the region of the call
  std::string profile_arn{};
  std::string role_arn{};
  std::string session_name{};           // empty: none; the profile must accept one
  std::chrono::seconds duration{3600};  // 900 to 43200
};

// The region of "arn:aws:rolesanywhere:REGION:…". Error: AwsSettings.
Result<std::string> region_of_arn(std::string_view arn);

// Puts certificate and signature onto a request.
class X509Authenticator final : public Authenticator {
 public:
  explicit X509Authenticator(std::shared_ptr<X509Signer> signer) : signer_(std::move(signer)) {}
  Result<std::string> authorize(HttpRequest& request,
                                const SigningScope& scope,
                                const SignedParts& parts) override;
  Result<bool> renew(std::string_view /*access_key_id*/) override { return false; }

 private:
  std::shared_ptr<X509Signer> signer_;
};

class RolesAnywhereCredentials final : public CredentialProvider {
 public:
  // `parts` use an X509Authenticator.
  RolesAnywhereCredentials(RolesAnywhere roles, ClientParts parts, Endpoint endpoint)
      : roles_(std::move(roles)), client_(std::move(parts)), endpoint_(std::move(endpoint)) {}
  std::string source() const override { return "Roles Anywhere " + roles_.role_arn; }
  Result<Credentials> fetch() override;

 private:
  const RolesAnywhere roles_;
  Client client_;
  const Endpoint endpoint_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_ROLES_ANYWHERE_H_
