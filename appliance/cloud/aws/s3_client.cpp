#include "appliance/cloud/aws/s3_client.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/file_sink.h"
#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

// As long as bytes flow; a plant's line may be slow.
constexpr HttpTimeouts kFileTimeouts{
    std::chrono::seconds(10), std::chrono::milliseconds(0), std::chrono::seconds(60)};

struct OpenFile {
  UniqueFd fd;
  uint64_t size_bytes = 0;
};

Result<OpenFile> open_file(const std::filesystem::path& path) {
  OpenFile file{UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), 0};
  struct stat status {};
  if (!file.fd || ::fstat(file.fd.get(), &status) != 0)
    return fail(ErrorCode::Io, fmt::format("{}: {}", path.string(), errno_text(errno)));
  file.size_bytes = static_cast<uint64_t>(status.st_size);
  if (file.size_bytes > kLargestPut)
    return fail(ErrorCode::InputInvalid, path.string() + ": more than 5 GiB");
  return file;
}

Result<void> check_bucket(std::string_view bucket) {
  const bool is_name =
      bucket.size() >= 3 && bucket.size() <= 63 &&
      std::all_of(bucket.begin(), bucket.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
      });
  if (is_name) return {};
  return fail(ErrorCode::InputInvalid, "a bucket has 3 to 63 of the characters a-z 0-9 . -");
}

Result<void> check_location(const S3Location& at) {
  LS_CHECK(check_bucket(at.bucket));
  if (!at.key.empty() && at.key.size() <= 1024) return {};
  return fail(ErrorCode::InputInvalid, "an S3 key has 1 to 1024 bytes");
}

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// S3 says AccessDenied of a link whose time is over, whatever the credentials may do.
Error explain_expired(const Error& error, const std::optional<ServiceError>& said) {
  const bool is_expired = error.code() == ErrorCode::AwsDenied && said &&
                          said->message.find("Request has expired") != std::string::npos;
  return is_expired ? Error(ErrorCode::AwsUnavailable, error.detail() + ": ask for a new link")
                    : error;
}

Call object_call(std::string operation, std::string method, const S3Location& at) {
  Call call;
  call.operation = std::move(operation);
  call.method = std::move(method);
  call.path = "/" + percent_encode(at.key, Slash::Keep);
  return call;
}

}  // namespace

S3Client::S3Client(ClientParts parts, const Settings& settings, std::string region)
    : client_(parts),
      anonymous_([&parts] {
        parts.authenticator = std::make_shared<NoAuthenticator>();
        return std::move(parts);
      }()),
      settings_(settings),
      region_(std::move(region)) {}

Result<HttpResponse> S3Client::call_bucket(Call call, const std::string& bucket) {
  LS_TRY(const Endpoint endpoint, find_endpoint(Service::S3, region_, settings_));
  call.endpoint = with_bucket(endpoint, bucket);
  auto response = client_.call(call);
  const auto& error = client_.service_error();
  if (response.has_value() || !error || !is_region(error->region) || error->region == region_)
    return response;
  LS_TRY(const Endpoint elsewhere, find_endpoint(Service::S3, error->region, settings_));
  call.endpoint = with_bucket(elsewhere, bucket);
  return client_.call(call);
}

Result<UploadOutcome> S3Client::upload(const S3Upload& upload) {
  LS_CHECK(check_location(upload.to));
  LS_TRY(const OpenFile file, open_file(upload.file));
  const auto hash = sha256_of_file(file.fd.get(), file.size_bytes);
  if (!hash.has_value()) return fail(hash.error().with_context(upload.file.string()));

  Call call = object_call("PutObject", "PUT", upload.to);
  call.headers = {{"Content-Type", upload.content_type},
                  {"If-None-Match", "*"},
                  {"x-amz-checksum-sha256", to_base64(*hash)}};
  if (!upload.kms_key_id.empty()) {
    call.headers.push_back({"x-amz-server-side-encryption", "aws:kms"});
    call.headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", upload.kms_key_id});
  }
  if (!upload.expected_owner.empty())
    call.headers.push_back({"x-amz-expected-bucket-owner", upload.expected_owner});
  call.body_file = BodyFile{file.fd.get(), file.size_bytes};
  call.body_file_sha256 = to_hex(*hash);
  call.timeouts = kFileTimeouts;
  auto response = call_bucket(std::move(call), upload.to.bucket);
  if (response.has_value()) return UploadOutcome::Created;
  if (response.error().code() == ErrorCode::AwsExists) return UploadOutcome::Existed;
  return fail(std::move(response).error());
}

Result<S3Object> S3Client::head_object(const S3Location& at) {
  LS_CHECK(check_location(at));
  Call call = object_call("HeadObject", "HEAD", at);
  call.headers = {{"x-amz-checksum-mode", "ENABLED"}};
  LS_TRY(const HttpResponse response, call_bucket(std::move(call), at.bucket));
  S3Object object;
  const std::string_view size = response.header("content-length");
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), object.size_bytes);
  if (error != std::errc{} || end != size.data() + size.size())
    return fail(ErrorCode::AwsAnswerUnreadable, "HeadObject: Content-Length is missing");
  object.etag = response.header("etag");
  object.checksum_sha256 = response.header("x-amz-checksum-sha256");
  return object;
}

Result<void> S3Client::delete_object(const S3Location& at, const std::string& expected_owner) {
  LS_CHECK(check_location(at));
  Call call = object_call("DeleteObject", "DELETE", at);
  if (!expected_owner.empty())
    call.headers.push_back({"x-amz-expected-bucket-owner", expected_owner});
  LS_CHECK(call_bucket(std::move(call), at.bucket));
  return {};
}

Result<std::string> S3Client::head_bucket(const std::string& bucket) {
  LS_CHECK(check_bucket(bucket));
  Call call;
  call.operation = "HeadBucket";
  call.method = "HEAD";
  call.path = "/";
  LS_TRY(const HttpResponse response, call_bucket(std::move(call), bucket));
  const std::string_view region = response.header("x-amz-bucket-region");
  return region.empty() ? region_ : std::string(region);
}

Result<uint64_t> S3Client::download(const std::string& presigned_url,
                                    const std::filesystem::path& file,
                                    uint64_t max_bytes) {
  Call call;
  call.operation = "the report";
  call.endpoint.service = Service::S3;
  LS_TRY(call.endpoint.url, parse_url(presigned_url));
  if (!call.endpoint.url.tls && !is_loopback(call.endpoint.url.host))
    return fail(ErrorCode::AwsAnswerUnreadable, "the report: its URL is not https://");
  call.timeouts = kFileTimeouts;
  call.max_answer_bytes = max_bytes;
  FileSink sink(file);
  call.sink = [&sink](std::string_view piece) { return sink.take(piece); };
  const auto done = anonymous_.call(call);
  if (!done.has_value()) return fail(explain_expired(done.error(), anonymous_.service_error()));
  return sink.finish();
}

}  // namespace linesign::aws
