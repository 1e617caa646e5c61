// All vectors: the suite of aws-c-auth in both forms, the original suite, linesign's own calls.
#include <Poco/Dynamic/Var.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <gtest/gtest.h>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/sigv4.h"
#include "appliance/cloud/aws/times.h"
#include "tests/unit/appliance/cloud/aws/raw_request.h"

namespace linesign::aws {
namespace {

using Poco::JSON::Object;

Poco::Dynamic::Var parse_json(const std::string& text) { return Poco::JSON::Parser().parse(text); }

std::string text_of(const Object& object, const std::string& key) {
  return object.isNull(key) ? std::string() : object.getValue<std::string>(key);
}

Credentials make_credentials(const std::string& id, std::string secret, std::string token) {
  Credentials credentials;
  credentials.access_key_id = id;
  credentials.secret_access_key = take_secret(secret);
  credentials.session_token = take_secret(token);
  return credentials;
}

std::string without_last_newlines(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string header_of(const std::string& signed_request, const std::string& name) {
  for (const HttpHeader& header : test::parse_raw_request(signed_request).request.headers) {
    if (to_lower(header.name) == name)
      return header.value.substr(header.value.find_first_not_of(' '));
  }
  return {};
}

std::string last_header(const HttpRequest& request, const std::string& name) {
  std::string value;
  for (const HttpHeader& header : request.headers) {
    if (to_lower(header.name) == name) value = header.value;
  }
  return value;
}

// --- aws-c-auth

struct CAuthCase {
  explicit CAuthCase(const std::filesystem::path& case_folder) : folder(case_folder) {
    const auto context =
        parse_json(test::read_vector(folder / "context.json")).extract<Object::Ptr>();
    const auto keys = context->getObject("credentials");
    token = text_of(*keys, "token");
    omits_token = context->optValue("omit_session_token", false);
    credentials = make_credentials(text_of(*keys, "access_key_id"),
                                   text_of(*keys, "secret_access_key"),
                                   omits_token ? "" : token);
    scope = {text_of(*context, "region"),
             text_of(*context, "service"),
             *parse_iso8601(text_of(*context, "timestamp"))};
    valid_for = std::chrono::seconds(context->getValue<int>("expiration_in_seconds"));
    const bool is_normalized = context->getValue<bool>("normalize");
    test::RawRequest raw = test::parse_raw_request(test::read_vector(folder / "request.txt"));
    request = std::move(raw.request);
    // The rule for S3 takes the path as it is sent, which is encoded.
    if (!is_normalized) request.url.path = percent_encode(raw.path, Slash::Keep);
    parts = {is_normalized ? PathRule::Normalize : PathRule::AsSent,
             to_hex(sha256(as_bytes(request.body)))};
    parts.has_hash_header = context->getValue<bool>("sign_body");
  }

  std::string expected(const std::string& name) const { return test::read_vector(folder / name); }

  std::filesystem::path folder;
  Credentials credentials;
  std::string token;
  bool omits_token = false;
  SigningScope scope;
  std::chrono::seconds valid_for{};
  HttpRequest request;
  SignedParts parts;
};

std::string signature_in(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(SigV4Vectors, HeaderFormOfEveryCaseOfAwsCAuth) {
  const auto folders = test::cases_of("aws-c-auth-v4", "context.json");
  EXPECT_EQ(folders.size(), 38U);
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.filename());
    CAuthCase each(folder);
    sign_headers(each.request, each.credentials, each.scope, each.parts);
    const CanonicalRequest canonical =
        canonical_request(each.request, each.parts.path_rule, each.parts.payload_hash);
    EXPECT_EQ(canonical.text, each.expected("header-canonical-request.txt"));
    EXPECT_EQ(string_to_sign(kSigV4Algorithm, each.scope, canonical.text),
              each.expected("header-string-to-sign.txt"));
    const std::string authorization = last_header(each.request, "authorization");
    EXPECT_EQ(signature_in(authorization), each.expected("header-signature.txt"));
    EXPECT_EQ(authorization,
              header_of(each.expected("header-signed-request.txt"), "authorization"));
  }
}

TEST(SigV4Vectors, QueryFormOfEveryCaseOfAwsCAuth) {
  for (const auto& folder : test::cases_of("aws-c-auth-v4", "context.json")) {
    SCOPED_TRACE(folder.filename());
    CAuthCase each(folder);
    presign(each.request, each.credentials, each.scope, each.parts, each.valid_for);
    const std::string& query = each.request.url.query;
    const size_t mark = query.rfind("&X-Amz-Signature=");
    EXPECT_EQ(query.substr(mark + 17), each.expected("query-signature.txt"));
    HttpRequest unsigned_request = each.request;
    unsigned_request.url.query = query.substr(0, mark);
    const CanonicalRequest canonical =
        canonical_request(unsigned_request, each.parts.path_rule, each.parts.payload_hash);
    EXPECT_EQ(canonical.text, each.expected("query-canonical-request.txt"));
    EXPECT_EQ(string_to_sign(kSigV4Algorithm, each.scope, canonical.text),
              each.expected("query-string-to-sign.txt"));
    // The same parameters as in the signed request; their order is free.
    std::string signed_query = query;
    if (each.omits_token) signed_query += "&X-Amz-Security-Token=" + percent_encode(each.token);
    const auto expected = test::parse_raw_request(each.expected("query-signed-request.txt"));
    EXPECT_EQ(canonical_query(signed_query), canonical_query(expected.request.url.query));
  }
}

// --- the original suite

TEST(SigV4Vectors, EveryCaseOfTheOriginalSuite) {
  const auto folders = test::cases_of("classic", ".req");
  EXPECT_EQ(folders.size(), 34U);
  for (const auto& folder : folders) {
    SCOPED_TRACE(folder.filename());
    const std::string name = folder.filename().string();
    const auto file = [&](const std::string& ending) {
      return test::read_vector(folder / (name + ending));
    };
    test::RawRequest raw = test::parse_raw_request(file(".req"));
    raw.request.body = without_last_newlines(raw.request.body);
    // Dates and tokens stand in the requests; the signer adds its own. A token after signing, as
    // post-sts-header-after has it, is none for the signature.
    std::string token = header_of(file(".sreq"), "x-amz-security-token");
    if (file(".creq").find("x-amz-security-token") == std::string::npos) token.clear();
    std::erase_if(raw.request.headers, [](const HttpHeader& header) {
      return to_lower(header.name).starts_with("x-amz-");
    });
    const Credentials credentials =
        make_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token);
    const SigningScope scope{"us-east-1", "service", *parse_iso8601("2015-08-30T12:36:00Z")};
    const SignedParts parts{PathRule::Normalize, to_hex(sha256(as_bytes(raw.request.body)))};
    sign_headers(raw.request, credentials, scope, parts);
    const CanonicalRequest canonical =
        canonical_request(raw.request, parts.path_rule, parts.payload_hash);
    EXPECT_EQ(canonical.text, file(".creq"));
    EXPECT_EQ(string_to_sign(kSigV4Algorithm, scope, canonical.text), file(".sts"));
    EXPECT_EQ(last_header(raw.request, "authorization"), file(".authz"));
  }
}

// --- linesign's own calls

bool is_added_by_signing(const std::string& name) {
  return name == "x-amz-date" || name == "x-amz-security-token" || name == "authorization" ||
         name == "x-amz-content-sha256" || name == "content-length";
}

HttpRequest request_of(const Object& vector, const std::string& url) {
  HttpRequest request;
  request.url = parse_url(url).value();
  const auto sent = vector.getObject("request");
  if (sent.isNull()) return request;
  request.method = text_of(*sent, "method");
  request.body = text_of(*sent, "body");
  const auto headers = sent->getObject("headers");
  for (const std::string& name : headers->getNames()) {
    if (!is_added_by_signing(to_lower(name)))
      request.headers.push_back({name, headers->getValue<std::string>(name)});
  }
  return request;
}

SignedParts parts_of(const std::string& service, const std::string& body) {
  const bool is_s3 = service == "s3";
  return {is_s3 ? PathRule::AsSent : PathRule::Normalize, to_hex(sha256(as_bytes(body))), is_s3};
}

TEST(SigV4Vectors, EveryCallOfOurs) {
  const auto vectors = parse_json(test::read_vector(test::vectors() / "linesign-operations.json"))
                           .extract<Poco::JSON::Array::Ptr>();
  EXPECT_EQ(vectors->size(), 21U);
  for (unsigned i = 0; i < vectors->size(); ++i) {
    const Object& vector = *vectors->getObject(i);
    SCOPED_TRACE(text_of(vector, "name"));
    const Credentials credentials = make_credentials(text_of(vector, "access_key_id"),
                                                     text_of(vector, "secret_access_key"),
                                                     text_of(vector, "session_token"));
    const SigningScope scope{text_of(vector, "region"),
                             text_of(vector, "signing_name"),
                             *parse_iso8601("2025-03-14T09:26:53Z")};
    if (vector.has("expires")) {
      const std::string url = text_of(vector, "url");
      HttpRequest request = request_of(vector, url.substr(0, url.find('?')));
      presign(request,
              credentials,
              scope,
              {PathRule::AsSent, std::string(kUnsignedPayload)},
              std::chrono::seconds(vector.getValue<int>("expires")));
      EXPECT_EQ(to_string(request.url), url);
      continue;
    }
    HttpRequest request = request_of(vector, text_of(*vector.getObject("request"), "url"));
    const SignedParts parts = parts_of(scope.service, request.body);
    sign_headers(request, credentials, scope, parts);
    const CanonicalRequest canonical =
        canonical_request(request, parts.path_rule, parts.payload_hash);
    EXPECT_EQ(canonical.text, text_of(vector, "canonical_request"));
    EXPECT_EQ(last_header(request, "authorization"), text_of(vector, "authorization"));
  }
}

}  // namespace
}  // namespace linesign::aws
