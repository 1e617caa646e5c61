#include "appliance/cloud/aws/curl_transfer.h"

#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/version.h"

namespace linesign::aws {
namespace {

constexpr size_t kMaxHeaderBytes = 64 * 1024;

template <typename T>
bool set(CURL* handle, CURLoption option, T value) {
  return curl_easy_setopt(handle, option, value) == CURLE_OK;
}

// libcurl's failures by what a caller has to know: was anything sent, and whose fault is it.
ErrorCode error_of(CURLcode code, bool was_sent) {
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:  // callbacks have their own reasons; what is left is cancel()
      return ErrorCode::Interrupted;
    case CURLE_PEER_FAILED_VERIFICATION:
      return ErrorCode::AwsNotTrusted;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return ErrorCode::AwsSettings;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return ErrorCode::AwsAnswerUnreadable;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return ErrorCode::Internal;
    case CURLE_OPERATION_TIMEDOUT:
      return was_sent ? ErrorCode::AwsTimeout : ErrorCode::AwsUnreachable;
    default:
      return was_sent ? ErrorCode::AwsConnectionLost : ErrorCode::AwsUnreachable;
  }
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Result<std::unique_ptr<CurlTransfer>> CurlTransfer::create(const HttpRequest& request,
                                                           const TransportSettings& settings) {
  std::unique_ptr<CurlTransfer> transfer(new CurlTransfer(request));
  transfer->handle_.reset(curl_easy_init());
  if (!transfer->handle_ || !transfer->set_options(settings))
    return fail(ErrorCode::Internal, "libcurl: a request cannot be prepared");
  return transfer;
}

bool CurlTransfer::set_options(const TransportSettings& settings) {
  CURL* const curl = handle();
  const HttpTimeouts& timeouts = request_.timeouts;
  return set(curl, CURLOPT_URL, to_string(request_.url).c_str()) &&
         set(curl, CURLOPT_PATH_AS_IS, 1L) && set(curl, CURLOPT_ERRORBUFFER, message_.data()) &&
         set(curl, CURLOPT_NOSIGNAL, 1L) && set(curl, CURLOPT_QUICK_EXIT, 1L) &&
         set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(curl, CURLOPT_HTTP09_ALLOWED, 0L) && set(curl, CURLOPT_TCP_KEEPALIVE, 1L) &&
         set(curl, CURLOPT_FRESH_CONNECT, request_.own_connection ? 1L : 0L) &&
         set(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeouts.connect.count())) &&
         set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeouts.total.count())) &&
         set(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) &&
         set(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(timeouts.stalled.count())) &&
         set(curl, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header) &&
         set(curl, CURLOPT_HEADERDATA, static_cast<void*>(this)) &&
         set(curl, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body) &&
         set(curl, CURLOPT_WRITEDATA, static_cast<void*>(this)) && set_security(settings) &&
         set_proxy(settings.proxies) && set_method_and_body() && set_headers();
}

bool CurlTransfer::set_security(const TransportSettings& settings) {
  CURL* const curl = handle();
  const bool is_set =
      set(curl, CURLOPT_PROTOCOLS_STR, request_.url.tls ? "https" : "http") &&
      set(curl, CURLOPT_FOLLOWLOCATION, 0L) && set(curl, CURLOPT_NETRC, long{CURL_NETRC_IGNORED}) &&
      set(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
      set(curl, CURLOPT_SSL_VERIFYPEER, 1L) && set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!is_set || !settings.ca_bundle) return is_set;
  // Debian's libcurl also trusts the folder /etc/ssl/certs, which the bundle is to replace.
  const std::string bundle = settings.ca_bundle->string();
  return set(curl, CURLOPT_CAINFO, bundle.c_str()) &&
         set(curl, CURLOPT_CAPATH, static_cast<char*>(nullptr)) &&
         set(curl, CURLOPT_PROXY_CAINFO, bundle.c_str()) &&
         set(curl, CURLOPT_PROXY_CAPATH, static_cast<char*>(nullptr));
}

bool CurlTransfer::set_proxy(const ProxySettings& proxies) {
  // Empty texts, not null: they keep libcurl from looking into the environment itself.
  const std::string none;
  const std::string& proxy = request_.url.tls ? proxies.for_https : proxies.for_http;
  const bool is_direct = request_.direct || is_loopback(request_.url.host);
  return set(handle(), CURLOPT_PROXY, (is_direct ? none : proxy).c_str()) &&
         set(handle(), CURLOPT_NOPROXY, proxies.none_for.c_str()) &&
         set(handle(), CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

bool CurlTransfer::set_method_and_body() {
  CURL* const curl = handle();
  if (request_.body_file) {
    return set(curl, CURLOPT_UPLOAD, 1L) &&
           set(curl, CURLOPT_CUSTOMREQUEST, request_.method.c_str()) &&
           set(curl,
               CURLOPT_INFILESIZE_LARGE,
               static_cast<curl_off_t>(request_.body_file->size_bytes)) &&
           set(curl, CURLOPT_READFUNCTION, &CurlTransfer::on_upload) &&
           set(curl, CURLOPT_READDATA, static_cast<void*>(this)) &&
           set(curl, CURLOPT_SEEKFUNCTION, &CurlTransfer::on_seek) &&
           set(curl, CURLOPT_SEEKDATA, static_cast<void*>(this));
  }
  if (request_.method == "GET") return set(curl, CURLOPT_HTTPGET, 1L);
  if (request_.method == "HEAD") return set(curl, CURLOPT_NOBODY, 1L);
  if (request_.method == "DELETE" && request_.body.empty())
    return set(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
  return set(curl, CURLOPT_POST, 1L) &&
         set(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size())) &&
         set(curl, CURLOPT_POSTFIELDS, request_.body.data()) &&
         set(curl, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

bool CurlTransfer::add_header(const std::string& line) {
  curl_slist* const longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(headers_.release());
  headers_.reset(longer);
  return true;
}

bool CurlTransfer::set_headers() {
  bool names_type = false;
  for (const HttpHeader& header : request_.headers) {
    names_type = names_type || to_lower(header.name) == "content-type";
    // Without a value libcurl wants ';' where others write ':'.
    const std::string line =
        header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    if (line.find_first_of("\r\n") != std::string::npos || !add_header(line)) return false;
  }
  if (!names_type && !add_header("Content-Type:")) return false;  // not libcurl's own idea of it
  if (!request_.body_file && !add_header("Expect:")) return false;
  return add_header("Host: " + host_header(request_.url)) &&
         set(handle(), CURLOPT_USERAGENT, std::string(kSoftware).c_str()) &&
         set(handle(), CURLOPT_HTTPHEADER, headers_.get());
}

size_t CurlTransfer::refuse(Error error) {
  if (!refusal_) refusal_ = std::move(error);
  return 0;
}

size_t CurlTransfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes)
    return refuse(Error(ErrorCode::AwsAnswerUnreadable, "the headers are too long"));
  if (line.starts_with("HTTP/")) {
    response_.headers.clear();  // those of an interim answer
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  response_.headers.push_back(
      {to_lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))});
  return line.size();
}

size_t CurlTransfer::take_body(std::string_view piece) {
  body_bytes_ += piece.size();
  if (body_bytes_ > request_.max_answer_bytes) {
    return refuse(Error(ErrorCode::AwsAnswerUnreadable,
                        fmt::format("more than {} bytes", request_.max_answer_bytes)));
  }
  long status = 0;
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  if (!request_.sink || status < 200 || status >= 300) {
    response_.body.append(piece);
    return piece.size();
  }
  if (!sink_began_) {
    sink_began_ = true;
    if (auto begun = request_.sink({}); !begun.has_value()) return refuse(std::move(begun).error());
  }
  if (auto taken = request_.sink(piece); !taken.has_value())
    return refuse(std::move(taken).error());
  return piece.size();
}

size_t CurlTransfer::give_body(char* buffer, size_t size) {
  const BodyFile& file = *request_.body_file;
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(size, file.size_bytes - sent_bytes_));
  if (wanted == 0) return 0;
  ssize_t got = 0;
  do {
    got = ::pread(file.fd, buffer, wanted, static_cast<off_t>(sent_bytes_));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    const std::string why = got < 0 ? errno_text(errno) : "the file has become shorter";
    refuse(Error(ErrorCode::Io, "sending a file: " + why));
    return CURL_READFUNC_ABORT;
  }
  sent_bytes_ += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

bool CurlTransfer::rewind_to(curl_off_t offset) {
  if (offset < 0 || static_cast<uint64_t>(offset) > request_.body_file->size_bytes) return false;
  sent_bytes_ = static_cast<uint64_t>(offset);
  return true;
}

size_t CurlTransfer::on_header(char* data, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_header({data, size * count});
}

size_t CurlTransfer::on_body(char* data, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_body({data, size * count});
}

size_t CurlTransfer::on_upload(char* buffer, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->give_body(buffer, size * count);
}

int CurlTransfer::on_seek(void* self, curl_off_t offset, int origin) {
  const bool done = origin == SEEK_SET && static_cast<CurlTransfer*>(self)->rewind_to(offset);
  return done ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

Result<HttpResponse> CurlTransfer::finish(CURLcode code) {
  if (refusal_) return fail(refusal_->with_context(request_.url.host));
  if (code != CURLE_OK) {
    curl_off_t began = 0;  // microseconds until the request itself could begin
    curl_easy_getinfo(handle(), CURLINFO_PRETRANSFER_TIME_T, &began);
    long proxy_status = 0;
    curl_easy_getinfo(handle(), CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status == 407) return fail(ErrorCode::AwsSettings, "the proxy wants another login");
    const std::string reason = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
    return fail(error_of(code, began > 0), fmt::format("{}: {}", request_.url.host, trim(reason)));
  }
  long status = 0;
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  if (request_.sink && response_.is_success() && !sink_began_) LS_CHECK(request_.sink({}));
  return std::move(response_);
}

}  // namespace linesign::aws
