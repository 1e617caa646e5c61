#include "appliance/cloud/uploader/x509_signers.h"

#include <utility>

#include "appliance/cloud/aws/child_process.h"
#include "hsm/x509/credential_file.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr std::chrono::seconds kSignLimit(30);  // a token may have to be loaded

tl::unexpected<Error> unusable(const Error& error) {
  const std::string why = error.detail().empty() ? error.to_string() : error.detail();
  return fail(ErrorCode::AwsCredentialsFailed, "Roles Anywhere: " + why);
}

// What both have: whose key it is.
class CertificateHolder : public aws::X509Signer {
 public:
  explicit CertificateHolder(CertificateFile owner) : owner_(std::move(owner)) {}

  KeyKind key_kind() const override {
    const bool is_rsa_key = EVP_PKEY_get_base_id(owner_.public_key.get()) == EVP_PKEY_RSA;
    return is_rsa_key ? KeyKind::Rsa : KeyKind::Ecdsa;
  }
  const Bytes& certificate_der() const override { return owner_.certificate_der; }
  const std::vector<Bytes>& chain_der() const override { return owner_.chain_der; }

 protected:
  EVP_PKEY* public_key() const { return owner_.public_key.get(); }

 private:
  const CertificateFile owner_;
};

class KeyFileSigner final : public CertificateHolder {
 public:
  KeyFileSigner(CertificateFile owner, EvpKey key)
      : CertificateHolder(std::move(owner)), key_(std::move(key)) {}

  Result<Bytes> sign(const Sha256& digest) override {
    auto signature = sign_sha256(key_.get(), public_key(), digest);
    if (!signature.has_value()) return unusable(signature.error());
    return signature;
  }

 private:
  const EvpKey key_;
};

class ProgramSigner final : public CertificateHolder {
 public:
  ProgramSigner(CertificateFile owner,
                std::vector<std::string> command,
                aws::Environment environment)
      : CertificateHolder(std::move(owner)),
        command_(std::move(command)),
        environment_(std::move(environment)) {}

  Result<Bytes> sign(const Sha256& digest) override {
    std::vector<std::string> command = command_;
    command.push_back(to_hex(digest));
    LS_TRY(const SecretBytes printed, aws::run_program(command, environment_, kSignLimit));
    std::string_view hex = as_text(printed.reveal());
    while (hex.ends_with('\n')) hex.remove_suffix(1);
    auto signature = from_hex(hex);
    if (!signature || signature->empty())
      return fail(ErrorCode::AwsCredentialsFailed, command_.front() + " prints no signature");
    return std::move(*signature);
  }

 private:
  const std::vector<std::string> command_;
  const aws::Environment environment_;
};

}  // namespace

Result<std::shared_ptr<aws::X509Signer>> open_key_file(const std::filesystem::path& certificate,
                                                       const std::filesystem::path& key) {
  auto owner = load_certificate_file(certificate);
  if (!owner.has_value()) return unusable(owner.error());
  auto loaded = load_private_key(key);
  if (!loaded.has_value()) return unusable(loaded.error());
  if (const auto pair = check_pair(loaded->get(), owner->public_key.get()); !pair.has_value())
    return unusable(pair.error().with_context(key.string()));
  return std::make_shared<KeyFileSigner>(std::move(*owner), std::move(*loaded));
}

Result<std::shared_ptr<aws::X509Signer>> open_signing_program(
    const std::filesystem::path& certificate,
    std::vector<std::string> command,
    aws::Environment environment) {
  auto owner = load_certificate_file(certificate);
  if (!owner.has_value()) return unusable(owner.error());
  return std::make_shared<ProgramSigner>(
      std::move(*owner), std::move(command), std::move(environment));
}

}  // namespace linesign
