#include "hsm/x509/distinguished_name.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/x509/directory_string.h"
#include "hsm/x509/name_text.h"

namespace linesign {
namespace {

using CommonName = std::optional<std::string>;

constexpr std::array<uint8_t, 3> kCommonNameType = {0x55, 0x04, 0x03};  // 2.5.4.3
constexpr size_t kMaxAttributeDepth = 16;

// X.690 section 11.6: the elements of a SET OF stand in ascending order of their encodings.
bool ascends(ByteView previous, ByteView next) {
  return !std::lexicographical_compare(next.begin(), next.end(), previous.begin(), previous.end());
}

tl::unexpected<Error> fail_at(const DerElement& element, ErrorCode code, std::string_view what) {
  return fail(code, fmt::format("byte {}: {}", element.offset(), what));
}

tl::unexpected<Error> fail_subject(const DerElement& element, std::string_view what) {
  return fail_at(element, ErrorCode::CsrSubjectInvalid, what);
}

// The types with an alphabet of their own are read as the one that has none.
uint8_t widest_type(uint8_t tag) {
  const bool is_wide = tag == der::kUtf8String || tag == der::kBmpString;
  return is_wide || tag == der::kUniversalString ? tag : der::kT61String;
}

Result<void> take_common_name(CommonName& common_name, const DerElement& value, uint8_t as_type) {
  if (common_name) return fail_subject(value, "more than one common name");
  if (!is_directory_string(value.tag)) return fail_subject(value, "not a string");
  auto text = decode_directory_string(as_type, value.content);
  if (!text) return fail_subject(value, text.error().detail());
  if (text->characters > kMaxCommonNameCharacters) {
    return fail_subject(value, "a common name of more than 64 characters");
  }
  common_name = std::move(text->utf8);
  return {};
}

Result<void> check_value(const DerElement& type, const DerElement& value, CommonName& common_name) {
  if (equal(type.content, kCommonNameType)) return take_common_name(common_name, value, value.tag);
  // x500UniqueIdentifier and dateOfBirth (RFC 3739) are the attributes in use that hold no string.
  if (value.tag == der::kBitString || value.tag == der::kGeneralizedTime) return {};
  if (!is_directory_string(value.tag)) return fail_subject(value, "not a string");
  const auto text = check_directory_string(value.tag, value.content);
  if (!text) return fail_subject(value, text.error().detail());
  return {};
}

Result<void> check_attribute(const DerElement& attribute,
                             ByteView previous,
                             CommonName& common_name) {
  DerReader reader(attribute);
  LS_TRY(const DerElement type, reader.read(der::kObjectId, "an attribute type in the subject"));
  const auto check = [&]() -> Result<void> {
    if (!ascends(previous, attribute.whole)) {
      return fail_at(attribute, ErrorCode::CsrMalformed, "not in DER's order within its SET");
    }
    LS_CHECK(check_der(attribute.whole, kMaxAttributeDepth, attribute.offset()));
    LS_TRY(const DerElement value, reader.any());
    LS_CHECK(reader.finish("an attribute of the subject"));
    return check_value(type, value, common_name);
  };
  const auto checked = check();
  if (!checked) return fail(checked.error().with_context(object_id_text(type.whole)));
  return {};
}

Result<void> check_relative_name(DerReader set, CommonName& common_name) {
  if (set.empty()) return fail(set.malformed("an empty relative name in the subject"));
  ByteView previous;
  while (!set.empty()) {
    LS_TRY(const DerElement attribute, set.read(der::kSequence, "an attribute of the subject"));
    LS_CHECK(check_attribute(attribute, previous, common_name));
    previous = attribute.whole;
  }
  return {};
}

Result<void> read_attribute(DerReader attribute, CommonName& common_name) {
  LS_TRY(const DerElement type, attribute.read(der::kObjectId, "an attribute type in the subject"));
  if (!equal(type.content, kCommonNameType)) return {};
  LS_TRY(const DerElement value, attribute.any());
  if (value.content.empty()) return {};
  const auto taken = take_common_name(common_name, value, widest_type(value.tag));
  if (!taken) return fail(taken.error().with_context("CN"));
  return {};
}

Result<void> read_relative_name(DerReader set, CommonName& common_name) {
  while (!set.empty()) {
    LS_TRY(const DerReader attribute, set.enter(der::kSequence, "an attribute of the subject"));
    LS_CHECK(read_attribute(attribute, common_name));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_common_name(DerReader name) {
  CommonName common_name;
  while (!name.empty()) {
    LS_TRY(const DerReader set, name.enter(der::kSet, "a relative name in the subject"));
    LS_CHECK(read_relative_name(set, common_name));
  }
  return common_name;
}

Result<std::optional<std::string>> check_name(DerReader name) {
  CommonName common_name;
  while (!name.empty()) {
    LS_TRY(const DerReader set, name.enter(der::kSet, "a relative name in the subject"));
    LS_CHECK(check_relative_name(set, common_name));
  }
  return common_name;
}

}  // namespace linesign
