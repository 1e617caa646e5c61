// CSR files as people, editors and shells leave them.
#include <string>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "stations/client/der.h"
#include "stations/client/key_maker.h"
#include "stations/client/station_client.h"
#include "tests/support/temp_dir.h"

namespace linesign::client {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string utf16(std::string_view text, bool is_little, bool has_mark) {
  std::string encoded;
  if (has_mark) encoded = is_little ? "\xff\xfe" : "\xfe\xff";
  for (const char c : text) {
    if (!is_little) encoded.push_back('\0');
    encoded.push_back(c);
    if (is_little) encoded.push_back('\0');
  }
  return encoded;
}

class CsrFile : public testing::Test {
 protected:
  Result<LoadedCsr> load(std::string_view content) {
    const std::filesystem::path file = folder_.path() / "unit.csr";
    EXPECT_TRUE(
        write_file_atomic(file, as_bytes(content), 0644, Overwrite::Replace, Durability::Renamed)
            .has_value());
    return load_csr(file);
  }
  void expect_read(std::string_view content, const char* what) {
    const auto loaded = load(content);
    ASSERT_TRUE(loaded.has_value()) << what << ": " << loaded.error().to_string();
    EXPECT_EQ(loaded->der, der_) << what;
  }
  void expect_refused(std::string_view content, ErrorCode code, std::string_view why) {
    const auto loaded = load(content);
    ASSERT_FALSE(loaded.has_value()) << why;
    EXPECT_EQ(loaded.error().code(), code);
    EXPECT_NE(loaded.error().detail().find("unit.csr"), std::string::npos);
    EXPECT_NE(loaded.error().detail().find(why), std::string::npos) << loaded.error().detail();
  }

  TempDir folder_;
  const Bytes der_ = KeyMaker::open(KeyKind::EcP256)->make("unit-1")->csr_der;
  const std::string pem_ = to_pem("CERTIFICATE REQUEST", der_);
};

TEST_F(CsrFile, IsReadHoweverItsLinesWereChanged) {
  expect_read(pem_, "as it should be");
  expect_read(replaced(pem_, "\n", "\r\n"), "line ends of Windows");
  expect_read(replaced(pem_, "\n", "\r"), "line ends of old Macs");
  expect_read("   " + replaced(pem_, "\n", "\n\t  "), "indented");
  expect_read(replaced(pem_, "\n", "\\n"), "literal \\n");
  expect_read("{\"csr\": \"" + replaced(pem_, "\n", "\\r\\n") + "\"}", "in JSON");
  expect_read("\"" + replaced(pem_, "\n", "\\n\"\n\"") + "\";", "as lines of C");
  expect_read(replaced(pem_, "\n", " "), "one line");
  expect_read(replaced(pem_, "\n", "\n\n"), "blank lines");
  expect_read("Certificate Request:\n  Data:\n" + pem_ + "bye\n", "text around it");
}

TEST_F(CsrFile, IsReadInTheEncodingsOfEditors) {
  expect_read("\xef\xbb\xbf" + pem_, "byte order mark");
  for (const bool is_little : {true, false}) {
    expect_read(utf16(pem_, is_little, true), "UTF-16");
    expect_read(utf16(replaced(pem_, "\n", "\r\n"), is_little, false), "UTF-16 without a mark");
  }
}

TEST_F(CsrFile, MayBeBase64AloneOrHaveLineEndsBehindDer) {
  const std::string base64 = replaced(replaced(pem_, "-----BEGIN CERTIFICATE REQUEST-----\n", ""),
                                      "-----END CERTIFICATE REQUEST-----\n",
                                      "");
  expect_read(base64, "base64 without its frame");
  const std::string der(as_text(der_));
  for (const std::string& tail : {std::string("\r\n"), std::string("\n"), std::string(512, '\0')})
    expect_read(der + tail, "DER with a tail");
}

TEST_F(CsrFile, HasNothingElseBehindDer) {
  const std::string der(as_text(der_));
  expect_refused(der + "x", ErrorCode::CsrTrailingBytes, "");
  expect_refused(der + std::string(1, '\0') + "x", ErrorCode::CsrTrailingBytes, "");
  expect_refused(der + der, ErrorCode::CsrTrailingBytes, "");
}

TEST_F(CsrFile, SaysWhatIsThereInsteadOfACsr) {
  expect_refused(to_pem("PRIVATE KEY", der_) + to_pem("CERTIFICATE", der_),
                 ErrorCode::CsrMalformed,
                 "the file holds PRIVATE KEY, CERTIFICATE, but no CERTIFICATE REQUEST");
  expect_refused(pem_.substr(0, 200), ErrorCode::CsrMalformed, "the file is cut off");
  expect_refused("-----BEGIN CERT", ErrorCode::CsrMalformed, "the BEGIN line is cut off");
  expect_refused(replaced(pem_, "M", "*"), ErrorCode::CsrMalformed, "is not base64");
  expect_refused("hello, world", ErrorCode::CsrMalformed, "neither PEM nor DER");
  expect_refused(to_pem("\x1b[31mEVIL", der_), ErrorCode::CsrMalformed, "holds ?[31mEVIL");
}

TEST_F(CsrFile, TellsTheSerialNumberOfItsSubject) {
  // Subject { serialNumber "SN-7" }, in the place of the common name of the same length.
  const Bytes made = KeyMaker::open(KeyKind::EcP256)->make("SN-7")->csr_der;
  std::string der(as_text(made));
  der = replaced(std::move(der), "\x55\x04\x03", "\x55\x04\x05");
  const auto loaded = load(der);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->serial_number, "SN-7");
  EXPECT_EQ(loaded->common_name, "");
}

}  // namespace
}  // namespace linesign::client
