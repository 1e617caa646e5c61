// CurlTransport: HTTP over libcurl.
//
// One thread drives all transfers and keeps connections alive for whoever comes next; callers wait
// for theirs. TLS 1.2 at least, the server's certificate and name are always verified, no redirect
// is followed, no cookie is kept, nothing is read from .netrc, and no environment variable but
// those that came in through ProxySettings counts.
//
// Threads  safe anywhere; destroy it after the last send() has returned
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSPORT_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "appliance/cloud/aws/http_transport.h"

namespace linesign::aws {

struct ProxySettings {
  std::string for_https{};  // URL; empty: none. May hold a password
  std::string for_http{};
  std::string none_for{};  // host names and suffixes, by commas; "*": all
};

struct TransportSettings {
  std::optional<std::filesystem::path> ca_bundle{};  // PEM, in place of the system's trust store
  ProxySettings proxies{};
};

class CurlTransport final : public HttpTransport {
 public:
  // Errors: Internal, AwsSettings when the CA bundle cannot be read.
  static Result<std::unique_ptr<CurlTransport>> create(TransportSettings settings);
  ~CurlTransport() override;

  Result<HttpResponse> send(const HttpRequest& request) override;

  // Every transfer, running and to come, ends with Interrupted.
  void cancel();

 private:
  class Worker;
  CurlTransport(TransportSettings settings, std::unique_ptr<Worker> worker);
  TransportSettings settings_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CURL_TRANSPORT_H_
