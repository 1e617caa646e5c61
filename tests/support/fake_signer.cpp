// A linesign-signer for tests of the pool: speaks signer.proto, signs nothing, misbehaves on order.
//
// The file given as --config holds words: "profile <hex>" (what Ready says), and any of
//   crash-on <device>   exits by signal when it meets the device
//   hang-on <device>    never answers from there on
//   crash-in-check <device>  exits by signal when it shall check the device
//   refuse-check <device>    CsrProofWrong as the result of the check
//   foreign-check       a result for a check that it never got
//   forget <any>        remembers nothing that it has checked
//   work-log <file>     writes into it what it is given: check, checked (by its number), whole
//   refuse <device>     CsrProofWrong
//   hsm-error <device>  HsmOperationFailed
//   sign-wrong <device> ends with HsmSignatureWrong when it meets the device
//   fail <code>         Failed instead of Ready
//   fail-early <code>   Failed before the login
//   hang-in <phase>     says nothing more from there on: starting, login, proof
//   refuse-pin <file>   the PIN is refused until the file exists
//   refuse-late <file>  the same, after the login was accepted
//   pause <file>        the PIN is not tried until the file exists: the token did not answer
//   pin-memory <file>   a PIN that was refused is not tried again (no line in the login-log)
//   slow-login <file>   the login lasts until the file exists; then it is noted in the login-log,
//                       and it leaves
//   fail-in-check <n>   the first n signers, by the lines in the login-log, end with HsmUnavailable
//                       when they shall check
//   fail-in-sign <n>    as fail-in-check, when they shall sign
//   slow <ms>           each signature takes so long
//   login-log <file>    writes a line into it for each login
//   lock <file>         holds the flock(2) lock of it
//   silent              says nothing at all
//   garbage             an answer that is no message
//   foreign             a result for an intent that it never got
//   once <file>         does the misbehaviour only while the file does not exist, and makes it
// The "signature" is "signed:" and the to-be-signed hash.
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/signer.pb.h"

namespace {

using linesign::signer::v1::FromSigner;
using linesign::signer::v1::SignItem;
using linesign::signer::v1::ToSigner;

struct Orders {
  std::map<std::string, std::string> words;
  bool has(const std::string& word) const { return words.count(word) != 0; }
  bool is(const std::string& word, const std::string& device) const {
    const auto found = words.find(word);
    return found != words.end() && found->second == device;
  }
};

Orders read_orders(const std::string& file) {
  Orders orders;
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    std::string value;
    if (word != "silent" && word != "garbage" && word != "foreign" && word != "foreign-check")
      in >> value;
    orders.words[word] = value;
  }
  const auto once = orders.words.find("once");
  if (once == orders.words.end()) return orders;
  if (std::ifstream(once->second).good()) {
    Orders good;
    good.words["profile"] = orders.words["profile"];
    if (orders.has("work-log")) good.words["work-log"] = orders.words["work-log"];
    return good;
  }
  return orders;
}

void mark_once(const Orders& orders) {
  const auto once = orders.words.find("once");
  if (once != orders.words.end()) std::ofstream(once->second) << "done\n";
}

void send_message(int fd, const FromSigner& message) {
  const std::string packet = message.SerializeAsString();
  ::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL);
}

[[noreturn]] void fail(int fd, const Orders& orders, const std::string& code) {
  mark_once(orders);
  FromSigner message;
  message.mutable_failed()->set_code(static_cast<uint32_t>(std::stoul(code)));
  message.mutable_failed()->set_detail("as ordered");
  send_message(fd, message);
  ::_exit(69);
}

void hang_in(const Orders& orders, const std::string& phase) {
  if (!orders.is("hang-in", phase)) return;
  mark_once(orders);
  for (;;) ::pause();
}

void send_phase(int fd, linesign::signer::v1::Phase phase) {
  FromSigner message;
  message.set_phase(phase);
  send_message(fd, message);
}

// Says so while the file that `word` names is not there, then that it is leaving.
void wait_for_pin(int fd, const Orders& orders, const std::string& word, uint32_t code) {
  const auto file = orders.words.find(word);
  if (file == orders.words.end() || std::ifstream(file->second).good()) return;
  FromSigner message;
  message.mutable_failed()->set_code(code);
  message.mutable_failed()->set_waits_for_pin(true);
  send_message(fd, message);
  while (!std::ifstream(file->second).good()) ::poll(nullptr, 0, 10);
  send_phase(fd, linesign::signer::v1::PHASE_NEW_PIN);
  ::_exit(0);
}

void note_login(const Orders& orders, const char* what) {
  if (!orders.has("login-log")) return;
  std::ofstream(orders.words.at("login-log"), std::ios::app) << std::string(what) + "\n";
}

// Ends as one that cannot reach its HSM, and says so.
void fail_when_ordered(int fd, const Orders& orders, const std::string& word) {
  if (!orders.has(word)) return;
  std::ifstream lines(orders.words.at("login-log"));
  const auto logins = std::count(std::istreambuf_iterator<char>(lines), {}, '\n');
  if (logins <= std::stoi(orders.words.at(word))) fail(fd, orders, "500");
}

void log_in(int fd, const Orders& orders) {
  hang_in(orders, "starting");
  if (orders.has("fail-early")) fail(fd, orders, orders.words.at("fail-early"));
  send_phase(fd, linesign::signer::v1::PHASE_PREPARED);
  char order[64];
  const ssize_t got = ::recv(fd, order, sizeof order, 0);
  ToSigner allowed;
  if (got <= 0 || !allowed.ParseFromArray(order, static_cast<int>(got)) || !allowed.log_in())
    ::_exit(0);
  const auto refused = orders.words.find("refuse-pin");
  const bool is_refused = refused != orders.words.end() && !std::ifstream(refused->second).good();
  const auto memory = orders.words.find("pin-memory");
  const bool has_memory = is_refused && memory != orders.words.end();
  if (!has_memory || !std::ifstream(memory->second).good()) note_login(orders, "login");
  if (has_memory) std::ofstream(memory->second) << "refused\n";
  if (orders.has("slow-login")) {
    while (!std::ifstream(orders.words.at("slow-login")).good()) ::poll(nullptr, 0, 10);
    note_login(orders, "left");
    ::_exit(0);
  }
  hang_in(orders, "login");
  wait_for_pin(fd, orders, "refuse-pin", 501);
  wait_for_pin(fd, orders, "pause", 512);
}

void greet(int fd, const Orders& orders) {
  log_in(fd, orders);
  FromSigner message;
  if (orders.has("fail")) fail(fd, orders, orders.words.at("fail"));
  send_phase(fd, linesign::signer::v1::PHASE_LOGGED_IN);
  wait_for_pin(fd, orders, "refuse-late", 501);
  hang_in(orders, "proof");
  const auto hash = linesign::from_hex(orders.words.at("profile"));
  message.mutable_ready()->set_profile_sha256(hash->data(), hash->size());
  message.mutable_ready()->set_token("fake token");
  send_message(fd, message);
}

void log_work(const Orders& orders, const char* kind) {
  if (!orders.has("work-log")) return;
  std::ofstream(orders.words.at("work-log"), std::ios::app) << std::string(kind) + "\n";
}

using Remembered = std::map<uint64_t, SignItem>;

void check(int fd, const Orders& orders, const SignItem& item, Remembered& remembered) {
  log_work(orders, "check");
  fail_when_ordered(fd, orders, "fail-in-check");
  if (orders.is("crash-in-check", item.device_id())) {
    mark_once(orders);
    ::raise(SIGKILL);
  }
  FromSigner message;
  auto* result = message.add_checks();
  result->set_check_id(item.check_id());
  if (orders.has("foreign-check")) {
    mark_once(orders);
    result->set_check_id(item.check_id() + 1000);
  }
  if (orders.is("refuse-check", item.device_id())) {
    result->set_error_code(213);
  } else if (!orders.has("forget")) {
    remembered[item.check_id()] = item;
  }
  send_message(fd, message);
}

void answer(int fd, const Orders& orders, const SignItem& item) {
  fail_when_ordered(fd, orders, "fail-in-sign");
  if (orders.is("crash-on", item.device_id())) {
    mark_once(orders);
    ::raise(SIGKILL);
  }
  if (orders.is("hang-on", item.device_id())) {
    mark_once(orders);
    for (;;) ::pause();
  }
  if (orders.has("garbage")) {
    mark_once(orders);
    ::send(fd, "\xff\xff\xff", 3, MSG_NOSIGNAL);
    for (;;) ::pause();
  }
  if (orders.has("slow")) ::poll(nullptr, 0, std::stoi(orders.words.at("slow")));
  FromSigner message;
  if (orders.is("sign-wrong", item.device_id())) {
    mark_once(orders);
    message.mutable_failed()->set_code(506);
    send_message(fd, message);
    ::_exit(69);
  }
  auto* result = message.add_results();
  result->set_issuance_id(item.issuance_id());
  if (orders.has("foreign")) {
    mark_once(orders);
    result->set_issuance_id(item.issuance_id() + 1000);
  }
  if (orders.is("refuse", item.device_id())) {
    result->set_error_code(213);
  } else if (orders.is("hsm-error", item.device_id())) {
    mark_once(orders);
    result->set_error_code(511);
  } else {
    result->set_signature("signed:" + item.tbs_sha256());
    if (orders.has("slow"))
      result->set_sign_us(1000 * static_cast<uint32_t>(std::stoul(orders.words.at("slow"))));
  }
  send_message(fd, message);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const Orders orders = read_orders(argv[2]);
  const int fd = std::stoi(argv[4]);
  if (orders.has("lock")) {
    const int lock = ::open(orders.words.at("lock").c_str(), O_RDONLY | O_CREAT, 0600);
    if (::flock(lock, LOCK_EX) != 0) return 74;
  }
  if (orders.has("silent")) {
    mark_once(orders);
    for (;;) ::pause();
  }
  greet(fd, orders);
  std::vector<char> buffer(1024 * 1024);
  Remembered remembered;
  for (;;) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return 0;
    ToSigner batch;
    if (!batch.ParseFromArray(buffer.data(), static_cast<int>(got))) return 70;
    for (const SignItem& item : batch.checks()) check(fd, orders, item, remembered);
    for (const SignItem& item : batch.items()) {
      const auto known = remembered.find(item.check_id());
      log_work(orders, item.check_id() == 0 ? "whole" : "checked");
      if (item.check_id() == 0) {
        answer(fd, orders, item);
      } else if (known == remembered.end()) {
        FromSigner message;
        message.add_results()->set_issuance_id(item.issuance_id());
        message.mutable_results(0)->set_forgotten(true);
        send_message(fd, message);
      } else {
        if (known->second.tbs_sha256() != item.tbs_sha256()) return 70;
        known->second.set_issuance_id(item.issuance_id());
        answer(fd, orders, known->second);
        remembered.erase(known);
      }
    }
  }
}
