// SoftHsm: a fresh SoftHSM2 with its own configuration in a temporary folder, removed afterwards.
//
// It points SOFTHSM2_CONF of this process to itself: one at a time per process.
//
// Errors   none: what fails here aborts the test program and says where
#ifndef LINESIGN_TESTS_SUPPORT_SOFTHSM_H_
#define LINESIGN_TESTS_SUPPORT_SOFTHSM_H_

#include <filesystem>
#include <string>
#include <string_view>

#include <openssl/evp.h>

#include "tests/support/temp_dir.h"

namespace linesign::test {

inline constexpr std::string_view kUserPin = "271828";

class SoftHsm final {
 public:
  SoftHsm();
  SoftHsm(const SoftHsm&) = delete;
  SoftHsm& operator=(const SoftHsm&) = delete;
  ~SoftHsm();

  static std::filesystem::path module();
  const std::filesystem::path& folder() const { return directory_.path(); }
  std::filesystem::path tokens() const { return folder() / "tokens"; }
  std::filesystem::path pin_file() const { return folder() / "pin"; }

  // The serial number of the new token, whose user PIN is kUserPin.
  std::string add_token(const std::string& label);

  // A key that was made outside: what no CA key may be.
  void import_key(const std::string& token,
                  const std::string& label,
                  const std::string& id_hex,
                  EVP_PKEY* key);

  void write_pin(std::string_view pin) const;

  // As after a ceremony: nobody without root's privileges can write to the tokens.
  void make_read_only() const;

  // SHA-256 over all files of all tokens: equal means that nothing was touched.
  std::string fingerprint() const;

 private:
  TempDir directory_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_SOFTHSM_H_
