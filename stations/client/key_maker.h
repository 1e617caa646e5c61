// KeyMaker: makes key pairs and the CSRs that go with them: for the station itself, and for the
// devices of `linesign-station request --generate`.
//
// Shape    the private key as PEM of PKCS#8 ("PRIVATE KEY"), not encrypted; the CSR as DER with
//          the subject CN=<name> and no attributes
// Errors   CryptoFailed with OpenSSL's reason
// Threads  one maker belongs to one thread
// Source   RFC 2986; RFC 5915 and RFC 5958 for EC private keys
#ifndef LINESIGN_STATIONS_CLIENT_KEY_MAKER_H_
#define LINESIGN_STATIONS_CLIENT_KEY_MAKER_H_

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace linesign::client {

enum class KeyKind : uint8_t { EcP256, EcP384, Rsa2048, Rsa3072, Rsa4096 };

// As written on the command line, in the order of the enum.
constexpr std::array<std::string_view, 5> kKeyKindNames = {
    "P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"};

std::optional<KeyKind> parse_key_kind(std::string_view name);

struct MadeKey {
  SecretBytes private_key_pem;
  Bytes csr_der;
};

class KeyMaker final {
 public:
  static Result<KeyMaker> open(KeyKind kind);
  KeyMaker(KeyMaker&&) noexcept;
  KeyMaker& operator=(KeyMaker&&) noexcept;
  ~KeyMaker();

  // A new key pair and its CSR. REQUIRES: the name is 1 to 64 bytes of UTF-8.
  Result<MadeKey> make(std::string_view common_name);

 private:
  struct State;
  explicit KeyMaker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A CSR for a key that exists. InputInvalid when the PEM holds no usable private key.
Result<Bytes> make_csr(ByteView private_key_pem, std::string_view common_name);

// SubjectPublicKeyInfo of a private key in PEM. InputInvalid as above.
Result<Bytes> public_key_of(ByteView private_key_pem);

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_KEY_MAKER_H_
