#include "appliance/cloud/aws/credentials.h"

namespace linesign::aws {

SecretBytes take_secret(std::string& text) {
  SecretBytes secret(to_bytes(text));
  wipe({reinterpret_cast<uint8_t*>(text.data()), text.size()});
  text.clear();
  return secret;
}

std::string reveal_text(const SecretBytes& secret) { return std::string(as_text(secret.reveal())); }

}  // namespace linesign::aws
