// CeremonyFixture: a SoftHSM2 token and a ceremony file for it, for contract tests.
#ifndef LINESIGN_TESTS_CONTRACT_CEREMONY_FIXTURE_H_
#define LINESIGN_TESTS_CONTRACT_CEREMONY_FIXTURE_H_

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "hsm/ceremony/ceremony.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "tests/support/softhsm.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

inline constexpr const char* kTokenLabel = "line";
inline constexpr const char* kKeyLabel = "device-ca";

class CeremonyFixture : public testing::Test {
 protected:
  CeremonyFixture() : serial_(hsm_.add_token(kTokenLabel)) {}

  const std::filesystem::path& folder() const { return hsm_.folder(); }

  CeremonyPlan plan(KeyType type = KeyType::EcP256, const std::string& kind = "root") const {
    const auto file = folder() / "ceremony.toml";
    std::ofstream(file) << "[token]\nmodule = \"" << SoftHsm::module().string()
                        << "\"\nlabel = \"line\"\npin_file = \"pin\"\n[key]\ntype = \""
                        << to_string(type) << "\"\nlabel = \"device-ca\"\n[ca]\nkind = \"" << kind
                        << "\"\nsubject = [\"O=Example\", \"CN=Example Device CA\"]\n"
                        << "validity = \"20y\"\n[output]\nwho = [\"A\", \"B\"]\n";
    auto loaded = load_ceremony(file);
    if (!loaded) {
      ADD_FAILURE() << loaded.error().to_string();
      std::abort();
    }
    return std::move(*loaded);
  }

  SecretBytes pin() const {
    auto read = read_pin_file(hsm_.pin_file());
    if (!read) std::abort();
    return std::move(*read);
  }

  Result<OpenToken> open_token(Access access = Access::ReadWrite) const {
    return OpenToken::open(SoftHsm::module(), {kTokenLabel, {}}, pin(), access, 2);
  }

  Result<SigningToken> open_signing_token(KeyType type = KeyType::EcP256, int threads = 1) const {
    return SigningToken::open(
        SoftHsm::module(), {kTokenLabel, serial_}, {kKeyLabel, {}}, type, pin(), threads);
  }

  SoftHsm hsm_;
  std::string serial_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_CONTRACT_CEREMONY_FIXTURE_H_
