// Exporting ranges of the ledger, and checking what was exported.
#include <algorithm>

#include <gmock/gmock.h>

#include "appliance/cloud/manifest/manifest_line.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"
#include "tests/unit/appliance/cloud/manifest/manifest_fixture.h"

namespace linesign {
namespace {

using test::FakeLedger;
using testing::HasSubstr;

class SignedManifest : public test::ManifestFixture {
 protected:
  SignedManifest() {
    for (const uint64_t number : {1, 2, 4, 5, 6, 8, 9, 10}) ledger_.add(number);
  }
  void replace(const std::string& what, const std::string& with) {
    std::string text = read_text(out());
    const size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos);
    write(out(), text.replace(at, what.size(), with));
  }
};

TEST_F(SignedManifest, HoldsARangeAndCanBeChecked) {
  const auto made = make();
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  EXPECT_EQ(made->summary.count, 8U);
  EXPECT_EQ(made->summary.last, 10U);
  EXPECT_EQ(made->files.size(), 2U);
  const auto checked = check(out());
  ASSERT_TRUE(checked.has_value()) << checked.error().to_string();
  EXPECT_EQ(checked->summary, made->summary);
  EXPECT_EQ(checked->head.order, "default");
  EXPECT_EQ(checked->signer.subject, "CN=manifests");
  EXPECT_TRUE(checked->signer.signed_at.has_value());
  EXPECT_TRUE(compare_with_ledger(*checked, ledger_.source()).has_value());
}

TEST_F(SignedManifest, IsTheSameBytesForTheSameRange) {
  ASSERT_TRUE(make().has_value());
  const std::string first = read_text(out());
  ledger_.add(11);  // production goes on
  plan_.range.last = 10;
  EXPECT_EQ(make().error().code(), ErrorCode::FileExists);
  plan_.may_replace = true;
  ASSERT_TRUE(make().has_value());
  EXPECT_EQ(read_text(out()), first);
}

TEST_F(SignedManifest, HasTheHashThatIsWrittenDown) {
  plan_.range.last = 2;
  const auto made = make();
  ASSERT_TRUE(made.has_value());
  std::string bytes;
  for (const uint64_t number : {1, 2}) {
    const LedgerCertificate row = test::make_certificate(number);
    bytes += std::string(7, '\0') + static_cast<char>(number);
    bytes += as_text(sha256(row.certificate_der));
    bytes += std::string(4, '\0') + row.device_id + "\n";
  }
  bytes += as_text(sha256(test::make_certificate(1).issuer_der));
  EXPECT_EQ(made->summary.hash, sha256(as_bytes(bytes)));
}

TEST_F(SignedManifest, NamesTheCaThatSignedEachCertificate) {
  for (const uint64_t number : {5, 6, 9})
    ledger_.rows.at(number).issuer_der = to_bytes("a second CA");
  const auto made = make();
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  EXPECT_EQ(made->summary.cas,
            (std::vector{sha256(to_bytes("the first CA")), sha256(to_bytes("a second CA"))}));
  const std::string text = read_text(out());
  const auto ca_of = [&](const std::string& device) {
    const size_t at = text.find("\"device_id\":\"" + device + "\"");
    return text.substr(text.find("\"ca\":", at), 6);
  };
  EXPECT_EQ(ca_of("SN-4"), "\"ca\":0");
  EXPECT_EQ(ca_of("SN-5"), "\"ca\":1");
  EXPECT_EQ(ca_of("SN-8"), "\"ca\":0");
  EXPECT_EQ(ca_of("SN-9"), "\"ca\":1");
  const auto checked = check(out());
  ASSERT_TRUE(checked.has_value()) << checked.error().to_string();
  EXPECT_EQ(checked->summary, made->summary);
  EXPECT_TRUE(compare_with_ledger(*checked, ledger_.source()).has_value());

  ledger_.rows.at(9).issuer_der = to_bytes("the first CA");
  EXPECT_EQ(compare_with_ledger(*checked, ledger_.source()).error().code(),
            ErrorCode::ManifestIncomplete)
      << "the ledger knows another CA for one of them";
}

TEST_F(SignedManifest, AnotherCaThanTheHashSaysIsFoundBehindAGoodSignature) {
  ledger_.rows.at(5).issuer_der = to_bytes("a second CA");
  ASSERT_TRUE(make().has_value());
  const std::string good = read_text(out());
  const std::string first = to_hex(sha256(to_bytes("the first CA")));
  const auto code_after = [&](const std::string& what, const std::string& with) {
    std::string text = good;
    write(out(), text.replace(text.find(what), what.size(), with));
    sign_again(out());
    return check(out()).error().code();
  };
  EXPECT_EQ(code_after(first, std::string(64, 'e')), ErrorCode::ManifestIncomplete);
  EXPECT_EQ(code_after("\"ca\":1", "\"ca\":0"), ErrorCode::ManifestMalformed)
      << "the list has one that nobody names";
  EXPECT_EQ(code_after("\"ca\":1", "\"ca\":2"), ErrorCode::ManifestMalformed);
  EXPECT_EQ(code_after("\"" + first + "\",", ""), ErrorCode::ManifestMalformed);
}

TEST_F(SignedManifest, OfTheVersionThatNamedOneCaIsToBeExportedAgain) {
  write(out(),
        "{\"linesign_manifest\":1,\"order\":\"default\",\"ca_certificate_id\":\"aa\",\"devices\":["
        "\n");
  sign_again(out());
  const auto checked = check(out());
  EXPECT_EQ(checked.error().code(), ErrorCode::ManifestMalformed);
  EXPECT_THAT(checked.error().detail(), HasSubstr("export this range again"));
}

TEST_F(SignedManifest, ThatBeginsBeyondTheEndOfTheLedgerIsRefused) {
  plan_.range.first = 11;
  const auto next = make();
  ASSERT_TRUE(next.has_value()) << "nothing new since the last one";
  EXPECT_EQ(next->summary.count, 0U);
  plan_.may_replace = true;
  plan_.range.first = 99999;
  const auto made = make();
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code(), ErrorCode::ManifestRangeOpen);
  EXPECT_THAT(made.error().detail(), HasSubstr("ends with 10, so the next range begins with 11"));
}

TEST_F(SignedManifest, EndsBeforeTheFirstOpenIntent) {
  ledger_.open = 7;
  const auto made = make();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->summary.last, 6U);
  EXPECT_EQ(made->summary.count, 5U);
}

TEST_F(SignedManifest, OfARangeThatIsNotFinishedIsRefused) {
  plan_.range.last = 11;  // the ledger has not got there
  EXPECT_EQ(make().error().code(), ErrorCode::ManifestRangeOpen);
  plan_.range.last = 9;
  ledger_.open = 9;
  EXPECT_EQ(make().error().code(), ErrorCode::ManifestRangeOpen);
  EXPECT_FALSE(std::filesystem::exists(out()));
  ledger_.open = 10;
  EXPECT_TRUE(make().has_value());
}

TEST_F(SignedManifest, OfNothingIsAManifestToo) {
  plan_.range = {3, 3};
  const auto made = make();
  ASSERT_TRUE(made.has_value()) << made.error().to_string();
  EXPECT_EQ(made->summary.count, 0U);
  const auto checked = check(out());
  ASSERT_TRUE(checked.has_value()) << checked.error().to_string();
  EXPECT_TRUE(compare_with_ledger(*checked, ledger_.source()).has_value());
}

TEST_F(SignedManifest, OfAnEmptyLedgerSaysThatNothingWasMade) {
  ledger_.rows.clear();
  ASSERT_TRUE(make().has_value());
  const auto checked = check(out());
  ASSERT_TRUE(checked.has_value()) << checked.error().to_string();
  EXPECT_EQ(checked->summary.first, 1U);
  EXPECT_EQ(checked->summary.last, 0U);
  EXPECT_TRUE(compare_with_ledger(*checked, ledger_.source()).has_value());
}

TEST_F(SignedManifest, OneChangedByteIsFound) {
  ASSERT_TRUE(make().has_value());
  replace("SN-4", "SN-7");
  EXPECT_EQ(check(out()).error().code(), ErrorCode::ManifestSignatureWrong);
}

TEST_F(SignedManifest, WithoutASignatureOrWithGarbageIsRefused) {
  ASSERT_TRUE(make().has_value());
  write(signature_path(out()), "garbage");
  EXPECT_EQ(check(out()).error().code(), ErrorCode::ManifestSignatureWrong);
  std::filesystem::remove(signature_path(out()));
  EXPECT_EQ(check(out()).error().code(), ErrorCode::Io);
}

TEST_F(SignedManifest, OfAnotherKeyIsRefused) {
  ASSERT_TRUE(make().has_value());
  const test::SoftwareCa stranger;
  const std::vector<Bytes> trusted = {stranger.der()};
  EXPECT_EQ(check_manifest(out(), trusted).error().code(), ErrorCode::ManifestSignatureWrong);
}

// A good signature makes no good manifest.
TEST_F(SignedManifest, ALineThatIsMissingIsFoundBehindAGoodSignature) {
  ASSERT_TRUE(make().has_value());
  std::string text = read_text(out());
  const size_t begin = text.find(",{\"sequence\":4");
  text.erase(begin, text.find('\n', begin) + 1 - begin);
  write(out(), text);
  sign_again(out());
  EXPECT_EQ(check(out()).error().code(), ErrorCode::ManifestIncomplete);
}

TEST_F(SignedManifest, WhatIsNotInItsOneFormIsFoundBehindAGoodSignature) {
  ASSERT_TRUE(make().has_value());
  const std::string good = read_text(out());
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"{\"sequence\":1,", "{\"sequence\": 1,"},
      {"\"linesign_manifest\":2", "\"linesign_manifest\":3"},
      {"\"ledger_head\":null}", "\"ledger_head\":null,\"more\":1}"},
      {"\"order\":\"default\"", "\"order\":\"de fault\""},
      {"{\"sequence\":4,", "{\"sequence\":2,"},
      {"],\"range\"", "\n],\"range\""},
      {"\"last\":10}", "\"last\":9}"}};
  for (const auto& [what, with] : changes) {
    std::string text = good;
    write(out(), text.replace(text.find(what), what.size(), with));
    sign_again(out());
    EXPECT_EQ(check(out()).error().code(), ErrorCode::ManifestMalformed) << with;
  }
  for (const std::string& text : {std::string(), good + "x\n", good.substr(0, good.size() - 1)}) {
    write(out(), text);
    sign_again(out());
    EXPECT_EQ(check(out()).error().code(), ErrorCode::ManifestMalformed) << text.size();
  }
}

TEST_F(SignedManifest, TheLedgerKnowsOfOneMore) {
  ASSERT_TRUE(make().has_value());
  const auto checked = check(out());
  ASSERT_TRUE(checked.has_value());
  ledger_.add(3);
  EXPECT_EQ(compare_with_ledger(*checked, ledger_.source()).error().code(),
            ErrorCode::ManifestIncomplete);
}

TEST_F(SignedManifest, SeveralMustFollowEachOther) {
  std::vector<CheckedManifest> manifests;
  for (const auto& [first, last] : {std::pair(7U, 10U), std::pair(1U, 3U), std::pair(4U, 6U)}) {
    plan_.range = {first, last};
    plan_.out = folder_.path() / std::to_string(first);
    ASSERT_TRUE(make().has_value());
    auto checked = check(plan_.out);
    ASSERT_TRUE(checked.has_value());
    manifests.push_back(std::move(*checked));
  }
  EXPECT_TRUE(check_sequence(manifests).has_value());
  manifests.pop_back();
  const auto gap = check_sequence(manifests);
  ASSERT_FALSE(gap.has_value());
  EXPECT_EQ(gap.error().code(), ErrorCode::ManifestIncomplete);
  EXPECT_THAT(gap.error().detail(), HasSubstr("ends with 3"));
}

TEST_F(SignedManifest, ASignatureThatFailsLeavesTheOldFiles) {
  ASSERT_TRUE(make().has_value());
  const std::string before = read_text(out());
  ledger_.add(11);
  plan_.may_replace = true;
  const auto made =
      export_manifest(plan_, ledger_.source(), [](const std::filesystem::path&) -> Result<Bytes> {
        return fail(ErrorCode::HsmUnavailable, "gone");
      });
  EXPECT_EQ(made.error().code(), ErrorCode::HsmUnavailable);
  EXPECT_EQ(read_text(out()), before);
  EXPECT_TRUE(check(out()).has_value());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()),
                          std::filesystem::directory_iterator()),
            2);
}

TEST_F(SignedManifest, TheOtherFormatsHoldTheSameDevices) {
  plan_.range = {4, 5};
  plan_.format = ManifestFormat::Csv;
  ASSERT_TRUE(make().has_value());
  EXPECT_THAT(read_text(out()),
              testing::StartsWith(
                  "device_id,order,serial,certificate_id,committed_at,ca_certificate_id\nSN-4,"));
  plan_.format = ManifestFormat::Json;
  plan_.may_replace = true;
  ASSERT_TRUE(make().has_value());
  EXPECT_EQ(read_text(out()), "{\"ThingName\":\"SN-4\"}\n{\"ThingName\":\"SN-5\"}\n");
  plan_.parameters = {{"Ca", "{ca_certificate_pem}"}};
  ledger_.rows.at(5).issuer_der = to_bytes("a second CA");
  ASSERT_TRUE(make().has_value());
  EXPECT_THAT(read_text(out()),
              HasSubstr(ndjson_line({{"Ca", certificate_pem(to_bytes("a second CA"))}}).value()));
  plan_.head.order = "no-such";
  EXPECT_EQ(make().error().code(), ErrorCode::OrderUnknown);
}

TEST_F(SignedManifest, AsksForNoMorePagesThanTheRangeHas) {
  plan_.range = {1, 2};
  ASSERT_TRUE(make().has_value());
  EXPECT_EQ(ledger_.calls, 1U);
}

}  // namespace
}  // namespace linesign
