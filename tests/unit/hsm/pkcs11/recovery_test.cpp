#include "hsm/pkcs11/recovery.h"

#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

namespace linesign {
namespace {

struct Row {
  const char* name;
  unsigned long ckr;
  Recovery recovery;
};

class CkrRecovery : public ::testing::TestWithParam<Row> {};

TEST_P(CkrRecovery, IsAsWritten) {
  EXPECT_EQ(recovery_of(ckr_code(GetParam().ckr)), GetParam().recovery);
  EXPECT_EQ(ckr_name(GetParam().ckr), GetParam().name);
}

#define ROW(name, recovery) \
  Row { #name, name, Recovery::recovery }
INSTANTIATE_TEST_SUITE_P(Table,
                         CkrRecovery,
                         ::testing::Values(ROW(CKR_DEVICE_ERROR, RetryAtOnce),
                                           ROW(CKR_FUNCTION_FAILED, RetryAtOnce),
                                           ROW(CKR_DEVICE_MEMORY, RetryAtOnce),
                                           ROW(CKR_HOST_MEMORY, RetryAtOnce),
                                           ROW(CKR_DEVICE_REMOVED, Restart),
                                           ROW(CKR_TOKEN_NOT_PRESENT, Restart),
                                           ROW(CKR_SESSION_HANDLE_INVALID, Restart),
                                           ROW(CKR_SESSION_CLOSED, Restart),
                                           ROW(CKR_USER_NOT_LOGGED_IN, Restart),
                                           ROW(CKR_OBJECT_HANDLE_INVALID, Restart),
                                           ROW(CKR_KEY_HANDLE_INVALID, Restart),
                                           ROW(CKR_OPERATION_ACTIVE, Restart),
                                           ROW(CKR_OPERATION_NOT_INITIALIZED, Restart),
                                           ROW(CKR_CRYPTOKI_NOT_INITIALIZED, Restart),
                                           ROW(CKR_GENERAL_ERROR, Restart),
                                           ROW(CKR_SESSION_COUNT, Restart),
                                           ROW(CKR_PIN_INCORRECT, Stop),
                                           ROW(CKR_PIN_LOCKED, Stop),
                                           ROW(CKR_PIN_EXPIRED, Stop),
                                           ROW(CKR_USER_PIN_NOT_INITIALIZED, Stop),
                                           ROW(CKR_KEY_FUNCTION_NOT_PERMITTED, Stop),
                                           ROW(CKR_MECHANISM_INVALID, Stop)),
                         [](const auto& row) { return std::string(row.param.name); });
#undef ROW

TEST(Recovery, StartsAgainAfterAValueThatNobodyKnows) {
  EXPECT_EQ(recovery_of(ckr_code(0x80000123)), Recovery::Restart);
  EXPECT_EQ(ckr_name(0x80000123), "CKR 0x80000123");
}

TEST(Recovery, StopsForAKeyThatIsNotTheRightOne) {
  for (const ErrorCode code : {ErrorCode::HsmKeyNotFound,
                               ErrorCode::HsmKeyAmbiguous,
                               ErrorCode::HsmKeyMismatch,
                               ErrorCode::HsmKeyUnsafe})
    EXPECT_EQ(recovery_of(code), Recovery::Stop);
}

TEST(Recovery, StartsAgainAfterAWrongSignature) {
  EXPECT_EQ(recovery_of(ErrorCode::HsmSignatureWrong), Recovery::Restart);
}

TEST(Recovery, TriesTheStartAgainForWhatAnotherLoginCauses) {
  for (const CK_RV ckr :
       {CKR_GENERAL_ERROR, CKR_USER_PIN_NOT_INITIALIZED, CKR_TOKEN_NOT_RECOGNIZED})
    EXPECT_TRUE(is_transient_at_start(ckr_code(ckr))) << ckr_name(ckr);
  EXPECT_TRUE(is_transient_at_start(ErrorCode::HsmTokenNotFound));
}

TEST(Recovery, NeverTriesAPinAgain) {
  for (const CK_RV ckr :
       {CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_PIN_EXPIRED, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE})
    EXPECT_FALSE(is_transient_at_start(ckr_code(ckr))) << ckr_name(ckr);
}

TEST(Recovery, NamesCallAndValueInTheError) {
  const Error error = ckr_error("C_Sign", CKR_DEVICE_ERROR);
  EXPECT_EQ(error.code(), ErrorCode::HsmOperationFailed);
  EXPECT_EQ(error.detail(), "C_Sign: CKR_DEVICE_ERROR");
}

}  // namespace
}  // namespace linesign
