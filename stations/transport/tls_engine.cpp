#include "stations/transport/tls_engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "protocol/wire/byte_queue.h"
#include "stations/transport/tls_errors.h"
#include "stations/transport/tls_handles.h"

namespace linesign {
namespace {

constexpr size_t kMaxRecordPlaintext = 16384;  // RFC 8446 section 5.1
constexpr size_t kRecordHeaderBytes = 5;

// What OpenSSL reads from and writes to.
struct Memory {
  ByteView input;  // borrowed during receive()
  ByteQueue output;
};

int read_memory(BIO* bio, char* into, size_t wanted, size_t* got) {
  BIO_clear_retry_flags(bio);
  auto& memory = *static_cast<Memory*>(BIO_get_data(bio));
  *got = std::min(wanted, memory.input.size());
  if (*got == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, memory.input.data(), *got);
  memory.input = memory.input.subspan(*got);
  return 1;
}

int write_memory(BIO* bio, const char* from, size_t size, size_t* written) {
  static_cast<Memory*>(BIO_get_data(bio))->output.append(as_bytes({from, size}));
  *written = size;
  return 1;
}

long control_memory(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

tls::BioMethod make_memory_method() {
  tls::BioMethod method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory"));
  if (method == nullptr) return nullptr;
  BIO_meth_set_read_ex(method.get(), read_memory);
  BIO_meth_set_write_ex(method.get(), write_memory);
  BIO_meth_set_ctrl(method.get(), control_memory);
  return method;
}

const BIO_METHOD* memory_method() {
  static const tls::BioMethod kMethod = make_memory_method();
  return kMethod.get();
}

// Follows the record headers of a TLS stream, to know whether it stands inside a record.
class RecordTracker final {
 public:
  void follow(ByteView stream) {
    while (!stream.empty()) {
      if (body_bytes_left_ > 0) {
        const size_t skipped = std::min(body_bytes_left_, stream.size());
        body_bytes_left_ -= skipped;
        stream = stream.subspan(skipped);
        continue;
      }
      header_[header_bytes_++] = stream.front();
      stream = stream.subspan(1);
      if (header_bytes_ < kRecordHeaderBytes) continue;
      header_bytes_ = 0;
      body_bytes_left_ = static_cast<size_t>((header_[3] << 8U) | header_[4]);
    }
  }
  bool is_inside() const { return header_bytes_ > 0 || body_bytes_left_ > 0; }

 private:
  std::array<uint8_t, kRecordHeaderBytes> header_{};  // type u8, version u16, length u16
  size_t header_bytes_ = 0;
  size_t body_bytes_left_ = 0;
};

}  // namespace

struct TlsEngine::State {
  explicit State(const TlsContext& its_context) : context(its_context) {}

  Result<void> handshake();
  Result<bool> read_some(Bytes& plaintext);
  Error failure(std::string_view doing) const;
  bool is_client() const { return context.role() != TlsContext::Role::Appliance; }

  TlsContext context;  // kept: its callbacks use what it owns
  Memory memory;
  std::string clock_note;  // why the clock here cannot be right; filled by TlsContext
  tls::Connection connection;
  RecordTracker records;
  bool open = false;
  bool peer_closed = false;
};

Error TlsEngine::State::failure(std::string_view doing) const {
  if (!clock_note.empty()) {
    ERR_clear_error();
    return Error(ErrorCode::StationClockWrong, clock_note);
  }
  const long verdict = SSL_get_verify_result(connection.get());
  const bool distrusted = verdict != X509_V_OK;
  std::string text(doing);
  if (distrusted) {
    text += ": ";
    text += X509_verify_cert_error_string(verdict);
  }
  const bool peer_refused = distrusted && is_client() && !open;
  return take_openssl_error(peer_refused ? ErrorCode::PeerNotTrusted : ErrorCode::TlsFailed, text);
}

Result<void> TlsEngine::State::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(connection.get());
  if (done == 1) {
    open = true;
    return {};
  }
  if (SSL_get_error(connection.get(), done) == SSL_ERROR_WANT_READ) return {};
  return fail(failure("handshake"));
}

// False: nothing more until more ciphertext comes.
Result<bool> TlsEngine::State::read_some(Bytes& plaintext) {
  ERR_clear_error();
  std::array<uint8_t, kMaxRecordPlaintext> record;  // NOLINT: filled by OpenSSL
  size_t got = 0;
  const int done = SSL_read_ex(connection.get(), record.data(), record.size(), &got);
  if (done == 1) {
    plaintext.insert(plaintext.end(), record.begin(), record.begin() + got);
    return true;
  }
  switch (SSL_get_error(connection.get(), done)) {
    case SSL_ERROR_WANT_READ:
      return false;
    case SSL_ERROR_ZERO_RETURN:
      peer_closed = true;
      return false;
    default:
      return fail(failure("record"));
  }
}

TlsEngine::TlsEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}

TlsEngine::~TlsEngine() = default;

Result<std::unique_ptr<TlsEngine>> TlsEngine::create(const TlsContext& context) {
  ERR_clear_error();
  auto state = std::make_unique<State>(context);
  state->connection.reset(SSL_new(context.native()));
  tls::Bio bio(memory_method() != nullptr ? BIO_new(memory_method()) : nullptr);
  if (state->connection == nullptr || bio == nullptr)
    return fail(take_openssl_error(ErrorCode::CryptoFailed, "new TLS connection"));
  SSL_set_app_data(state->connection.get(), &state->clock_note);
  BIO_set_data(bio.get(), &state->memory);
  BIO_set_init(bio.get(), 1);
  BIO_up_ref(bio.get());  // one reference for reading, one for writing
  SSL_set0_rbio(state->connection.get(), bio.get());
  SSL_set0_wbio(state->connection.get(), bio.release());
  if (state->is_client()) {
    SSL_set_connect_state(state->connection.get());
    LS_CHECK(state->handshake());
  } else {
    SSL_set_accept_state(state->connection.get());
  }
  return std::unique_ptr<TlsEngine>(new TlsEngine(std::move(state)));
}

Result<void> TlsEngine::receive(ByteView ciphertext, Bytes& plaintext) {
  state_->records.follow(ciphertext);
  state_->memory.input = ciphertext;
  if (!state_->open) LS_CHECK(state_->handshake());
  while (state_->open && !state_->peer_closed) {
    LS_TRY(const bool more, state_->read_some(plaintext));
    if (!more) break;
  }
  state_->memory.input = {};
  return {};
}

Result<void> TlsEngine::send(ByteView plaintext) {
  if (plaintext.empty()) return {};
  ERR_clear_error();
  size_t written = 0;
  // The memory takes everything, so nothing is ever written in part.
  const int done =
      SSL_write_ex(state_->connection.get(), plaintext.data(), plaintext.size(), &written);
  if (done != 1) return fail(state_->failure("send"));
  return {};
}

void TlsEngine::close() {
  ERR_clear_error();
  SSL_shutdown(state_->connection.get());
  ERR_clear_error();
}

ByteView TlsEngine::output() const { return state_->memory.output.view(); }

void TlsEngine::drop_output(size_t bytes) { state_->memory.output.drop(bytes); }

bool TlsEngine::is_open() const { return state_->open; }

bool TlsEngine::is_peer_closed() const { return state_->peer_closed; }

bool TlsEngine::is_mid_record() const { return state_->records.is_inside(); }

TlsEngine::Alpn TlsEngine::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->connection.get(), &name, &size);
  const std::string_view chosen = as_text({name, size});
  if (chosen == kStationAlpn) return Alpn::Station;
  if (chosen == kEnrollmentAlpn) return Alpn::Enrollment;
  return Alpn::None;
}

Sha256 TlsEngine::peer_certificate_hash() const {
  Sha256 hash{};
  X509* certificate = SSL_get0_peer_certificate(state_->connection.get());
  unsigned size = 0;
  if (certificate != nullptr) X509_digest(certificate, EVP_sha256(), hash.data(), &size);
  return hash;
}

Bytes TlsEngine::verified_ca() const {
  STACK_OF(X509)* chain = SSL_get0_verified_chain(state_->connection.get());
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  if (count < 2) return {};
  unsigned char* der = nullptr;
  const int size = i2d_X509(sk_X509_value(chain, count - 1), &der);
  if (size <= 0) return {};
  Bytes ca(der, der + size);
  OPENSSL_free(der);
  return ca;
}

}  // namespace linesign
