// TextRules: what names and values may look like for AWS, and for texts with fields.
//
// Threads  no state, safe anywhere
// Source   AWS IoT API Reference; aws-iot names are 1 to 128 characters unless said otherwise
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_TEXT_RULES_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_TEXT_RULES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace linesign {

struct TextRule {
  size_t min;
  size_t max;
  std::string_view others;  // allowed beside letters and digits
  std::string_view words;   // for the message: "1 to 64 of A-Z a-z 0-9 . _ -"
};

extern const TextRule kTargetNameRule;
extern const TextRule kThingNameRule;  // also of thing types and thing groups
extern const TextRule kPolicyNameRule;
extern const TextRule kAttributeNameRule;
extern const TextRule kAttributeValueRule;
extern const TextRule kTemplateNameRule;
extern const TextRule kBucketRule;
extern const TextRule kObjectKeyRule;
extern const TextRule kSessionNameRule;
extern const TextRule kExternalIdRule;

bool fits(const TextRule& rule, std::string_view text);

bool is_account_number(std::string_view text);  // 12 digits
bool is_region(std::string_view text);          // "eu-central-1", "us-gov-west-1"

// What an ARN of a target names.
struct ArnRule {
  std::string_view service;
  std::string_view resource;  // how its last part begins
};

extern const ArnRule kRoleArnRule;         // arn:aws:iam::123456789012:role/x
extern const ArnRule kTrustAnchorArnRule;  // of Roles Anywhere, in a region, like the next
extern const ArnRule kLoginProfileArnRule;

// Of this form; an account may be missing.
bool is_arn(std::string_view text, const ArnRule& rule);
// How an ARN of this rule begins where it serves a region: "arn:aws-cn:iam:".
std::string arn_start(const ArnRule& rule, std::string_view region);
// The account in an ARN; empty where it has none.
std::string_view account_of_arn(std::string_view arn);
// The region in an ARN; empty where it has none.
std::string_view region_of_arn(std::string_view arn);

// What is wrong with a text with fields, if anything is; `rule` holds for what stands between them.
enum class Fields : uint8_t { OfDevice, WithPem };
std::optional<std::string> find_field_fault(std::string_view text,
                                            Fields fields,
                                            const TextRule* rule);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_TEXT_RULES_H_
