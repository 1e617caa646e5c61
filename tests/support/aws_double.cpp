#include "tests/support/aws_double.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "appliance/cloud/aws/curl_transport.h"
#include "protocol/base/spawn.h"
#include "tests/support/source_tree.h"

namespace linesign::test {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "the double of AWS: %s\n", what.c_str());
  std::abort();
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) give_up("pipe");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string read_line(int fd) {
  std::string line;
  char c = '\0';
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

AwsDouble::AwsDouble() {
  Pipe input = make_pipe();
  const Pipe output = make_pipe();
  std::vector<std::string> words = {"/usr/bin/python3",
                                    (source_dir() / "tests/support/aws").string(),
                                    "--dir",
                                    dir_.path().string(),
                                    "--watch-stdin"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  SpawnActions actions;
  posix_spawn_file_actions_adddup2(actions.get(), input.reader.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(actions.get(), output.writer.get(), STDOUT_FILENO);
  const int error =
      ::posix_spawn(&pid_, words[0].c_str(), actions.get(), nullptr, arguments.data(), environ);
  if (error != 0) give_up("cannot be started");
  stdin_ = std::move(input.writer);
  auto ports = aws::JsonObject::parse(read_line(output.reader.get()));
  if (!ports.has_value()) give_up("does not say its ports");
  ports_ = std::move(*ports);
  transport_ = aws::CurlTransport::create({}).value();
}

AwsDouble::~AwsDouble() {
  stdin_.reset();
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

AwsDouble::Variables AwsDouble::variables() const {
  return {{"AWS_ACCESS_KEY_ID", "AKIALINESIGNDOUBLE01"},
          {"AWS_SECRET_ACCESS_KEY", "first-secret-of-the-double-0123456789abc"},
          {"AWS_REGION", kRegion},
          {"AWS_ENDPOINT_URL", port("endpoint")},
          {"AWS_CA_BUNDLE", port("ca")},
          {"AWS_EC2_METADATA_DISABLED", "true"},
          {"HOME", dir_.path().string()}};
}

aws::JsonObject AwsDouble::control(const std::string& name, const std::string& given) {
  aws::HttpRequest request;
  request.url = aws::parse_url(port("control") + "/" + name).value();
  request.method = given.empty() ? "GET" : "POST";
  request.body = given;
  request.max_answer_bytes = 256ULL * 1024 * 1024;
  const auto response = transport_->send(request);
  if (!response.has_value()) give_up(response.error().to_string());
  if (response->status != 200) give_up(name + ": " + response->body);
  return aws::JsonObject::parse(response->body).value();
}

int64_t AwsDouble::count(const std::string& operation) {
  const auto summary = control("log").object("summary").value();
  return summary.object("counts").value().integer(operation).value_or(0);
}

aws::JsonObject AwsDouble::space() {
  const auto spaces = control("state").object("spaces").value();
  return spaces.object(std::string(kAccount) + "/" + kRegion).value_or(aws::JsonObject());
}

void AwsDouble::reset() { control("reset", "{}"); }

}  // namespace linesign::test
