#include "hsm/x509/der_writer.h"

#include <gtest/gtest.h>

#include "hsm/x509/handles.h"

namespace linesign {
namespace {

TEST(DerWriter, WritesLengthsInTheirShortestForm) {
  EXPECT_EQ(to_hex(make_element(0x04, Bytes())), "0400");
  EXPECT_EQ(to_hex(ByteView(make_element(0x04, Bytes(127))).first(2)), "047f");
  EXPECT_EQ(to_hex(ByteView(make_element(0x04, Bytes(128))).first(3)), "048180");
  EXPECT_EQ(to_hex(ByteView(make_element(0x04, Bytes(256))).first(4)), "04820100");
  EXPECT_EQ(to_hex(ByteView(make_element(0x04, Bytes(65536))).first(5)), "0483010000");
}

TEST(DerWriter, SizesAreWhatIsWritten) {
  for (const size_t size : {0U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
    EXPECT_EQ(make_element(0x04, Bytes(size)).size(), der_size(size));
  }
}

TEST(ObjectIds, AreEncodedAsOpenSslDoes) {
  for (const char* dotted : {"2.5.4.3",
                             "1.2.840.113549.1.1.11",
                             "0.9.2342.19200300.100.1.25",
                             "2.999.1",
                             "1.3.6.1.4.1.4294967295"}) {
    const auto ours = encode_object_id(dotted);
    ASSERT_TRUE(ours) << dotted;
    ASN1_OBJECT* object = OBJ_txt2obj(dotted, 1);
    unsigned char* theirs = nullptr;
    const int size = i2d_ASN1_OBJECT(object, &theirs);
    EXPECT_TRUE(equal(*ours, ByteView(theirs, static_cast<size_t>(size)))) << dotted;
    OPENSSL_free(theirs);
    ASN1_OBJECT_free(object);
  }
}

TEST(ObjectIds, AreRefusedWhenTheyAreNone) {
  for (const char* text : {"",
                           "1",
                           "1.",
                           ".1",
                           "3.1",
                           "1.40",
                           "0.40",
                           "1.2.a",
                           "1..2",
                           "1.02",
                           "1.2.4294967296",
                           "-1.2",
                           "1.2 ",
                           "clientAuth"}) {
    EXPECT_FALSE(encode_object_id(text)) << text;
  }
}

}  // namespace
}  // namespace linesign
