#include "hsm/x509/certificate_builder.h"

#include <set>

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "hsm/x509/der_reader.h"
#include "hsm/x509/der_writer.h"
#include "tests/support/software_ca.h"
#include "tests/unit/hsm/x509/csr_forge.h"

namespace linesign {
namespace {

using test::kTestTime;
using test::SoftwareCa;

constexpr UnixTime kNoExpiry{std::chrono::seconds(253402300799)};

SerialNumber some_serial() {
  SerialNumber serial{};
  for (size_t i = 0; i < serial.size(); ++i) serial[i] = static_cast<uint8_t>(0x40 + i * 7);
  return serial;
}

CertificateRequest request_for(std::string_view device_id, UnixTime issued_at = kTestTime) {
  CertificateRequest request;
  request.device_id = device_id;
  request.serial = some_serial();
  request.issued_at = issued_at;
  return request;
}

X509Certificate parse(ByteView der) {
  const unsigned char* position = der.data();
  X509Certificate certificate{d2i_X509(nullptr, &position, static_cast<long>(der.size()))};
  EXPECT_EQ(position, der.data() + der.size());
  return certificate;
}

UnixTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  EXPECT_EQ(ASN1_TIME_to_tm(time, &parts), 1);
  return UnixTime(std::chrono::seconds(timegm(&parts)));
}

// The same certificate as OpenSSL's own API makes it.
struct Reference {
  const SoftwareCa& ca;
  KeyType ca_key;
  EVP_PKEY* device_key;
  UnixTime not_before;
  UnixTime not_after;
  test::NamedTexts subject;
  test::NamedTexts extensions;

  Bytes tbs() const;
};

// Signs into a copy only to fill in the algorithm; the signature is thrown away.
Bytes Reference::tbs() const {
  const X509Certificate certificate{X509_new()};
  X509* const x = certificate.get();
  const SerialNumber serial = some_serial();
  const BigNumber number{BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr)};
  X509_set_version(x, X509_VERSION_3);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x));
  X509_set_issuer_name(x, X509_get_subject_name(ca.x509()));
  ASN1_TIME_set(X509_getm_notBefore(x), not_before.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(x), not_after.time_since_epoch().count());
  for (const auto& [field, text] : subject) {
    // As the profile encodes them: PrintableString for C, UTF8String otherwise.
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x),
                               field.c_str(),
                               field == "C" ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING,
                               reinterpret_cast<const unsigned char*>(text.data()),
                               static_cast<int>(text.size()),
                               -1,
                               0);
  }
  X509_set_pubkey(x, device_key);
  X509V3_CTX context;
  X509V3_set_ctx(&context, ca.x509(), x, nullptr, nullptr, 0);
  for (const auto& [name, text] : extensions) {
    X509_add_ext(x, test::make_extension(&context, name, text).get(), -1);
  }
  X509_sign(x, ca.key(), ca_key == KeyType::EcP384 ? EVP_sha384() : EVP_sha256());
  unsigned char* der = nullptr;
  const int size = i2d_re_X509_tbs(x, &der);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

const test::NamedTexts kPresetExtensions = {{"basicConstraints", "critical,CA:FALSE"},
                                            {"keyUsage", "critical,digitalSignature"},
                                            {"extendedKeyUsage", "clientAuth"},
                                            {"subjectKeyIdentifier", "hash"},
                                            {"authorityKeyIdentifier", "keyid:always"}};

class BuilderKinds : public testing::TestWithParam<std::tuple<KeyType, KeyType>> {
 protected:
  KeyType ca_key() const { return std::get<0>(GetParam()); }
  KeyType device_key() const { return std::get<1>(GetParam()); }
};

TEST_P(BuilderKinds, GiveTheSameBytesAsOpenSsl) {
  const SoftwareCa ca({.key_type = ca_key()});
  const EvpKey own = device_key() == ca_key() ? test::make_key(device_key()) : EvpKey();
  EVP_PKEY* const key = own ? own.get() : test::shared_key(device_key());
  const auto builder = CertificateBuilder::create(Profile{}, ca.certificate());
  ASSERT_TRUE(builder) << builder.error().to_string();
  const Bytes der = test::make_csr(key, "dev-1");
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  ASSERT_TRUE(builder->check(*csr, "dev-1"));
  const auto tbs = builder->build_tbs(*csr, request_for("dev-1"));
  ASSERT_TRUE(tbs);
  const Reference reference{ca,
                            ca_key(),
                            key,
                            kTestTime - std::chrono::minutes(5),
                            kTestTime + std::chrono::days(365 * 20),
                            {{"CN", "dev-1"}},
                            kPresetExtensions};
  EXPECT_EQ(to_hex(*tbs), to_hex(reference.tbs()));
}

TEST_P(BuilderKinds, GiveCertificatesThatVerify) {
  const SoftwareCa ca({.key_type = ca_key()});
  const EvpKey own = device_key() == ca_key() ? test::make_key(device_key()) : EvpKey();
  EVP_PKEY* const key = own ? own.get() : test::shared_key(device_key());
  const auto builder = CertificateBuilder::create(Profile{}, ca.certificate());
  ASSERT_TRUE(builder);
  const Bytes csr_der = test::make_csr(key, "dev-1");
  const auto csr = parse_csr(csr_der);
  ASSERT_TRUE(csr);
  const auto tbs = builder->build_tbs(*csr, request_for("dev-1"));
  ASSERT_TRUE(tbs);
  const Bytes der = assemble_certificate(*tbs, signature_algorithm_der(ca_key()), ca.sign(*tbs));
  const X509Certificate certificate = parse(der);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), ca.key()), 1);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key), 1);
  EXPECT_EQ(X509_check_issued(ca.x509(), certificate.get()), X509_V_OK);

  const X509TrustStore store{X509_STORE_new()};
  X509_STORE_add_cert(store.get(), ca.x509());
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()),
                             kTestTime.time_since_epoch().count());
  X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(store.get()), X509_V_FLAG_X509_STRICT);
  const X509StoreContext context{X509_STORE_CTX_new()};
  X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr);
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT);
  EXPECT_EQ(X509_verify_cert(context.get()), 1)
      << X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         BuilderKinds,
                         testing::Combine(testing::Values(KeyType::EcP256,
                                                          KeyType::EcP384,
                                                          KeyType::Rsa2048,
                                                          KeyType::Rsa4096),
                                          testing::Values(KeyType::EcP256,
                                                          KeyType::EcP384,
                                                          KeyType::Rsa2048,
                                                          KeyType::Rsa3072,
                                                          KeyType::Rsa4096)),
                         [](const auto& tested) {
                           std::string name(to_string(std::get<0>(tested.param)));
                           name += "_signs_" + std::string(to_string(std::get<1>(tested.param)));
                           std::erase(name, '-');
                           return name;
                         });

class Builder : public testing::Test {
 protected:
  Builder() : csr_(*parse_csr(csr_der_)) {}

  CertificateBuilder make(const Profile& profile) {
    auto builder = CertificateBuilder::create(profile, ca_.certificate());
    EXPECT_TRUE(builder) << builder.error().to_string();
    return *std::move(builder);
  }

  X509Certificate build(const Profile& profile, UnixTime issued_at) {
    auto tbs = make(profile).build_tbs(csr_, request_for("dev-1", issued_at));
    EXPECT_TRUE(tbs);
    const Bytes signature = ca_.sign(*tbs);
    return parse(assemble_certificate(*tbs, signature_algorithm_der(KeyType::EcP256), signature));
  }

  SoftwareCa ca_;
  EvpKey key_ = test::make_key(KeyType::EcP256);
  Bytes csr_der_ = test::make_csr_with(key_.get(),
                                       {.subject = {{"O", "Somewhere"}, {"CN", "dev-1"}},
                                        .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                                       {"keyUsage", "keyCertSign"},
                                                       {"subjectAltName", "DNS:evil.example"}}});
  Csr csr_;
};

TEST_F(Builder, GivesTheSameBytesAsOpenSslWithEveryExtension) {
  Profile profile;
  profile.subject_fields = {{"C", "DE"}, {"O", "Gerätebau"}, {"OU", "Line 7"}};
  profile.key_usage = {"digitalSignature", "keyEncipherment", "keyAgreement", "decipherOnly"};
  profile.key_usage_critical = false;
  profile.extended_key_usage = {"clientAuth", "serverAuth", "1.3.6.1.4.1.55555.7"};
  profile.subject_alt_names = {"dns:{device_id}.devices.example",
                               "uri:urn:dev:{device_id}",
                               "email:{device_id}@example.org"};
  profile.policies = {"1.3.6.1.4.1.55555.1", "2.23.140.1.2.1"};
  const auto tbs = make(profile).build_tbs(csr_, request_for("dev-1"));
  ASSERT_TRUE(tbs);
  const Reference reference{
      ca_,
      KeyType::EcP256,
      key_.get(),
      kTestTime - std::chrono::minutes(5),
      kTestTime + std::chrono::days(365 * 20),
      {{"C", "DE"}, {"O", "Gerätebau"}, {"OU", "Line 7"}, {"CN", "dev-1"}},
      {{"basicConstraints", "critical,CA:FALSE"},
       {"keyUsage", "digitalSignature,keyEncipherment,keyAgreement,decipherOnly"},
       {"extendedKeyUsage", "clientAuth,serverAuth,1.3.6.1.4.1.55555.7"},
       {"subjectKeyIdentifier", "hash"},
       {"authorityKeyIdentifier", "keyid:always"},
       {"certificatePolicies", "1.3.6.1.4.1.55555.1,2.23.140.1.2.1"},
       {"subjectAltName", "DNS:dev-1.devices.example,URI:urn:dev:dev-1,email:dev-1@example.org"}}};
  EXPECT_EQ(to_hex(*tbs), to_hex(reference.tbs()));
}

TEST_F(Builder, EncodesEveryKeyUsageAsOpenSslDoes) {
  for (const char* usage : {"digitalSignature",
                            "nonRepudiation",
                            "keyEncipherment",
                            "dataEncipherment",
                            "keyAgreement",
                            "keyAgreement,encipherOnly",
                            "keyAgreement,decipherOnly"}) {
    Profile profile;
    profile.key_usage.clear();
    std::string names = usage;
    if (const size_t comma = names.find(','); comma != std::string::npos) {
      profile.key_usage = {names.substr(0, comma), names.substr(comma + 1)};
    } else {
      profile.key_usage = {names};
    }
    test::NamedTexts extensions = kPresetExtensions;
    extensions[1].second = std::string("critical,") + usage;
    const Reference reference{ca_,
                              KeyType::EcP256,
                              key_.get(),
                              kTestTime - std::chrono::minutes(5),
                              kTestTime + std::chrono::days(365 * 20),
                              {{"CN", "dev-1"}},
                              extensions};
    const auto tbs = make(profile).build_tbs(csr_, request_for("dev-1"));
    ASSERT_TRUE(tbs);
    EXPECT_EQ(to_hex(*tbs), to_hex(reference.tbs())) << usage;
  }
}

TEST_F(Builder, TakesNothingFromTheCsrButTheKey) {
  const X509Certificate certificate = build(Profile{}, kTestTime);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1), -1);
  EXPECT_EQ(X509_get_ext_count(certificate.get()), 5);
  EXPECT_EQ(X509_NAME_entry_count(X509_get_subject_name(certificate.get())), 1);
}

TEST_F(Builder, KeepsTheSubjectOfTheCsrByteForByte) {
  Profile profile;
  profile.subject_source = SubjectSource::Csr;
  const auto tbs = make(profile).build_tbs(csr_, request_for("dev-1"));
  ASSERT_TRUE(tbs);
  const std::string_view text = as_text(*tbs);
  EXPECT_NE(text.find(as_text(csr_.subject.whole)), std::string_view::npos);
}

TEST_F(Builder, IsAFunctionOfItsInputs) {
  const CertificateBuilder one = make(Profile{});
  const CertificateBuilder two = make(Profile{});
  EXPECT_EQ(one.profile_hash(), two.profile_hash());
  EXPECT_EQ(*one.build_tbs(csr_, request_for("dev-1")), *two.build_tbs(csr_, request_for("dev-1")));
  Profile other;
  other.backdate = std::chrono::minutes(6);
  EXPECT_NE(one.profile_hash(), make(other).profile_hash());
}

TEST_F(Builder, HashesProfileAndCa) {
  Bytes hashed = to_bytes(canonical_text(Profile{}));
  const Bytes ca = ca_.der();
  hashed.insert(hashed.end(), ca.begin(), ca.end());
  EXPECT_EQ(make(Profile{}).profile_hash(), sha256(hashed));
}

TEST_F(Builder, ClampsToTheValidityOfTheCa) {
  const test::CaSpec spec;
  const X509Certificate early = build(Profile{}, spec.not_before + std::chrono::minutes(2));
  EXPECT_EQ(time_of(X509_get0_notBefore(early.get())), spec.not_before);
  const X509Certificate late = build(Profile{}, spec.not_after - std::chrono::days(1));
  EXPECT_EQ(time_of(X509_get0_notAfter(late.get())), spec.not_after);
  Profile endless;
  endless.no_expiry = true;
  const X509Certificate clamped = build(endless, kTestTime);
  EXPECT_EQ(time_of(X509_get0_notAfter(clamped.get())), spec.not_after);
}

TEST_F(Builder, RefusesToIssueOutsideTheValidityOfTheCa) {
  const test::CaSpec spec;
  const CertificateBuilder builder = make(Profile{});
  for (const UnixTime time : {spec.not_before - std::chrono::seconds(1),
                              spec.not_after + std::chrono::seconds(1),
                              UnixTime{}}) {
    const auto tbs = builder.build_tbs(csr_, request_for("dev-1", time));
    ASSERT_FALSE(tbs);
    EXPECT_EQ(tbs.error().code(), ErrorCode::ClockInDoubt);
  }
  EXPECT_TRUE(builder.build_tbs(csr_, request_for("dev-1", spec.not_before)));
  EXPECT_TRUE(builder.build_tbs(csr_, request_for("dev-1", spec.not_after)));
}

TEST_F(Builder, ReachesTheEndOfTime) {
  ca_ = SoftwareCa({.not_after = kNoExpiry});
  Profile endless;
  endless.no_expiry = true;
  const X509Certificate certificate = build(endless, kTestTime);
  EXPECT_EQ(time_of(X509_get0_notAfter(certificate.get())), kNoExpiry);
  EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(certificate.get())), V_ASN1_GENERALIZEDTIME);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(
                ASN1_STRING_get0_data(X509_get0_notAfter(certificate.get())))),
            "99991231235959Z");
}

TEST_F(Builder, ChangesTheTimeFormBetween2049And2050) {
  ca_ = SoftwareCa({.not_after = kNoExpiry});
  const UnixTime last{std::chrono::seconds(2524607999)};  // 2049-12-31T23:59:59Z
  Profile profile;
  profile.validity = last - kTestTime;
  const X509Certificate before = build(profile, kTestTime);
  EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(before.get())), V_ASN1_UTCTIME);
  EXPECT_EQ(time_of(X509_get0_notAfter(before.get())), last);
  const X509Certificate after = build(profile, kTestTime + std::chrono::seconds(1));
  EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(after.get())), V_ASN1_GENERALIZEDTIME);
  EXPECT_EQ(time_of(X509_get0_notAfter(after.get())), last + std::chrono::seconds(1));
}

TEST_F(Builder, RefusesASerialOfAnotherShape) {
  CertificateRequest request = request_for("dev-1");
  for (const uint8_t first : Bytes{0x00, 0x3f, 0x80, 0xff}) {
    request.serial[0] = first;
    EXPECT_FALSE(make(Profile{}).build_tbs(csr_, request)) << int{first};
  }
}

TEST_F(Builder, ChecksTheCommonNameAgainstTheDeviceId) {
  const CertificateBuilder builder = make(Profile{});
  EXPECT_TRUE(builder.check(csr_, "dev-1"));
  EXPECT_EQ(builder.check(csr_, "dev-2").error().code(), ErrorCode::CsrSubjectMismatch);
  EXPECT_EQ(builder.check(csr_, "dev-1 ").error().code(), ErrorCode::DeviceIdInvalid);
}

TEST_F(Builder, SaysHowAnotherCommonNameCanBeMended) {
  const std::string detail = make(Profile{}).check(csr_, "dev-2").error().detail();
  for (const char* part : {"'dev-1'", "send it as the device id", "csr_common_name = \"ignore\""}) {
    EXPECT_NE(detail.find(part), std::string::npos) << detail;
  }
  Profile kept;
  kept.subject_source = SubjectSource::Csr;
  const auto checked = make(kept).check(csr_, "dev-2");
  EXPECT_EQ(checked.error().code(), ErrorCode::CsrSubjectMismatch);
  EXPECT_EQ(checked.error().detail().find("ignore"), std::string::npos);
}

TEST_F(Builder, IgnoresTheCommonNameWhereTheProfileSaysSo) {
  Profile profile;
  profile.csr_common_name = CommonNameRule::Ignore;
  const CertificateBuilder builder = make(profile);
  EXPECT_TRUE(builder.check(csr_, "dev-2"));
  EXPECT_NE(builder.profile_hash(), make(Profile{}).profile_hash());
  const auto tbs = builder.build_tbs(csr_, request_for("dev-2"));
  ASSERT_TRUE(tbs);
  EXPECT_EQ(as_text(*tbs).find("Somewhere"), std::string_view::npos);
  // Made in code, past the check of the configuration: what stands in the certificate must match.
  profile.subject_source = SubjectSource::Csr;
  EXPECT_EQ(make(profile).check(csr_, "dev-2").error().code(), ErrorCode::CsrSubjectMismatch);
}

// A CSR of this subject, and what each kind of profile says to it for dev-1.
class BuilderSubject : public Builder {
 protected:
  void take(ByteView subject) {
    test::CsrParts parts = test::usual_parts(key_.get());
    parts.subject = to_bytes(subject);
    der_ = test::forge_csr(parts, key_.get());
    const auto csr = parse_csr(der_);
    ASSERT_TRUE(csr) << csr.error().to_string();
    csr_ = *csr;
  }
  Result<void> check(SubjectSource source, CommonNameRule rule = CommonNameRule::MustMatch) {
    Profile profile;
    profile.subject_source = source;
    profile.csr_common_name = rule;
    return make(profile).check(csr_, "dev-1");
  }

  Bytes der_;
};

Bytes subject_with(std::string_view oid, uint8_t tag, std::string_view text) {
  const Bytes type = *encode_object_id(oid);
  const Bytes value = make_element(tag, as_bytes(text));
  const Bytes other = make_element(der::kSet, make_element(der::kSequence, {type, value}));
  const Bytes common_name = test::common_name_subject(der::kUtf8String, "dev-1");
  return make_element(der::kSequence, {other, ByteView(common_name).subspan(2)});
}

TEST_F(BuilderSubject, IsJudgedOnlyWhereItIsKept) {
  struct Row {
    Bytes subject;
    const char* fault;
  };
  const Row rows[] = {
      {subject_with("2.5.4.5", der::kPrintableString, "SN_1"), "serialNumber: byte "},
      {subject_with("2.5.4.10", der::kPrintableString, "A & B"), "O: byte "},
      {subject_with("2.5.4.11", der::kUtf8String, ""), "OU: byte "},
      {subject_with("1.3.6.1.4.1.55555.1", der::kBoolean, "\x01"), "1.3.6.1.4.1.55555.1: byte "}};
  for (const Row& row : rows) {
    take(row.subject);
    EXPECT_TRUE(check(SubjectSource::DeviceId)) << row.fault;
    EXPECT_TRUE(check(SubjectSource::DeviceId, CommonNameRule::Ignore)) << row.fault;
    const auto kept = check(SubjectSource::Csr);
    ASSERT_FALSE(kept) << row.fault;
    EXPECT_NE(kept.error().detail().find(row.fault), std::string::npos) << kept.error().detail();
    EXPECT_NE(kept.error().detail().find("subject = \"csr\""), std::string::npos);
  }
}

TEST_F(BuilderSubject, IsCountedFromTheStartOfTheCsr) {
  take(subject_with("2.5.4.11", der::kUtf8String, ""));
  const std::string detail = check(SubjectSource::Csr).error().detail();
  const size_t at = as_text(der_).find(std::string_view("\x0c\0", 2));
  EXPECT_NE(detail.find("byte " + std::to_string(at) + ":"), std::string::npos) << detail;
}

TEST_F(BuilderSubject, WithoutUsableCommonNameIsForProfilesThatIgnoreIt) {
  take(test::common_name_subject(der::kUtf8String, "secret\n"));
  const auto read = check(SubjectSource::DeviceId);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::CsrSubjectInvalid);
  EXPECT_NE(read.error().detail().find("csr_common_name"), std::string::npos);
  EXPECT_EQ(read.error().to_string().find("secret"), std::string::npos);
  EXPECT_TRUE(check(SubjectSource::DeviceId, CommonNameRule::Ignore));
}

TEST_F(Builder, AcceptsACsrWithoutCommonName) {
  const Bytes der =
      test::make_csr_with(key_.get(), {.subject = {{"O", "Example"}}, .extensions = {}});
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  EXPECT_TRUE(make(Profile{}).check(*csr, "dev-9"));
}

TEST_F(Builder, RefusesAnEmptySubjectOnlyWhereItWouldBeKept) {
  const Bytes der = test::make_csr_with(key_.get(), {.subject = {}, .extensions = {}});
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  EXPECT_TRUE(make(Profile{}).check(*csr, "dev-1"));
  Profile kept;
  kept.subject_source = SubjectSource::Csr;
  EXPECT_EQ(make(kept).check(*csr, "dev-1").error().code(), ErrorCode::CsrSubjectInvalid);
}

TEST_F(Builder, RefusesKeysThatTheProfileDoesNotAllow) {
  Profile profile;
  profile.allowed_keys = {KeyType::EcP384, KeyType::Rsa2048};
  EXPECT_EQ(make(profile).check(csr_, "dev-1").error().code(), ErrorCode::CsrKeyNotAllowed);
}

TEST_F(Builder, RefusesTheKeyOfTheCa) {
  const Bytes der = test::make_csr(ca_.key(), "dev-1");
  const auto csr = parse_csr(der);
  ASSERT_TRUE(csr);
  const auto checked = make(Profile{}).check(*csr, "dev-1");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::CsrKeyReserved);
  EXPECT_FALSE(checked.error().detail().empty());
}

TEST_F(Builder, RefusesDeviceIdsThatAreNoHostName) {
  Profile profile;
  profile.subject_alt_names = {"dns:{device_id}.example"};
  const CertificateBuilder builder = make(profile);
  const auto code_for = [&](const std::string& device_id) {
    const Bytes der = test::make_csr_with(key_.get(), {.subject = {}, .extensions = {}});
    const auto checked = builder.check(*parse_csr(der), device_id);
    return checked ? ErrorCode::Internal : checked.error().code();
  };
  EXPECT_EQ(code_for("a1-b.c"), ErrorCode::Internal);
  EXPECT_EQ(code_for("00:11:22"), ErrorCode::DeviceIdInvalid);
  EXPECT_EQ(code_for("a_b"), ErrorCode::DeviceIdInvalid);
  EXPECT_EQ(code_for("a..b"), ErrorCode::DeviceIdInvalid);
  EXPECT_EQ(code_for("a-"), ErrorCode::DeviceIdInvalid);
  EXPECT_EQ(code_for(std::string(64, 'a')), ErrorCode::DeviceIdInvalid);
}

TEST_F(Builder, AssemblesWithTheAlgorithmThatTheBytesName) {
  const auto tbs = make(Profile{}).build_tbs(csr_, request_for("dev-1"));
  ASSERT_TRUE(tbs);
  const Bytes signature = ca_.sign(*tbs);
  const auto assembled = assemble_certificate(*tbs, signature);
  ASSERT_TRUE(assembled);
  EXPECT_EQ(*assembled,
            assemble_certificate(*tbs, signature_algorithm_der(KeyType::EcP256), signature));
  for (size_t size = 0; size < 32; ++size) {
    EXPECT_FALSE(assemble_certificate(ByteView(*tbs).first(size), signature)) << size;
  }
}

TEST(Serials, AreRandomPositiveAndOfFixedLength) {
  std::set<SerialNumber> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto serial = make_serial();
    ASSERT_TRUE(serial);
    EXPECT_GE((*serial)[0], 0x40);
    EXPECT_LE((*serial)[0], 0x7f);
    seen.insert(*serial);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(CertificatePem, IsWhatOpenSslWrites) {
  const SoftwareCa ca;
  EXPECT_EQ(certificate_pem(ca.der()), ca.pem());
  for (const size_t size : {1U, 2U, 47U, 48U, 49U, 96U}) {
    const std::string pem = certificate_pem(Bytes(size, 0x5a));
    const Bio bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long data_size = 0;
    ASSERT_EQ(PEM_read_bio(bio.get(), &name, &header, &data, &data_size), 1) << size;
    EXPECT_EQ(static_cast<size_t>(data_size), size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
}

}  // namespace
}  // namespace linesign
