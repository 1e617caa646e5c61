// linesign-signer as linesignd starts it: over a socket pair, on a token that it cannot write to.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sysexits.h>

#include "hsm/ceremony/doctor.h"
#include "hsm/pkcs11/pin_memory.h"
#include "hsm/signer/signer_channel.h"
#include "protocol/base/process.h"
#include "protocol/base/spawn.h"
#include "tests/contract/ceremony_fixture.h"
#include "tests/support/software_ca.h"
#include "tests/unit/hsm/signer/sign_items.h"

namespace linesign {
namespace {

using signer::v1::FromSigner;
using signer::v1::ToSigner;
using test::SoftHsm;

constexpr int kChildSocket = 3;
constexpr int kPatienceMs = 20'000;

enum class Login : uint8_t { Allowed, Asked };

// One linesign-signer, killed and reaped when it goes. It may log in when it is prepared, unless
// the test wants to be asked.
class SignerProcess final {
 public:
  explicit SignerProcess(const std::filesystem::path& config, Login login = Login::Allowed) {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    socket_ = UniqueFd(fds[0]);
    const UniqueFd theirs(fds[1]);
    SpawnActions actions;
    posix_spawn_file_actions_adddup2(actions.get(), theirs.get(), kChildSocket);
    std::string program = LINESIGN_SIGNER;
    std::string path = config.string();
    std::string config_flag = "--config";
    std::string fd_flag = "--fd";
    std::string fd = std::to_string(kChildSocket);
    char* arguments[] = {
        program.data(), config_flag.data(), path.data(), fd_flag.data(), fd.data(), nullptr};
    if (::posix_spawn(&pid_, LINESIGN_SIGNER, actions.get(), nullptr, arguments, environ) != 0)
      std::abort();
    if (login == Login::Allowed) allow_login();
  }
  SignerProcess(const SignerProcess&) = delete;
  SignerProcess& operator=(const SignerProcess&) = delete;
  ~SignerProcess() {
    if (pid_ > 0) kill_and_reap();
  }

  int pid() const { return pid_; }
  void close_socket() { socket_.reset(); }

  void allow_login() const {
    ToSigner order;
    order.set_log_in(true);
    send(order.SerializeAsString());
  }

  // What it says beside the phases of its start.
  std::optional<FromSigner> receive() const {
    auto message = receive_any();
    while (message && message->phase() != signer::v1::PHASE_NONE) message = receive_any();
    return message;
  }

  void expect_phase(signer::v1::Phase phase) const {
    const auto message = receive_any();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->phase(), phase) << message->ShortDebugString();
  }

  bool is_silent_for(int milliseconds) const {
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, milliseconds) == 0;
  }

  void send(const std::string& packet) const {
    EXPECT_EQ(::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }

  // Absent: it closed its socket, or says nothing.
  std::optional<FromSigner> receive_any() const {
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "the signer says nothing";
      return std::nullopt;
    }
    std::string packet(kMaxSignerPacketBytes, '\0');
    ssize_t got = ::recv(socket_.get(), packet.data(), packet.size(), 0);
    // It left without reading something: what it said before comes after this error.
    if (got < 0 && errno == ECONNRESET)
      got = ::recv(socket_.get(), packet.data(), packet.size(), 0);
    if (got <= 0) return std::nullopt;
    FromSigner message;
    EXPECT_TRUE(message.ParseFromArray(packet.data(), static_cast<int>(got)));
    return message;
  }

  // Lets that time pass, less if it speaks before.
  void watch_for(std::chrono::nanoseconds time) const {
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const timespec limit{.tv_sec = 0, .tv_nsec = time.count()};
    ::ppoll(&readable, 1, &limit, nullptr);
  }

  // The exit code, or 1000 and the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  int kill_and_reap() {
    ::kill(pid_, SIGKILL);
    return wait();
  }

 private:
  UniqueFd socket_;
  pid_t pid_ = -1;
};

class LinesignSigner : public test::CeremonyFixture {
 protected:
  void SetUp() override { make_ca(KeyType::EcP256); }
  void TearDown() override {
    for (const char* name : {"LINESIGN_FAULTS",
                             "LINESIGN_FAULT_LOG",
                             "LINESIGN_SIMULATED_PIN_TRIES",
                             "LINESIGN_SIMULATED_PIN_FILE"})
      ::unsetenv(name);
  }

  static std::string read_text(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path pin_memory() const { return folder() / "station-ca" / "pin-memory"; }
  void forget_pins() const { std::filesystem::remove_all(pin_memory()); }

  void make_ca(KeyType type) {
    const auto made = init_ca(plan(type), {.force = true});
    ASSERT_TRUE(made.has_value()) << made.error().to_string();
    hsm_.make_read_only();
  }

  // `more` stands in [hsm].
  std::filesystem::path write_config(const std::string& module = SoftHsm::module().string(),
                                     const std::string& more = "") const {
    const auto file = folder() / "linesign.toml";
    std::ofstream(file) << "[hsm]\nmodule = \"" << module
                        << "\"\ntoken_label = \"line\"\nkey_label = \"device-ca\"\n"
                        << "pin_file = \"pin\"\n"
                        << more << "[stations]\nlisten = \"127.0.0.1:0\"\n";
    return file;
  }

  std::filesystem::path write_faulty_config(const std::string& faults) const {
    ::setenv("LINESIGN_FAULTS", faults.c_str(), 1);
    ::setenv("LINESIGN_FAULT_LOG", (folder() / "calls").c_str(), 1);
    return write_config(LINESIGN_FAULTY_MODULE, "module_paths = [\".\"]\n");  // its log
  }

  int count_calls(const std::string& call) const {
    std::ifstream log(folder() / "calls");
    int count = 0;
    for (std::string line; std::getline(log, line);) count += line == call ? 1 : 0;
    return count;
  }

  CertificateBuilder load_builder() const {
    const auto ca = CaCertificate::load(folder() / "ca.pem");
    if (!ca) std::abort();
    auto builder = CertificateBuilder::create(Profile{}, *ca);
    if (!builder) std::abort();
    return std::move(*builder);
  }

  // Items that were issued now: the CA of the ceremony is not valid at the tests' usual time.
  ToSigner make_batch(int count) const {
    const CertificateBuilder builder = load_builder();
    const Bytes csr = test::make_csr(test::make_key(KeyType::EcP256).get(), "unit");
    ToSigner batch;
    for (int i = 0; i < count; ++i)
      *batch.add_items() =
          test::make_item(builder, csr, "unit", static_cast<uint64_t>(i) + 1, SystemClock().now());
    return batch;
  }

  static void expect_ready(const SignerProcess& signer) {
    const auto message = signer.receive();
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->has_ready()) << message->ShortDebugString();
  }

  // It says why, and exits with the code of that error.
  static void expect_failed(SignerProcess& signer, ErrorCode code) {
    const auto message = signer.receive();
    ASSERT_TRUE(message.has_value());
    ASSERT_TRUE(message->has_failed()) << message->ShortDebugString();
    EXPECT_EQ(message->failed().code(), static_cast<uint32_t>(code)) << message->failed().detail();
    EXPECT_EQ(signer.wait(), error_info(code).exit_code);
  }

  // A process starts a signer, which hangs in `call`; then that process is killed.
  bool ends_with_its_parent(const std::filesystem::path& config, const std::string& call) const {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // to reap it ourselves
    int fds[2] = {-1, -1};
    if (::pipe2(fds, O_CLOEXEC) != 0) return false;
    const UniqueFd reads(fds[0]);
    const UniqueFd writes(fds[1]);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const SignerProcess signer(config);
      const int pid = signer.pid();
      if (::write(writes.get(), &pid, sizeof pid) == sizeof pid)
        for (;;) ::pause();
      ::_exit(1);
    }
    int pid = 0;
    if (::read(reads.get(), &pid, sizeof pid) != sizeof pid) return false;
    const UniqueFd signer = open_process(pid);
    for (int i = 0; i < kPatienceMs / 10 && count_calls(call) == 0; ++i) ::poll(nullptr, 0, 10);
    ::kill(parent, SIGKILL);
    reap(parent);
    const bool has_ended = wait_for_exit(signer, std::chrono::milliseconds(kPatienceMs));
    kill_process(signer);
    reap(pid);
    std::filesystem::remove(folder() / "calls");
    return has_ended;
  }

  // How many of the results that come hold a signature, until the socket closes or `count` came.
  static int count_signed(const SignerProcess& signer, int count) {
    int signatures = 0;
    for (int seen = 0; seen < count;) {
      const auto message = signer.receive();
      if (!message || message->has_failed()) break;
      for (const auto& result : message->results()) {
        ++seen;
        signatures += result.signature().empty() ? 0 : 1;
      }
    }
    return signatures;
  }
};

TEST_F(LinesignSigner, AnswersVerifiedSignaturesOnAReadOnlyToken) {
  const std::string before = hsm_.fingerprint();
  SignerProcess signer(write_config());
  const auto first = signer.receive();
  ASSERT_TRUE(first && first->has_ready()) << (first ? first->ShortDebugString() : "closed");
  const CertificateBuilder builder = load_builder();
  EXPECT_EQ(first->ready().profile_sha256(), as_text(builder.profile_hash()));
  EXPECT_EQ(first->ready().token(), "line (" + serial_ + ")");
  // One user for all, as everywhere in these tests.
  ASSERT_EQ(first->ready().missing_protections_size(), 1) << first->ready().ShortDebugString();
  EXPECT_THAT(first->ready().missing_protections(0), testing::HasSubstr("user in [hsm]"));

  const ToSigner batch = make_batch(1);
  signer.send(batch.SerializeAsString());
  const auto answer = signer.receive();
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->results_size(), 1);
  ASSERT_EQ(answer->results(0).error_code(), 0U) << answer->results(0).detail();
  auto verifier = SignatureVerifier::create(builder.ca());
  ASSERT_TRUE(verifier.has_value());
  EXPECT_TRUE(
      verifier
          ->verify(as_bytes(batch.items(0).tbs_sha256()), as_bytes(answer->results(0).signature()))
          .has_value());

  signer.close_socket();
  EXPECT_EQ(signer.wait(), EX_OK);
  EXPECT_EQ(hsm_.fingerprint(), before) << "the login wrote to the token";
}

TEST_F(LinesignSigner, SignsInSeveralThreads) {
  SignerProcess signer(write_config(SoftHsm::module().string(), "threads_per_signer = 4\n"));
  expect_ready(signer);
  for (int i = 0; i < 4; ++i) signer.send(make_batch(32).SerializeAsString());
  EXPECT_EQ(count_signed(signer, 128), 128);
  signer.close_socket();
  EXPECT_EQ(signer.wait(), EX_OK);
}

TEST_F(LinesignSigner, IsNotEndedByTheSignalsOfATerminal) {
  SignerProcess signer(write_config());
  expect_ready(signer);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::kill(signer.pid(), number);
  signer.send(make_batch(1).SerializeAsString());
  EXPECT_EQ(count_signed(signer, 1), 1);
}

TEST_F(LinesignSigner, ExitsOnMessagesThatTheDaemonNeverSends) {
  for (const std::string& garbage :
       {std::string("\xff\xff\xff"), std::string("hello"), std::string(200'000, 'x')}) {
    SignerProcess signer(write_config());
    expect_ready(signer);
    signer.send(garbage);
    EXPECT_FALSE(signer.receive().has_value()) << "a wrong message was answered";
    EXPECT_EQ(signer.wait(), EX_SOFTWARE);
  }
}

TEST_F(LinesignSigner, IsKilledDuringItsStartWithoutHarmToTheToken) {
  const std::string before = hsm_.fingerprint();
  const auto config = write_config();
  for (int i = 0; i < 30; ++i) {
    SignerProcess signer(config);
    // Spread over the whole start, which takes some ten milliseconds.
    signer.watch_for(std::chrono::milliseconds(3 * i));
    signer.kill_and_reap();
    forget_pins();  // a login that was cut off is a try
  }
  EXPECT_EQ(hsm_.fingerprint(), before);
  SignerProcess signer(config);
  expect_ready(signer);
}

TEST_F(LinesignSigner, StartsManyAtOnce) {
  const auto config = write_config();
  std::vector<std::unique_ptr<SignerProcess>> signers;
  for (int i = 0; i < 8; ++i) signers.push_back(std::make_unique<SignerProcess>(config));
  for (const auto& signer : signers) expect_ready(*signer);
}

TEST_F(LinesignSigner, TriesThePinOnlyWhenItMay) {
  SignerProcess signer(write_faulty_config(""), Login::Asked);
  signer.expect_phase(signer::v1::PHASE_PREPARED);
  EXPECT_EQ(count_calls("C_Login"), 0);
  signer.allow_login();
  signer.expect_phase(signer::v1::PHASE_LOGGED_IN);
  expect_ready(signer);
  EXPECT_EQ(count_calls("C_Login"), 1);
}

TEST_F(LinesignSigner, TriesAWrongPinOnceAndWaitsForAnotherOne) {
  hsm_.write_pin("999999");
  SignerProcess signer(write_faulty_config(""));
  const auto message = signer.receive();
  ASSERT_TRUE(message && message->has_failed());
  EXPECT_EQ(message->failed().code(), static_cast<uint32_t>(ErrorCode::HsmPinRefused));
  EXPECT_TRUE(message->failed().waits_for_pin());
  hsm_.write_pin("999999");
  EXPECT_TRUE(signer.is_silent_for(800)) << "the same PIN in a new file";
  hsm_.write_pin(test::kUserPin);
  signer.expect_phase(signer::v1::PHASE_NEW_PIN);
  EXPECT_EQ(signer.wait(), EX_OK);
  EXPECT_EQ(count_calls("C_Login"), 1) << "the new PIN is for a new process";
}

// After its login attempt it may open what is in the PIN's folder, and nothing in another one.
TEST_F(LinesignSigner, HasANewProcessReadThePinWhenItsFolderIsReplaced) {
  const auto config = write_config();
  std::string text = read_text(config);
  text.replace(text.find("\"pin\""), 5, "\"pins/pin\"");
  std::ofstream(config) << text;
  const auto put = [&](const char* name, std::string_view pin) {
    std::filesystem::create_directory(folder() / name);
    std::ofstream(folder() / name / "pin") << pin << "\n";
    ASSERT_EQ(::chmod((folder() / name / "pin").c_str(), 0400), 0);
  };
  put("pins", "999999");
  put("new", test::kUserPin);
  SignerProcess signer(config);
  const auto message = signer.receive();
  ASSERT_TRUE(message && message->has_failed());
  EXPECT_TRUE(message->failed().waits_for_pin());
  std::filesystem::rename(folder() / "pins", folder() / "old");
  EXPECT_TRUE(signer.is_silent_for(800)) << "no folder is no new folder";
  std::filesystem::rename(folder() / "new", folder() / "pins");
  signer.expect_phase(signer::v1::PHASE_NEW_PIN);
  SignerProcess next(config);
  expect_ready(next);
}

// libp11 waits for ten seconds where C_OpenSession fails; no session is its own.
TEST_F(LinesignSigner, OpensItsSessionsItselfAndTriesAgain) {
  for (const std::string call : {"1", "2", "3", "4", "5"}) {
    std::filesystem::remove(folder() / "calls");
    SignerProcess signer(write_faulty_config("C_OpenSession:" + call + "=0xb1"));
    expect_ready(signer);
    signer.send(make_batch(1).SerializeAsString());
    EXPECT_EQ(count_signed(signer, 1), 1);
    const int failed = call == "1" || call == "2" ? std::stoi(call) : 0;
    EXPECT_EQ(count_calls("C_OpenSession"), failed + 2) << call;
  }
}

TEST_F(LinesignSigner, EndsWithItsParentHoweverItHangs) {
  for (const std::string call : {"C_Login", "C_FindObjectsInit", "C_Sign"}) {
    ASSERT_TRUE(ends_with_its_parent(write_faulty_config(call + ":1=hang"), call)) << call;
    forget_pins();
  }
}

TEST_F(LinesignSigner, TriesATokenThatIsBusyWithAnotherLoginAgain) {
  SignerProcess signer(write_faulty_config("C_Login:1=0x5 C_Login:2=0x102 C_OpenSession:1=0xe1"));
  expect_ready(signer);
  EXPECT_EQ(count_calls("C_Login"), 3);
}

TEST_F(LinesignSigner, GivesUpWhenTheTokenStaysAway) {
  SignerProcess signer(write_faulty_config("C_OpenSession:1-1000=0xe0"));
  expect_failed(signer, ErrorCode::HsmUnavailable);
  EXPECT_EQ(count_calls("C_Login"), 0);
}

TEST_F(LinesignSigner, RefusesTheKeyOfAnotherCertificate) {
  std::ofstream(folder() / "ca.pem") << test::SoftwareCa().pem();
  SignerProcess signer(write_config());
  expect_failed(signer, ErrorCode::HsmKeyMismatch);
}

TEST_F(LinesignSigner, SaysWhatIsWrongWithItsConfiguration) {
  SignerProcess signer(write_config(SoftHsm::module().string(), "colour = 1\n"));
  expect_failed(signer, ErrorCode::ConfigUnknownKey);
}

TEST_F(LinesignSigner, SendsWhatIsDoneBeforeItLeavesForAnotherStart) {
  // The first signature proves the key.
  SignerProcess signer(write_faulty_config("C_Sign:12=0xb3"));
  expect_ready(signer);
  signer.send(make_batch(20).SerializeAsString());
  EXPECT_EQ(count_signed(signer, 10), 10);
  expect_failed(signer, ErrorCode::HsmUnavailable);
}

TEST_F(LinesignSigner, GoesOnAfterASignatureThatFailedOnce) {
  SignerProcess signer(write_faulty_config("C_Sign:3=0x30"));
  expect_ready(signer);
  signer.send(make_batch(5).SerializeAsString());
  EXPECT_EQ(count_signed(signer, 5), 5);
}

TEST_F(LinesignSigner, NeverSendsAWrongSignature) {
  SignerProcess signer(write_faulty_config("C_Sign:4=flip"));
  expect_ready(signer);
  signer.send(make_batch(5).SerializeAsString());
  EXPECT_EQ(count_signed(signer, 2), 2);
  expect_failed(signer, ErrorCode::HsmSignatureWrong);
}

TEST_F(LinesignSigner, FindsOutThatItsKeySignsWrongBeforeItIsReady) {
  SignerProcess signer(write_faulty_config("C_Sign:1=flip"));
  expect_failed(signer, ErrorCode::HsmSignatureWrong);
}

// A token that locks its user out after three wrong PINs in a row, and counts every C_Login.
class PinTries : public LinesignSigner {
 protected:
  void SetUp() override {
    LinesignSigner::SetUp();
    ::setenv("LINESIGN_SIMULATED_PIN_TRIES", "3", 1);
    ::setenv("LINESIGN_SIMULATED_PIN_FILE", (folder() / "tries").c_str(), 1);
    config_ = write_config(LINESIGN_HSM_SIMULATOR);
  }

  // So many wrong PINs were entered by somebody else.
  void set_wrong(int wrong) const { std::ofstream(folder() / "tries") << wrong << " 0\n"; }

  int count_logins() const {
    int wrong = 0;
    int logins = 0;
    std::ifstream(folder() / "tries") >> wrong >> logins;
    return logins;
  }

  void expect_ready_after_start() const {
    SignerProcess signer(config_);
    expect_ready(signer);
    signer.close_socket();
    EXPECT_EQ(signer.wait(), EX_OK);
  }

  static void expect_waiting(const SignerProcess& signer) {
    const auto message = signer.receive();
    ASSERT_TRUE(message && message->has_failed());
    EXPECT_EQ(message->failed().code(), static_cast<uint32_t>(ErrorCode::HsmPinRefused));
    EXPECT_TRUE(message->failed().waits_for_pin());
  }

  // Killed inside C_Login, of which the token may have had the PIN.
  void kill_in_login() const {
    std::filesystem::remove(folder() / "calls");
    SignerProcess signer(write_faulty_config("C_Login:1=hang"));
    for (int i = 0; i < kPatienceMs / 10 && count_calls("C_Login") == 0; ++i)
      ::poll(nullptr, 0, 10);
    signer.kill_and_reap();
    static_cast<void>(write_config(LINESIGN_HSM_SIMULATOR));
  }

  // The time of the last try in the memory becomes an earlier one.
  void let_the_pause_pass() const {
    const auto file = std::filesystem::directory_iterator(pin_memory())->path();
    std::string text = read_text(file);
    const size_t hash = text.find(' ', text.find("accepted ")) + 1;
    const size_t time = text.find(' ', hash) + 1;
    const auto earlier = std::stoll(text.substr(time)) - 60;
    text.replace(time, text.find(' ', time) - time, std::to_string(earlier));
    std::fstream(file, std::ios::in | std::ios::out) << text;
  }

  DoctorRequest doctor_request(bool is_try_ordered) const {
    DoctorRequest request;
    request.module = LINESIGN_HSM_SIMULATOR;
    request.token_label = "line";
    request.pin_file = hsm_.pin_file();
    request.login_lock = folder() / "signer-login.lock";
    request.pin_memory = pin_memory();
    request.is_try_ordered = is_try_ordered;
    return request;
  }

  std::filesystem::path config_;
};

TEST_F(PinTries, AreOneForAWrongPinHoweverOftenSignersStart) {
  hsm_.write_pin("999999");
  for (int i = 0; i < 4; ++i) {
    SignerProcess signer(config_);
    expect_waiting(signer);
  }
  EXPECT_EQ(count_logins(), 1);
}

TEST_F(PinTries, AreOneForEachContentAndTheRightOneGoesOn) {
  for (const char* pin : {"999999", "888888", "999999"}) {
    hsm_.write_pin(pin);
    if (count_logins() == 2) set_wrong(0);  // not the last try, but another test's point
    SignerProcess signer(config_);
    expect_waiting(signer);
  }
  EXPECT_EQ(count_logins(), 0) << "since the second one";
  hsm_.write_pin(test::kUserPin);
  expect_ready_after_start();
  expect_ready_after_start();
}

TEST_F(PinTries, AreUsedUpByALoginThatIsKilled) {
  kill_in_login();
  SignerProcess signer(config_);
  expect_waiting(signer);
  EXPECT_EQ(count_logins(), 0);
}

TEST_F(PinTries, DoNotEndForAPinThatTheTokenAcceptedLast) {
  expect_ready_after_start();
  kill_in_login();
  kill_in_login();
  expect_ready_after_start();
  EXPECT_EQ(count_logins(), 2);
}

TEST_F(PinTries, AreSpreadWhileTheTokenDoesNotAnswerForAPinThatItAcceptedLast) {
  expect_ready_after_start();
  for (int i = 0; i < kMaxUnknownTries; ++i) kill_in_login();
  SignerProcess signer(config_);
  const auto message = signer.receive();
  ASSERT_TRUE(message && message->has_failed());
  EXPECT_EQ(message->failed().code(), static_cast<uint32_t>(ErrorCode::SignerTimeout));
  EXPECT_TRUE(message->failed().waits_for_pin());
  EXPECT_THAT(message->failed().detail(), testing::HasSubstr("the next try is at "));
  EXPECT_TRUE(signer.is_silent_for(800)) << "the pause is a minute";
  let_the_pause_pass();
  signer.expect_phase(signer::v1::PHASE_NEW_PIN);
  expect_ready_after_start();
  EXPECT_EQ(count_logins(), 2);
}

TEST_F(PinTries, EndWhenAPinIsChangedInTheTokenAndLoginsAreKilled) {
  expect_ready_after_start();
  kill_in_login();
  set_wrong(1);  // the device had it
  SignerProcess signer(config_);
  expect_waiting(signer);
  EXPECT_EQ(count_logins(), 0);
}

TEST_F(PinTries, LeaveTheLastOneToAnOperator) {
  set_wrong(2);
  for (const char* pin : {"999999", test::kUserPin.data()}) {
    hsm_.write_pin(pin);
    SignerProcess signer(config_);
    expect_failed(signer, ErrorCode::HsmPinFinalTry);
  }
  const DoctorReport unasked = examine(doctor_request(false));
  EXPECT_EQ(count_logins(), 0);
  EXPECT_TRUE(std::any_of(unasked.findings.begin(), unasked.findings.end(), [](const auto& each) {
    return each.code == ErrorCode::HsmPinFinalTry;
  })) << doctor_text(unasked);
  const DoctorReport ordered = examine(doctor_request(true));
  EXPECT_EQ(count_logins(), 1) << doctor_text(ordered);
  expect_ready_after_start();
}

TEST_F(PinTries, AreSavedByADoctorThatFollowsTheSameRule) {
  hsm_.write_pin("999999");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(examine(doctor_request(false)).worst(), Severity::Problem);
  EXPECT_EQ(count_logins(), 1);
  SignerProcess signer(config_);
  expect_waiting(signer);
  EXPECT_EQ(count_logins(), 1);
}

TEST_F(PinTries, LetAWaitingSignerGoOnWhenTheDoctorLoggedIn) {
  kill_in_login();
  SignerProcess signer(config_);
  expect_waiting(signer);
  EXPECT_TRUE(signer.is_silent_for(600)) << "nothing has changed";
  static_cast<void>(examine(doctor_request(true)));
  signer.expect_phase(signer::v1::PHASE_NEW_PIN);
  expect_ready_after_start();
}

TEST_F(PinTries, AreWarnedOfWhenTheyBecomeFew) {
  set_wrong(1);
  SignerProcess signer(config_);
  const auto message = signer.receive();
  ASSERT_TRUE(message && message->has_ready());
  EXPECT_NE(message->ready().pin_warning().find("CKF_USER_PIN_COUNT_LOW"), std::string::npos);
  SignerProcess next(config_);
  const auto later = next.receive();
  ASSERT_TRUE(later && later->has_ready());
  EXPECT_EQ(later->ready().pin_warning(), "");
  hsm_.write_pin("999999");
  SignerProcess refused(config_);
  const auto failed = refused.receive();
  ASSERT_TRUE(failed && failed->has_failed());
  EXPECT_NE(failed->failed().detail().find("CKF_USER_PIN_COUNT_LOW"), std::string::npos)
      << failed->failed().detail();
}

TEST_F(LinesignSigner, TellsNothingSecret) {
  std::string output;
  hsm_.write_pin("999999271828");
  testing::internal::CaptureStderr();
  {
    SignerProcess signer(write_config());
    const auto message = signer.receive();
    ASSERT_TRUE(message && message->has_failed());
    EXPECT_EQ(message->failed().detail().find("271828"), std::string::npos);
    signer.close_socket();
    signer.wait();
  }
  output = testing::internal::GetCapturedStderr();
  EXPECT_NE(output.find("HsmPinRefused"), std::string::npos) << output;
  EXPECT_EQ(output.find("271828"), std::string::npos) << output;
}

}  // namespace
}  // namespace linesign
