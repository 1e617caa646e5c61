#include "appliance/cloud/aws/error_codes.h"

#include <algorithm>
#include <array>

namespace linesign::aws {
namespace {

struct Row {
  std::string_view code;
  CodeMeaning meaning;
};

constexpr CodeMeaning kThrottled{ErrorCode::AwsThrottled, Remedy::SlowDown};
constexpr CodeMeaning kUnavailable{ErrorCode::AwsUnavailable, Remedy::TryAgain};
constexpr CodeMeaning kSkewed{ErrorCode::AwsClockSkew, Remedy::SetClock};
// The usual rotation of a key ends so: a new one stands in the file, and the old one is deleted.
constexpr CodeMeaning kUnknownKey{ErrorCode::AwsCredentialsRefused, Remedy::RenewCredentials};
constexpr CodeMeaning kNoKey{ErrorCode::AwsCredentialsRefused, Remedy::None};
constexpr CodeMeaning kWrongSignature{ErrorCode::AwsCredentialsRefused, Remedy::PerhapsSetClock};
constexpr CodeMeaning kExpired{ErrorCode::AwsCredentialsExpired, Remedy::RenewCredentials};
constexpr CodeMeaning kDenied{ErrorCode::AwsDenied, Remedy::None};
constexpr CodeMeaning kNotFound{ErrorCode::AwsNotFound, Remedy::None};
constexpr CodeMeaning kExists{ErrorCode::AwsExists, Remedy::None};
constexpr CodeMeaning kConflict{ErrorCode::AwsConflict, Remedy::None};
constexpr CodeMeaning kQuota{ErrorCode::AwsQuota, Remedy::None};
constexpr CodeMeaning kElsewhere{ErrorCode::AwsWrongRegion, Remedy::None};
constexpr CodeMeaning kRefused{ErrorCode::AwsRefused, Remedy::None};

constexpr std::array kRows = {
    Row{"Throttling", kThrottled},
    Row{"ThrottlingException", kThrottled},
    Row{"ThrottledException", kThrottled},
    Row{"RequestThrottledException", kThrottled},
    Row{"RequestThrottled", kThrottled},
    Row{"TooManyRequestsException", kThrottled},
    Row{"RequestLimitExceeded", kThrottled},
    Row{"BandwidthLimitExceeded", kThrottled},
    Row{"ProvisionedThroughputExceededException", kThrottled},
    Row{"TransactionInProgressException", kThrottled},
    Row{"PriorRequestNotComplete", kThrottled},
    Row{"SlowDown", kThrottled},
    Row{"EC2ThrottledException", kThrottled},
    Row{"InternalError", kUnavailable},
    Row{"InternalFailure", kUnavailable},
    Row{"InternalFailureException", kUnavailable},
    Row{"ServiceUnavailable", kUnavailable},
    Row{"ServiceUnavailableException", kUnavailable},
    Row{"RequestTimeout", kUnavailable},
    Row{"RequestTimeoutException", kUnavailable},
    Row{"IDPCommunicationError", kUnavailable},
    Row{"RequestTimeTooSkewed", kSkewed},
    Row{"RequestExpired", kSkewed},
    Row{"RequestInTheFuture", kSkewed},
    Row{"InvalidSignatureException", kWrongSignature},
    Row{"SignatureDoesNotMatch", kWrongSignature},
    Row{"AuthFailure", kWrongSignature},
    Row{"IncompleteSignature", kNoKey},
    Row{"IncompleteSignatureException", kNoKey},
    Row{"InvalidAccessKeyId", kUnknownKey},
    Row{"InvalidClientTokenId", kUnknownKey},
    Row{"InvalidToken", kUnknownKey},
    Row{"MissingAuthenticationToken", kNoKey},
    Row{"MissingAuthenticationTokenException", kNoKey},
    Row{"UnrecognizedClientException", kUnknownKey},
    Row{"ExpiredToken", kExpired},
    Row{"ExpiredTokenException", kExpired},
    Row{"TokenRefreshRequired", kExpired},
    Row{"AccessDenied", kDenied},
    Row{"AccessDeniedException", kDenied},
    Row{"ForbiddenException", kDenied},
    Row{"UnauthorizedException", kDenied},
    Row{"UnauthorizedOperation", kDenied},
    Row{"NoSuchBucket", kNotFound},
    Row{"NoSuchKey", kNotFound},
    Row{"ResourceNotFoundException", kNotFound},
    Row{"PreconditionFailed", kExists},
    Row{"ResourceAlreadyExistsException", kExists},
    Row{"CertificateConflictException", kConflict},
    Row{"CertificateStateException", kConflict},
    Row{"ConflictingResourceUpdateException", kConflict},
    Row{"DeleteConflictException", kConflict},
    Row{"TransferAlreadyCompletedException", kConflict},
    Row{"TransferConflictException", kConflict},
    Row{"VersionConflictException", kConflict},
    // Two PUTs of one key at the same time; S3 asks to repeat one of them.
    Row{"ConditionalRequestConflict", {ErrorCode::AwsConflict, Remedy::TryAgain}},
    Row{"OperationAborted", {ErrorCode::AwsConflict, Remedy::TryAgain}},
    // Other SDKs take it for throttling; in AWS IoT it is a hard limit.
    Row{"LimitExceededException", kQuota},
    Row{"ServiceQuotaExceededException", kQuota},
    Row{"AuthorizationHeaderMalformed", kElsewhere},
    Row{"PermanentRedirect", kElsewhere},
    Row{"TemporaryRedirect", kElsewhere},
    Row{"Redirect", kElsewhere},
};

CodeMeaning meaning_of_status(int status) {
  switch (status) {
    case 301:
    case 307:
      return kElsewhere;
    case 401:
    case 403:
      return kDenied;
    case 404:
      return kNotFound;
    case 409:
      return kConflict;
    case 412:
      return kExists;
    case 429:
      return kThrottled;
    default:
      return status >= 500 ? kUnavailable : kRefused;
  }
}

}  // namespace

CodeMeaning meaning_of(std::string_view code, int status) {
  const auto* const row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& each) { return each.code == code; });
  if (row != kRows.end()) return row->meaning;
  // A code that is not in the table, at 404 or 409, may mean anything but "not there" or "exists".
  const bool is_plain = code.empty() || status >= 500 || status == 429 || status == 403;
  return is_plain ? meaning_of_status(status) : kRefused;
}

}  // namespace linesign::aws
