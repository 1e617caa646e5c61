#include "appliance/cloud/registration/thing_principals.h"

#include <algorithm>

#include <fmt/format.h>

#include "hsm/x509/certificate_facts.h"

namespace linesign {
namespace {

constexpr std::string_view kCertificatePart = ":cert/";
constexpr std::string_view kAdvice =
    "give the device another id, remove the thing, or set existing_things = \"adopt\" where things "
    "are made beforehand";

Result<std::vector<std::string>> list_all(aws::IotClient& iot, const std::string& thing) {
  std::vector<std::string> arns;
  std::string next;
  do {
    LS_TRY(aws::Page<std::string> page, iot.list_thing_principals(thing, next));
    std::move(page.items.begin(), page.items.end(), std::back_inserter(arns));
    next = std::move(page.next);
  } while (!next.empty() && arns.size() <= kMostPrincipals);
  return arns;
}

bool is_ours(const std::vector<Bytes>& issuers, ByteView certificate) {
  return std::any_of(issuers.begin(), issuers.end(), [&](const Bytes& issuer) {
    return is_issued_by(certificate, issuer);
  });
}

// Sorts one principal in; what cannot be looked at is somebody else's.
Result<void> sort_in(aws::IotClient& iot,
                     const ThingClaim& claim,
                     const std::string& arn,
                     ThingPrincipals& principals) {
  principals.foreign = arn;
  const size_t part = arn.find(kCertificatePart);
  if (part == std::string::npos) return {};
  const auto known = iot.describe_certificate(arn.substr(part + kCertificatePart.size()));
  if (!known.has_value() && known.error().code() == ErrorCode::AwsNotFound) return {};
  if (!known.has_value()) return fail(known.error());
  const std::vector<Bytes> der = parse_certificates(known->pem);
  if (der.empty() || !is_ours(claim.issuers, der.front())) return {};
  LS_TRY(const CertificateFacts its, read_certificate_facts(der.front()));
  LS_TRY(const CertificateFacts mine, read_certificate_facts(claim.certificate_der));
  if (its.common_name.empty() || its.common_name != mine.common_name) return {};
  principals.foreign.clear();
  principals.has_ours = true;
  if (its.not_before > mine.not_before) return {};
  principals.former.push_back(known->summary);
  principals.former.back().arn = arn;
  return {};
}

// Somebody was faster.
Result<void> unless_gone(Result<void> done) {
  const bool is_gone = !done.has_value() && done.error().code() == ErrorCode::AwsNotFound;
  return is_gone ? Result<void>() : done;
}

}  // namespace

Result<ThingPrincipals> find_principals(aws::IotClient& iot, const ThingClaim& claim) {
  LS_TRY(const std::vector<std::string> arns, list_all(iot, claim.thing));
  ThingPrincipals principals;
  if (arns.size() > kMostPrincipals) {
    principals.foreign = arns.front();
    return principals;
  }
  std::string foreign;
  for (const std::string& arn : arns) {
    if (arn == claim.certificate_arn) {
      principals.has_ours = true;
      continue;
    }
    LS_CHECK(sort_in(iot, claim, arn, principals));
    if (!principals.foreign.empty()) foreign = principals.foreign;
  }
  principals.foreign = std::move(foreign);
  return principals;
}

Result<void> check_not_foreign(const ThingPrincipals& principals, const ThingClaim& claim) {
  if (principals.foreign.empty()) return {};
  return fail(ErrorCode::AwsThingForeign,
              fmt::format("thing {}: {} is attached to it, and no CA of this appliance issued that "
                          "for this device: {}",
                          claim.thing,
                          principals.foreign,
                          kAdvice));
}

Result<void> check_ours(const ThingPrincipals& principals, const ThingClaim& claim) {
  LS_CHECK(check_not_foreign(principals, claim));
  if (principals.has_ours) return {};
  return fail(ErrorCode::AwsThingForeign,
              fmt::format("thing {} is there with another type or other attributes, and has no "
                          "certificate of this appliance: {}",
                          claim.thing,
                          kAdvice));
}

Result<void> switch_off(aws::IotClient& iot, const aws::CertificateSummary& certificate) {
  const bool is_off = certificate.status == aws::CertificateStatus::Inactive ||
                      certificate.status == aws::CertificateStatus::Revoked;
  if (is_off) return {};
  return unless_gone(iot.update_certificate(certificate.id, aws::CertificateStatus::Inactive));
}

Result<void> retire(aws::IotClient& iot,
                    const std::string& thing,
                    const aws::CertificateSummary& former) {
  LS_CHECK(switch_off(iot, former));
  return unless_gone(iot.detach_thing_principal(thing, former.arn));
}

}  // namespace linesign
