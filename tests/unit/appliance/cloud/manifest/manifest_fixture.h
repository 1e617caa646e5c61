// ManifestFixture: a ledger in memory, and a software key that signs manifests.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "appliance/cloud/manifest/manifest_export.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/cms_signature.h"
#include "protocol/base/file.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

inline LedgerCertificate make_certificate(uint64_t number) {
  LedgerCertificate certificate;
  certificate.issuance_id = number;
  certificate.device_id = "SN-" + std::to_string(number);
  certificate.serial.fill(0x41);
  certificate.committed_at = UnixTime(std::chrono::seconds(1'800'000'000 + number));
  certificate.certificate_der = to_bytes(std::string("certificate ") + std::to_string(number));
  certificate.issuer_der = to_bytes("the first CA");
  return certificate;
}

// Pages of a few rows, so that every range has several of them.
struct FakeLedger {
  static constexpr uint32_t kRows = 3;
  std::map<uint64_t, LedgerCertificate> rows;
  std::optional<uint64_t> open;
  uint64_t calls = 0;

  void add(uint64_t number) { rows[number] = make_certificate(number); }
  CertificateSource source() {
    return [this](const std::string& order, uint64_t after, uint32_t) -> Result<CertificatePage> {
      ++calls;
      if (order != "default") return fail(ErrorCode::OrderUnknown, order);
      CertificatePage page;
      page.next_after = after;
      page.first_open_intent = open;
      page.newest = rows.empty() ? 0 : rows.rbegin()->first;
      for (auto at = rows.upper_bound(after); at != rows.end() && page.certificates.size() < kRows;
           ++at) {
        page.certificates.push_back(at->second);
        page.next_after = at->first;
      }
      page.is_end = page.certificates.size() < kRows;
      return page;
    };
  }
};

class ManifestFixture : public testing::Test {
 protected:
  ManifestFixture() {
    CaSpec spec;
    spec.subject = {{"CN", "manifests"}};
    spec.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"keyUsage", "critical,digitalSignature"}};
    spec.key_type = KeyType::EcP384;
    signer_.emplace(spec);
    plan_.head = {"default"};
    plan_.format = ManifestFormat::Signed;
    plan_.out = folder_.path() / "manifest.json";
    plan_.parameters = {{"ThingName", "{device_id}"}};
  }

  SignFile sign() {
    return [this](const std::filesystem::path& content) {
      return sign_detached(
          content, signer_->x509(), signer_->key(), signature_digest(KeyType::EcP384));
    };
  }
  Result<ExportedManifest> make() { return export_manifest(plan_, ledger_.source(), sign()); }
  Result<CheckedManifest> check(const std::filesystem::path& path) {
    const std::vector<Bytes> trusted = {signer_->der()};
    return check_manifest(path, trusted);
  }
  std::filesystem::path out() const { return plan_.out; }
  void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  // As somebody would who has a key, but not linesign.
  void sign_again(const std::filesystem::path& path) {
    const auto cms = sign()(path);
    ASSERT_TRUE(cms.has_value());
    write(signature_path(path), std::string(as_text(*cms)));
  }

  TempDir folder_;
  FakeLedger ledger_;
  std::optional<SoftwareCa> signer_;
  ManifestPlan plan_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FIXTURE_H_
