#include "tests/unit/appliance/cloud/registration/double_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <Poco/JSON/Parser.h>
#include <fmt/format.h>

extern char** environ;

namespace linesign::test {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "the double of AWS: %s\n", what.c_str());
  std::abort();
}

Poco::JSON::Object::Ptr parse(const std::string& text) {
  return Poco::JSON::Parser().parse(text).extract<Poco::JSON::Object::Ptr>();
}

std::string read_line(int fd) {
  std::string line;
  char each = 0;
  while (::read(fd, &each, 1) == 1 && each != '\n') line += each;
  return line;
}

}  // namespace

DoubleProcess::DoubleProcess() {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) give_up("pipe");
  const UniqueFd child_in(in[0]);
  const UniqueFd child_out(out[1]);
  const UniqueFd answer(out[0]);
  stdin_ = UniqueFd(in[1]);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  const std::string program = LINESIGN_SOURCE_DIR "/tests/support/aws";
  const std::string folder = folder_.path().string();
  std::array<const char*, 6> words = {
      "/usr/bin/python3", program.c_str(), "--dir", folder.c_str(), "--watch-stdin", nullptr};
  const int failed = ::posix_spawn(
      &pid_, words[0], &actions, nullptr, const_cast<char* const*>(words.data()), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) give_up("it does not start");
  const std::string line = read_line(answer.get());
  if (line.empty()) give_up("it says nothing");
  ports_ = parse(line);
  auto transport = aws::CurlTransport::create({});
  if (!transport.has_value()) give_up(transport.error().to_string());
  transport_ = std::move(*transport);
}

DoubleProcess::~DoubleProcess() {
  stdin_.reset();
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

Poco::JSON::Object::Ptr DoubleProcess::control(const std::string& call, const std::string& json) {
  aws::HttpRequest request;
  request.method = json.empty() ? "GET" : "POST";
  const auto url = aws::parse_url(ports_->getValue<std::string>("control") + "/" + call);
  if (!url.has_value()) give_up(url.error().to_string());
  request.url = *url;
  request.body = json;
  request.max_answer_bytes = 64ULL * 1024 * 1024;
  const auto answer = transport_->send(request);
  if (!answer.has_value()) give_up(answer.error().to_string());
  if (!answer->is_success()) give_up(call + ": " + answer->body);
  return parse(answer->body);
}

Poco::JSON::Object::Ptr DoubleProcess::space() {
  const auto state = control("state");
  const auto spaces = state->getObject("spaces");
  const auto found = spaces->getObject(fmt::format("{}/{}", kAccount, kRegion));
  return found.isNull() ? Poco::JSON::Object::Ptr(new Poco::JSON::Object) : found;
}

std::unique_ptr<TargetConnection> DoubleProcess::connect(const aws::SessionTools& tools) {
  const aws::Environment environment(std::map<std::string, std::string, std::less<>>{
      {"AWS_ACCESS_KEY_ID", "AKIALINESIGNDOUBLE01"},
      {"AWS_SECRET_ACCESS_KEY", "first-secret-of-the-double-0123456789abc"},
      {"AWS_REGION", kRegion},
      {"AWS_ENDPOINT_URL", ports_->getValue<std::string>("endpoint")},
      {"AWS_CA_BUNDLE", ports_->getValue<std::string>("ca")},
      {"AWS_EC2_METADATA_DISABLED", "true"}});
  aws::SessionOptions options;
  options.account = kAccount;
  options.credentials.account = kAccount;
  // The double is not throttled unless a test says so, and tests are in a hurry.
  for (const char* operation : {"RegisterCertificate",
                                "RegisterCertificateWithoutCA",
                                "CreateThing",
                                "AttachThingPrincipal",
                                "AttachPolicy",
                                "AddThingToThingGroup",
                                "DescribeCertificate",
                                "DescribeCACertificate",
                                "RegisterCACertificate",
                                "UpdateCACertificate",
                                "CertificatesPerSecond",
                                "ListThingRegistrationTasks",
                                "DescribeThingRegistrationTask",
                                "StartThingRegistrationTask",
                                "ListThingRegistrationTaskReports",
                                "ListCertificatesByCA"})
    options.quotas[operation] = 10'000;
  auto connection = TargetConnection::open(environment, std::move(options), tools);
  if (!connection.has_value()) give_up(connection.error().to_string());
  return std::move(*connection);
}

}  // namespace linesign::test
