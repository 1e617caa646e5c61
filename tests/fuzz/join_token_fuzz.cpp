// decode_join_token on any text. What it accepts is encoded as it was.
#include <cstdint>
#include <cstdlib>

#include "protocol/wire/join_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = linesign::as_text({data, size});
  const auto token = linesign::decode_join_token(text);
  if (token && linesign::encode_join_token(*token) != text) std::abort();
  return 0;
}
