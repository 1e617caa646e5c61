#include "hsm/pkcs11/openssl_errors.h"

#include <gtest/gtest.h>
#include <libp11.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

namespace linesign {
namespace {

void put_ckr(unsigned long value) { ERR_raise(ERR_get_CKR_code(), static_cast<int>(value)); }

TEST(OpensslErrors, FindsThePkcs11ValueBehindOthers) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_DSO, ERR_R_INTERNAL_ERROR);
  put_ckr(CKR_DEVICE_ERROR);
  ERR_raise(ERR_LIB_EVP, ERR_R_EC_LIB);
  const Error error = take_openssl_error("C_Sign");
  EXPECT_EQ(error.code(), ErrorCode::HsmOperationFailed);
  EXPECT_EQ(error.detail(), "C_Sign: CKR_DEVICE_ERROR");
}

TEST(OpensslErrors, LeavesTheQueueEmpty) {
  put_ckr(CKR_DEVICE_ERROR);
  put_ckr(CKR_GENERAL_ERROR);
  static_cast<void>(take_openssl_error("C_Sign"));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(OpensslErrors, MeansUnavailableWithoutAPkcs11Value) {
  ERR_clear_error();
  EXPECT_EQ(take_openssl_error("PKCS11_enumerate_keys").code(), ErrorCode::HsmUnavailable);
  ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR);
  EXPECT_EQ(take_openssl_error("EVP_PKEY_sign").code(), ErrorCode::HsmUnavailable);
}

}  // namespace
}  // namespace linesign
