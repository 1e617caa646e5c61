// SettingsFile and read_profile on any text. A profile that is read has one canonical text and can
// be used.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hsm/x509/profile.h"
#include "hsm/x509/profile_encoding.h"

namespace {

void check_profile(const linesign::Profile& profile) {
  const std::string text = linesign::canonical_text(profile);
  if (!text.starts_with("linesign profile 1\n") || !text.ends_with('\n')) std::abort();
  const auto names = linesign::parse_alt_names(profile.subject_alt_names);
  if (!names) std::abort();
  linesign::encode_alt_names(*names, "dev-1");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = linesign::as_text({data, size});
  // Debian's toml++ 3.3.0 marks a branch of is_non_ascii_horizontal_whitespace() unreachable that
  // foreign letters outside of strings reach. The compiled code does no harm, but a sanitizer stops
  // there, so that nothing else would be found.
  if (std::any_of(data, data + size, [](uint8_t byte) { return byte >= 0x80; })) return 0;
  const auto file = linesign::SettingsFile::parse(text, "fuzz.toml");
  if (!file) return 0;
  const auto table = file->root().table("profile");
  if (!table) return 0;
  const auto profile = linesign::read_profile(*table);
  if (profile) check_profile(*profile);
  return 0;
}
