#include "hsm/x509/distinguished_name.h"

#include <algorithm>
#include <array>

#include "hsm/x509/directory_string.h"

namespace linesign {
namespace {

constexpr std::array<uint8_t, 3> kCommonNameType = {0x55, 0x04, 0x03};  // 2.5.4.3

// X.690 section 11.6: the elements of a SET OF stand in ascending order of their encodings.
bool ascends(ByteView previous, ByteView next) {
  return !std::lexicographical_compare(next.begin(), next.end(), previous.begin(), previous.end());
}

Result<void> take_common_name(std::optional<std::string>& common_name,
                              uint8_t tag,
                              ByteView content) {
  if (common_name) return fail(ErrorCode::CsrSubjectInvalid, "more than one common name");
  LS_TRY(Text text, decode_directory_string(tag, content));
  if (text.characters > kMaxCommonNameCharacters) {
    return fail(ErrorCode::CsrSubjectInvalid, "a common name of more than 64 characters");
  }
  common_name = std::move(text.utf8);
  return {};
}

Result<void> check_attribute(DerReader attribute, std::optional<std::string>& common_name) {
  LS_TRY(const DerElement type, attribute.read(der::kObjectId, "an attribute type in the subject"));
  LS_TRY(const DerElement value, attribute.any());
  LS_CHECK(attribute.finish("an attribute of the subject"));
  const bool is_common_name = equal(type.content, kCommonNameType);
  if (is_directory_string(value.tag)) {
    return is_common_name ? take_common_name(common_name, value.tag, value.content)
                          : check_directory_string(value.tag, value.content);
  }
  // x500UniqueIdentifier and dateOfBirth (RFC 3739) are the attributes in use that hold no string.
  const bool legal = value.tag == der::kBitString || value.tag == der::kGeneralizedTime;
  if (is_common_name || !legal) {
    return fail(ErrorCode::CsrSubjectInvalid, "an attribute that is not a string");
  }
  return {};
}

Result<void> check_relative_name(DerReader set, std::optional<std::string>& common_name) {
  if (set.empty()) return fail(set.malformed("an empty relative name in the subject"));
  ByteView previous;
  while (!set.empty()) {
    LS_TRY(const DerElement attribute, set.read(der::kSequence, "an attribute of the subject"));
    if (!ascends(previous, attribute.whole)) {
      return fail(set.malformed("the attributes of a relative name are not in order"));
    }
    previous = attribute.whole;
    LS_CHECK(check_attribute(DerReader(attribute), common_name));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> check_name(DerReader name) {
  std::optional<std::string> common_name;
  while (!name.empty()) {
    LS_TRY(const DerReader set, name.enter(der::kSet, "a relative name in the subject"));
    LS_CHECK(check_relative_name(set, common_name));
  }
  return common_name;
}

}  // namespace linesign
