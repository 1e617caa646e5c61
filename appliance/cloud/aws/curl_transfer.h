// CurlTransfer: one request on one easy handle of libcurl, from its options to its answer.
//
// Ownership  the request and the settings are borrowed and outlive it
// Threads    one thread at a time; see CurlTransport
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSFER_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSFER_H_

#include <array>
#include <memory>
#include <optional>
#include <string>

#include <curl/curl.h>

#include "appliance/cloud/aws/curl_transport.h"

namespace linesign::aws {

class CurlTransfer final {
 public:
  static Result<std::unique_ptr<CurlTransfer>> create(const HttpRequest& request,
                                                      const TransportSettings& settings);
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;
  ~CurlTransfer() = default;

  CURL* handle() const { return handle_.get(); }

  // Once libcurl is done with the handle.
  Result<HttpResponse> finish(CURLcode code);

 private:
  struct EasyCleanup {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  struct ListFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  explicit CurlTransfer(const HttpRequest& request) : request_(request) {}
  bool set_options(const TransportSettings& settings);
  bool set_security(const TransportSettings& settings);
  bool set_proxy(const ProxySettings& proxies);
  bool set_method_and_body();
  bool set_headers();
  bool add_header(const std::string& line);

  size_t take_header(std::string_view line);
  size_t take_body(std::string_view piece);
  size_t give_body(char* buffer, size_t size);
  bool rewind_to(curl_off_t offset);
  size_t refuse(Error error);

  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_body(char* data, size_t size, size_t count, void* self);
  static size_t on_upload(char* buffer, size_t size, size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);

  const HttpRequest& request_;
  std::unique_ptr<CURL, EasyCleanup> handle_;
  std::unique_ptr<curl_slist, ListFree> headers_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  HttpResponse response_;
  std::optional<Error> refusal_;  // why a callback ended the transfer
  uint64_t body_bytes_ = 0;
  size_t header_bytes_ = 0;
  uint64_t sent_bytes_ = 0;  // of the file
  bool sink_began_ = false;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSFER_H_
