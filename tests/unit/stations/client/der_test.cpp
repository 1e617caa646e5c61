#include "stations/client/der.h"

#include <gtest/gtest.h>

#include "stations/client/key_maker.h"

namespace linesign::client {
namespace {

Bytes sample_csr() { return KeyMaker::open(KeyKind::EcP256)->make("unit-1")->csr_der; }

TEST(DerReader, RefusesLengthsThatAreNotMinimal) {
  for (const Bytes& bytes : {Bytes{0x04, 0x81, 0x01, 0xaa},
                             Bytes{0x04, 0x82, 0x00, 0x01, 0xaa},
                             Bytes{0x04, 0x80, 0xaa, 0x00, 0x00},
                             Bytes{0x04, 0x84, 0x00, 0x00, 0x00, 0x01, 0xaa},
                             Bytes{0x1f, 0x01, 0xaa},
                             Bytes{0x04},
                             Bytes{0x04, 0x02, 0xaa}}) {
    EXPECT_FALSE(DerReader(bytes).next().has_value()) << to_hex(bytes);
  }
}

TEST(DerValues, AreReadBackAsWritten) {
  for (const size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
    const Bytes content(size, 0x5a);
    const Bytes value = der_value(kDerOctetString, ByteView(content));
    DerReader reader(value);
    const auto read = reader.next(kDerOctetString);
    ASSERT_TRUE(read.has_value()) << size;
    EXPECT_TRUE(equal(read->content, content));
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(CsrOutlines, NameSubjectAndKey) {
  const Bytes csr = sample_csr();
  const auto outline = outline_csr(csr);
  ASSERT_TRUE(outline.has_value());
  EXPECT_EQ(find_common_name(outline->subject), "unit-1");
  EXPECT_EQ(outline->spki.size(), 91U);
}

TEST(CsrOutlines, AreAbsentForACsrCutAnywhere) {
  const Bytes csr = sample_csr();
  for (size_t size = 0; size < csr.size(); ++size)
    EXPECT_FALSE(outline_csr(ByteView(csr).first(size)).has_value()) << size;
  Bytes longer = csr;
  longer.push_back(0);
  EXPECT_FALSE(outline_csr(longer).has_value());
}

TEST(CommonNames, AreReadFromBmpStrings) {
  // SEQUENCE { SET { SEQUENCE { 2.5.4.3, BMPString "Ab" } } }
  const Bytes name = from_hex("300f310d300b06035504031e0400410062").value();
  EXPECT_EQ(find_common_name(name), "Ab");
}

TEST(CommonNames, AreAbsentWithoutOne) {
  EXPECT_FALSE(find_common_name(Bytes{0x30, 0x00}).has_value());
  EXPECT_FALSE(find_common_name(Bytes{0x31, 0x00}).has_value());
}

TEST(Pem, HasLinesOf64Characters) {
  const Bytes der(50, 0);
  EXPECT_EQ(to_pem("X", der),
            "-----BEGIN X-----\n" + std::string(64, 'A') + "\nAAA=\n-----END X-----\n");
  EXPECT_EQ(to_pem("X", Bytes{0xff}), "-----BEGIN X-----\n/w==\n-----END X-----\n");
}

}  // namespace
}  // namespace linesign::client
