// A linesign-signer for tests of the pool: speaks signer.proto, signs nothing, misbehaves on order.
//
// The file given as --config holds words: "profile <hex>" (what Ready says), and any of
//   crash-on <device>   exits by signal when it meets the device
//   hang-on <device>    never answers from there on
//   refuse <device>     CsrProofWrong
//   hsm-error <device>  HsmOperationFailed
//   sign-wrong <device> ends with HsmSignatureWrong when it meets the device
//   fail <code>         Failed instead of Ready
//   silent              says nothing at all
//   garbage             an answer that is no message
//   foreign             a result for an intent that it never got
//   once <file>         does the misbehaviour only while the file does not exist, and makes it
// The "signature" is "signed:" and the to-be-signed hash.
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
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
    if (word != "silent" && word != "garbage" && word != "foreign") in >> value;
    orders.words[word] = value;
  }
  const auto once = orders.words.find("once");
  if (once == orders.words.end()) return orders;
  if (std::ifstream(once->second).good()) {
    Orders good;
    good.words["profile"] = orders.words["profile"];
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

void greet(int fd, const Orders& orders) {
  FromSigner message;
  if (orders.has("fail")) {
    mark_once(orders);
    message.mutable_failed()->set_code(static_cast<uint32_t>(std::stoul(orders.words.at("fail"))));
    message.mutable_failed()->set_detail("as ordered");
    send_message(fd, message);
    ::_exit(69);
  }
  const auto hash = linesign::from_hex(orders.words.at("profile"));
  message.mutable_ready()->set_profile_sha256(hash->data(), hash->size());
  message.mutable_ready()->set_token("fake token");
  send_message(fd, message);
}

void answer(int fd, const Orders& orders, const SignItem& item) {
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
  }
  send_message(fd, message);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const Orders orders = read_orders(argv[2]);
  const int fd = std::stoi(argv[4]);
  if (orders.has("silent")) {
    mark_once(orders);
    for (;;) ::pause();
  }
  greet(fd, orders);
  std::vector<char> buffer(1024 * 1024);
  for (;;) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return 0;
    ToSigner batch;
    if (!batch.ParseFromArray(buffer.data(), static_cast<int>(got))) return 70;
    for (const SignItem& item : batch.items()) answer(fd, orders, item);
  }
}
