// The built program, against an admin server with a service that a test controls.
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/admin/api/admin_json.h"
#include "appliance/admin/server/admin_server.h"
#include "tests/support/fake_admin_service.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class Program : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(config()) << "[hsm]\n"
                               "module = \"/nonexistent/module.so\"\n"
                               "token_label = \"line\"\n"
                               "key_label = \"device-ca\"\n"
                               "pin_file = \"pin\"\n";
  }

  void TearDown() override {
    loop_.on_loop([this] { server_.reset(); });
  }

  std::filesystem::path config() const { return folder_.path() / "linesign.toml"; }

  void start_server() {
    loop_.on_loop([this] {
      auto server =
          AdminServer::start(loop_.loop(), service_, {.socket = folder_.path() / "admin.sock"});
      ASSERT_TRUE(server.has_value()) << server.error().to_string();
      server_ = std::move(*server);
    });
  }

  // REQUIRES: arguments without characters that a shell interprets.
  Outcome run(const std::string& arguments) const {
    const std::string command = fmt::format("'{}' {} >'{}/out' 2>'{}/err'",
                                            LINESIGN_PROGRAM,
                                            arguments,
                                            folder_.path().string(),
                                            folder_.path().string());
    const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): our own program
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            read_text(folder_.path() / "out"),
            read_text(folder_.path() / "err")};
  }

  Outcome run_with_config(const std::string& arguments) const {
    return run(fmt::format("--config '{}' {}", config().string(), arguments));
  }

  TempDir folder_;
  FakeAdminService service_;
  LoopThread loop_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(Program, PrintsItsVersion) {
  const Outcome outcome = run("--version");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, StartsWith("linesign/"));
}

TEST_F(Program, ExplainsItself) {
  const Outcome outcome = run("--help");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* command : {"ca", "station", "status", "doctor"})
    EXPECT_THAT(outcome.out, HasSubstr(command));
}

TEST_F(Program, AnswersWrongUsageWithOneLineAndExit64) {
  for (const char* arguments : {"",
                                "nonsense",
                                "station",
                                "station add",
                                "station add a b",
                                "station list --colour",
                                "status --wait abc",
                                "status --wait -1",
                                "ca",
                                "ca init",
                                "ca import cert.pem --ceremony file.toml",
                                "doctor --pin-file pin"}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 64) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_THAT(outcome.err, StartsWith("linesign: The command line is not right. [902 Usage] ("));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  }
}

TEST_F(Program, NamesAnUnknownCommandAndListsWhatThereIs) {
  EXPECT_THAT(run("aws uplaod").err, HasSubstr("linesign aws has no \"uplaod\"; it has: "));
  EXPECT_THAT(run("aws uplaod").err, HasSubstr(", upload, "));
  EXPECT_THAT(run("status --jsn").err, HasSubstr("linesign status has no --jsn; it has: "));
}

TEST_F(Program, NamesAConfigurationThatIsNotThere) {
  const Outcome outcome = run("status --config /nonexistent/linesign.toml");
  EXPECT_EQ(outcome.exit_code, 78);
  EXPECT_EQ(outcome.err,
            "linesign: The configuration file cannot be read. [700 ConfigUnreadable] "
            "(/nonexistent/linesign.toml: No such file or directory)\n");
}

TEST_F(Program, NamesACeremonyFileThatIsNotThere) {
  for (const char* command : {"init", "csr", "show"}) {
    const Outcome outcome = run(fmt::format("ca {} /nonexistent/ceremony.toml", command));
    EXPECT_EQ(outcome.exit_code, 78) << command;
    EXPECT_THAT(outcome.err, HasSubstr("[700 ConfigUnreadable]")) << command;
  }
}

TEST_F(Program, SaysThatTheDaemonIsNotThere) {
  for (const char* command : {"status", "status --wait 1", "station list", "station add jig-1"}) {
    const Outcome outcome = run_with_config(command);
    EXPECT_EQ(outcome.exit_code, 69) << command;
    EXPECT_EQ(outcome.out, "") << command;
    EXPECT_EQ(outcome.err,
              fmt::format("linesign: linesignd does not answer on its admin socket. "
                          "[906 AdminUnavailable] ({}/admin.sock: No such file or directory)\n",
                          folder_.path().string()))
        << command;
  }
}

TEST_F(Program, ExitsZeroWhileItProduces) {
  service_.present_status.producing = true;
  start_server();
  const Outcome outcome = run_with_config("status");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("producing since "));
}

TEST_F(Program, Exits69AndSaysWhyWhileItDoesNotProduce) {
  service_.present_status.obstacles = {{Error(ErrorCode::LedgerDiskFull), UnixTime()}};
  start_server();
  const Outcome outcome = run_with_config("status");
  EXPECT_EQ(outcome.exit_code, 69);
  EXPECT_THAT(outcome.out, StartsWith("NOT producing since "));
  EXPECT_THAT(outcome.out, HasSubstr("what to do: "));
  EXPECT_EQ(run_with_config("status --wait 1").exit_code, 69);
}

TEST_F(Program, WaitsUntilItProduces) {
  service_.producing_after_calls = 3;
  start_server();
  EXPECT_EQ(run_with_config("status --wait 60").exit_code, 0);
  loop_.on_loop([this] { EXPECT_GE(service_.status_calls, 4); });
}

TEST_F(Program, WaitsWithoutANumberToo) {
  service_.producing_after_calls = 2;
  start_server();
  const Outcome outcome = run_with_config("status --wait --json");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(Program, PrintsTheStatusAsJson) {
  service_.present_status.producing = true;
  service_.present_status.issued = 7;
  start_server();
  const Outcome outcome = run_with_config("status --json");
  const auto status = status_from_json(outcome.out);
  ASSERT_TRUE(status.has_value()) << outcome.out;
  EXPECT_EQ(status->issued, 7U);
}

TEST_F(Program, PrintsOnlyTheTokenOnStandardOutput) {
  start_server();
  const Outcome outcome = run_with_config("station add jig-1");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "LSJ1.token-of-jig-1\n");
}

TEST_F(Program, ReportsTheDaemonsErrorInOneLine) {
  start_server();
  ASSERT_EQ(run_with_config("station add jig-1").exit_code, 0);
  const Outcome outcome = run_with_config("station add jig-1");
  EXPECT_EQ(outcome.exit_code, 65);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "linesign: A station of this name exists. [125 StationExists] (jig-1)\n");
}

TEST_F(Program, ListsAndRevokesStations) {
  start_server();
  ASSERT_EQ(run_with_config("station add jig-1").exit_code, 0);
  EXPECT_THAT(run_with_config("station list").out, HasSubstr("jig-1    invited"));
  EXPECT_EQ(stations_from_json(run_with_config("station list --json").out)->size(), 1U);
  const Outcome revoked = run_with_config("station revoke jig-1");
  EXPECT_EQ(revoked.exit_code, 0);
  EXPECT_THAT(revoked.out, StartsWith("jig-1 is revoked"));
  const Outcome unknown = run_with_config("station revoke jig-2");
  EXPECT_EQ(unknown.exit_code, 65);
  EXPECT_THAT(unknown.err, HasSubstr("[127 StationNotFound]"));
}

TEST_F(Program, LetsTheDoctorSayWhatIsWrongWithTheModule) {
  const Outcome outcome = run("doctor --module /nonexistent/module.so --json");
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\"severity\": \"problem\""));
  EXPECT_THAT(outcome.out, EndsWith("}\n"));
}

// The module, the CA certificate and the folder of the station CA each give an Io.
TEST_F(Program, LetsTheDoctorSayEverythingThatIsWrongBesideTheModule) {
  std::ofstream(folder_.path() / "file") << "no folder";
  std::ofstream(config(), std::ios::app) << "[ca]\ncertificate = \"none.pem\"\n"
                                            "[stations]\ncredential_dir = \"file\"\n"
                                            "[ledger]\ndirectory = \"file/ledger\"\n";
  const Outcome outcome = run_with_config("doctor");
  EXPECT_NE(outcome.exit_code, 0);
  for (const char* key : {"[hsm] pin_file: ",
                          "[ca] certificate: ",
                          "[stations] credential_dir: ",
                          "[ledger] directory: "})
    EXPECT_THAT(outcome.out, HasSubstr(key));
}

}  // namespace
}  // namespace linesign
