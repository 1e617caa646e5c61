#include "appliance/cloud/targets/text_rules.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/aws/partitions.h"

namespace linesign {
namespace {

constexpr size_t kAccountDigits = 12;
constexpr size_t kMinArnBytes = 20;
constexpr size_t kMaxArnBytes = 2048;
constexpr std::array<std::string_view, 6> kFieldNames = {"{device_id}",
                                                         "{order}",
                                                         "{serial}",
                                                         "{certificate_id}",
                                                         "{certificate_pem}",
                                                         "{ca_certificate_pem}"};

bool is_pem_field(std::string_view name) { return name.ends_with("_pem}"); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z'); }

bool has_only(const TextRule& rule, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || rule.others.find(c) != std::string_view::npos;
  });
}

// Part number `index` of a text whose parts colons separate.
std::string_view part_of(std::string_view text, int index) {
  for (; index > 0; --index) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return {};
    text.remove_prefix(colon + 1);
  }
  return text.substr(0, text.find(':'));
}

}  // namespace

const TextRule kTargetNameRule = {1, 64, "._-", "1 to 64 of A-Z a-z 0-9 . _ -"};
const TextRule kThingNameRule = {1, 128, ":_-", "1 to 128 of A-Z a-z 0-9 : _ -"};
const TextRule kPolicyNameRule = {1, 128, "_+=,.@-", "1 to 128 of A-Z a-z 0-9 _ + = , . @ -"};
const TextRule kAttributeNameRule = {
    1, 128, "_.,@/:#-", "names of 1 to 128 of A-Z a-z 0-9 _ . , @ / : # -"};
const TextRule kAttributeValueRule = {
    0, 800, "_.,@/:#=[]-", "values of at most 800 of A-Z a-z 0-9 _ . , @ / : # = [ ] -"};
const TextRule kTemplateNameRule = {1, 36, "_-", "1 to 36 of A-Z a-z 0-9 _ -"};
const TextRule kBucketRule = {3, 63, ".-", "a bucket's name: 3 to 63 of a-z 0-9 . -"};
const TextRule kObjectKeyRule = {
    0, 512, "!_.*'()-/", "at most 512 of A-Z a-z 0-9 ! _ . * ' ( ) - /"};
const TextRule kSessionNameRule = {2, 64, "_+=,.@-", "2 to 64 of A-Z a-z 0-9 _ + = , . @ -"};
const TextRule kExternalIdRule = {
    2, 1224, "_+=,.@:/-", "2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -"};

const ArnRule kRoleArnRule = {"iam", "role/"};
const ArnRule kTrustAnchorArnRule = {"rolesanywhere", "trust-anchor/"};
const ArnRule kLoginProfileArnRule = {"rolesanywhere", "profile/"};

bool fits(const TextRule& rule, std::string_view text) {
  return text.size() >= rule.min && text.size() <= rule.max && has_only(rule, text);
}

bool is_account_number(std::string_view text) {
  return text.size() == kAccountDigits && std::all_of(text.begin(), text.end(), is_digit);
}

// Two or more words of small letters, then a number; whether AWS has it, the network says.
bool is_region(std::string_view text) {
  const size_t last = text.rfind('-');
  if (last == std::string_view::npos || text.size() > 32) return false;
  const std::string_view number = text.substr(last + 1);
  const std::string_view words = text.substr(0, last);
  const bool is_numbered =
      !number.empty() && number.size() <= 2 && std::all_of(number.begin(), number.end(), is_digit);
  const bool has_words = words.find('-') != std::string_view::npos && !words.starts_with('-') &&
                         !words.ends_with('-') && words.find("--") == std::string_view::npos;
  return is_numbered && has_words &&
         std::all_of(words.begin(), words.end(), [](char c) { return is_lower(c) || c == '-'; });
}

bool is_arn(std::string_view text, const ArnRule& rule) {
  const bool is_sized = text.size() >= kMinArnBytes && text.size() <= kMaxArnBytes;
  const bool is_printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  const std::string_view account = account_of_arn(text);
  const std::string_view resource = part_of(text, 5);
  // IAM is the same in all regions of a partition.
  const bool is_placed = (rule.service == "iam") == region_of_arn(text).empty();
  return is_sized && is_printable && is_placed && part_of(text, 0) == "arn" &&
         part_of(text, 1).starts_with("aws") && part_of(text, 2) == rule.service &&
         (account.empty() || is_account_number(account)) && resource.starts_with(rule.resource) &&
         resource.size() > rule.resource.size();
}

std::string arn_start(const ArnRule& rule, std::string_view region) {
  return fmt::format("arn:{}:{}:", aws::partition_of(region), rule.service);
}

std::string_view account_of_arn(std::string_view arn) { return part_of(arn, 4); }
std::string_view region_of_arn(std::string_view arn) { return part_of(arn, 3); }

std::optional<std::string> find_field_fault(std::string_view text,
                                            Fields fields,
                                            const TextRule* rule) {
  while (!text.empty()) {
    const size_t brace = std::min(text.find_first_of("{}"), text.size());
    const std::string_view plain = text.substr(0, brace);
    if (rule != nullptr && (plain.size() > rule->max || !has_only(*rule, plain)))
      return fmt::format("expected {}", rule->words);
    text.remove_prefix(brace);
    if (text.empty()) break;
    const auto* const field =
        std::find_if(kFieldNames.begin(), kFieldNames.end(), [&](std::string_view name) {
          return text.starts_with(name) && (fields == Fields::WithPem || !is_pem_field(name));
        });
    if (field == kFieldNames.end()) {
      return fmt::format(
          "a brace begins or ends one of the fields {{device_id}}, {{order}}, {{serial}}, "
          "{{certificate_id}}{}",
          fields == Fields::WithPem ? ", {certificate_pem}, {ca_certificate_pem}" : "");
    }
    text.remove_prefix(field->size());
  }
  return std::nullopt;
}

}  // namespace linesign
