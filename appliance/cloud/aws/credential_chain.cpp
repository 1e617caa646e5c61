#include "appliance/cloud/aws/credential_chain.h"

#include <charconv>
#include <set>

#include <fmt/format.h>

#include "appliance/cloud/aws/account_credentials.h"
#include "appliance/cloud/aws/metadata_credentials.h"
#include "appliance/cloud/aws/process_credentials.h"
#include "appliance/cloud/aws/role_credentials.h"
#include "appliance/cloud/aws/static_credentials.h"

namespace linesign::aws {
namespace {

using Provider = std::unique_ptr<CredentialProvider>;

class ProviderFinder final {
 public:
  ProviderFinder(const Settings& settings, const Runtime& runtime)
      : settings_(settings), environment_(settings.environment), runtime_(runtime) {}

  Result<Provider> find() {
    const bool has_keys = !environment_.get("AWS_ACCESS_KEY_ID").empty() ||
                          !environment_.get("AWS_SECRET_ACCESS_KEY").empty();
    if (has_keys && !settings_.is_profile_named)
      return Provider(std::make_unique<EnvironmentCredentials>(environment_));
    LS_CHECK(settings_.check_profile(settings_.profile));
    LS_TRY(Provider role, assumed_role(settings_.profile));
    if (role) return role;
    const bool asks_environment = !settings_.is_profile_named;
    LS_TRY(Provider web_identity, find_web_identity(settings_.profile, asks_environment));
    if (web_identity) return web_identity;
    LS_TRY(Provider kept, kept_in_profile(settings_.profile));
    if (kept) return kept;
    if (ContainerCredentials::is_set_up(environment_))
      return Provider(std::make_unique<ContainerCredentials>(runtime_.transport, environment_));
    return Provider(std::make_unique<InstanceCredentials>(runtime_.transport, settings_.metadata));
  }

  Result<Provider> on_top(Provider base, AssumeRole role) {
    const auto cache = std::make_shared<CredentialCache>(std::move(base), runtime_.clock);
    LS_TRY(Endpoint endpoint, find_endpoint(Service::Sts, settings_.region, settings_));
    return Provider(std::make_unique<AssumeRoleCredentials>(
        std::move(role), parts(std::make_shared<KeyAuthenticator>(cache)), std::move(endpoint)));
  }

  Result<Provider> of_account(Provider base, std::string account) {
    LS_TRY(Endpoint endpoint, find_endpoint(Service::Sts, settings_.region, settings_));
    return Provider(std::make_unique<AccountCredentials>(
        std::move(base), std::move(account), parts(nullptr), std::move(endpoint)));
  }

  Result<Provider> anywhere(RolesAnywhere roles, std::shared_ptr<X509Signer> signer) {
    LS_TRY(const std::string region, region_of_arn(roles.trust_anchor_arn));
    LS_TRY(Endpoint endpoint, find_endpoint(Service::RolesAnywhere, region, settings_));
    return Provider(std::make_unique<RolesAnywhereCredentials>(
        std::move(roles),
        parts(std::make_shared<X509Authenticator>(std::move(signer))),
        std::move(endpoint)));
  }

 private:
  ClientParts parts(std::shared_ptr<Authenticator> authenticator) const {
    return {runtime_,
            std::move(authenticator),
            std::make_shared<RetryQuota>(),
            {"credentials", settings_.region},
            settings_.max_attempts};
  }

  bool has(const std::string& profile, std::string_view key) const {
    return settings_.has_value(profile, key);
  }
  std::string value(const std::string& profile, std::string_view key) const {
    return settings_.value(profile, key);
  }
  bool has_static_key(const std::string& profile) const {
    return has_key(settings_.credentials_file.find(profile)) ||
           has_key(settings_.profile_section(profile));
  }

  Result<AssumeRole> role_of(const std::string& profile) const {
    if (!value(profile, "mfa_serial").empty())
      return fail(ErrorCode::AwsSettings,
                  fmt::format("profile {}: a service has no MFA device", profile));
    AssumeRole role;
    role.role_arn = value(profile, "role_arn");
    if (role.role_arn.empty()) return wrong(profile, "role_arn is missing or empty");
    role.external_id = value(profile, "external_id");
    const std::string session = value(profile, "role_session_name");
    if (!session.empty()) role.session_name = session;
    const std::string duration = value(profile, "duration_seconds");
    if (duration.empty()) return role;
    int seconds = 0;
    const auto [end, error] =
        std::from_chars(duration.data(), duration.data() + duration.size(), seconds);
    if (error != std::errc{} || end != duration.data() + duration.size() || seconds < 900 ||
        seconds > 43'200) {
      return fail(ErrorCode::AwsSettings,
                  fmt::format("profile {}: duration_seconds is not from 900 to 43200", profile));
    }
    role.duration = std::chrono::seconds(seconds);
    return role;
  }

  static tl::unexpected<Error> wrong(const std::string& profile, std::string_view what) {
    return fail(ErrorCode::AwsSettings, fmt::format("profile {}: {}", profile, what));
  }

  // Null: the profile assumes no role, or one with a web identity.
  Result<Provider> assumed_role(const std::string& profile) {
    if (!has(profile, "role_arn") || has(profile, "web_identity_token_file")) return Provider();
    const bool has_profile = has(profile, "source_profile");
    const bool has_source = has(profile, "credential_source");
    if (has_profile && has_source)
      return wrong(profile, "source_profile and credential_source exclude each other");
    if (!has_profile && !has_source)
      return wrong(profile,
                   "role_arn needs source_profile, credential_source or web_identity_token_file: "
                   "without one, nothing says whose keys assume the role");
    visited_.insert(profile);
    LS_TRY(AssumeRole role, role_of(profile));
    LS_TRY(Provider base, has_profile ? source_of(profile) : named_source(profile));
    return on_top(std::move(base), std::move(role));
  }

  // Keys of a source profile count before a role of it. A profile may be its own source only for
  // its keys.
  Result<Provider> source_of(const std::string& parent) {
    const std::string profile = value(parent, "source_profile");
    LS_CHECK(settings_.check_profile(profile));
    if (!settings_.has_profile(profile))
      return wrong(parent, "source_profile: " + settings_.no_profile(profile).detail());
    const bool has_keys = has_static_key(profile);
    if (visited_.contains(profile) && (profile != parent || !has_keys))
      return wrong(parent, fmt::format("its source_profile {} leads back to itself", profile));
    if (!has_keys) {
      LS_TRY(Provider role, assumed_role(profile));
      if (role) return role;
    }
    LS_TRY(Provider web_identity, find_web_identity(profile, false));
    if (web_identity) return web_identity;
    LS_TRY(Provider kept, kept_in_profile(profile));
    if (kept) return kept;
    return wrong(parent, fmt::format("its source_profile {} has no credentials", profile));
  }

  Result<Provider> named_source(const std::string& profile) {
    const std::string source = value(profile, "credential_source");
    if (source == "Environment") {
      if (!environment_.get("AWS_ACCESS_KEY_ID").empty())
        return Provider(std::make_unique<EnvironmentCredentials>(environment_));
      return wrong(profile, "credential_source = Environment, and AWS_ACCESS_KEY_ID is not set");
    }
    if (source == "Ec2InstanceMetadata")
      return Provider(
          std::make_unique<InstanceCredentials>(runtime_.transport, settings_.metadata));
    if (source != "EcsContainer")
      return wrong(profile,
                   fmt::format("credential_source is Environment, Ec2InstanceMetadata or "
                               "EcsContainer, not \"{}\"",
                               source));
    if (ContainerCredentials::is_set_up(environment_))
      return Provider(std::make_unique<ContainerCredentials>(runtime_.transport, environment_));
    return wrong(profile,
                 "credential_source = EcsContainer, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI "
                 "or _FULL_URI is not set");
  }

  // Null: none is set up.
  Result<Provider> find_web_identity(const std::string& profile, bool asks_environment) {
    std::string token_file =
        asks_environment ? environment_.get("AWS_WEB_IDENTITY_TOKEN_FILE") : std::string();
    AssumeRole role;
    if (!token_file.empty()) {
      role.role_arn = environment_.get("AWS_ROLE_ARN");
      const std::string& session = environment_.get("AWS_ROLE_SESSION_NAME");
      if (!session.empty()) role.session_name = session;
    } else {
      if (!has(profile, "web_identity_token_file")) return Provider();
      token_file = value(profile, "web_identity_token_file");
      LS_TRY(role, role_of(profile));
    }
    if (role.role_arn.empty() || token_file.empty())
      return fail(ErrorCode::AwsSettings, "a web identity needs a token file and a role_arn");
    role.external_id.clear();  // not a parameter of this call
    LS_TRY(Endpoint endpoint, find_endpoint(Service::Sts, settings_.region, settings_));
    return Provider(
        std::make_unique<WebIdentityCredentials>(std::move(role),
                                                 token_file,
                                                 parts(std::make_shared<NoAuthenticator>()),
                                                 std::move(endpoint)));
  }

  Result<Provider> kept_in_profile(const std::string& profile) {
    if (!value(profile, "sso_session").empty() || !value(profile, "sso_start_url").empty()) {
      return fail(
          ErrorCode::AwsSettings,
          fmt::format("profile {}: a sign-on with a browser is not for a service", profile));
    }
    if (has_key(settings_.credentials_file.find(profile)))
      return Provider(std::make_unique<FileCredentials>(settings_.credentials_path, profile));
    const std::string command = value(profile, "credential_process");
    if (!command.empty())
      return Provider(std::make_unique<ProcessCredentials>(command, environment_));
    if (!has_key(settings_.profile_section(profile))) return Provider();
    const std::string named = fmt::format("profile {}", profile);
    return Provider(std::make_unique<FileCredentials>(
        settings_.config_path, settings_.config_file.find(named) != nullptr ? named : profile));
  }

  const Settings& settings_;
  const Environment& environment_;
  const Runtime& runtime_;
  std::set<std::string> visited_;
};

Result<Provider> find_base(ProviderFinder& finder, CredentialSource& source) {
  if (source.keys) return Provider(std::make_unique<GivenCredentials>(std::move(*source.keys)));
  if (source.roles_anywhere) {
    if (!source.x509_signer)
      return fail(ErrorCode::AwsSettings, "Roles Anywhere needs a certificate and its key");
    return finder.anywhere(std::move(*source.roles_anywhere), std::move(source.x509_signer));
  }
  return finder.find();
}

}  // namespace

Result<std::shared_ptr<CredentialCache>> find_credentials(const Settings& settings,
                                                          CredentialSource source,
                                                          const Runtime& runtime) {
  ProviderFinder finder(settings, runtime);
  LS_TRY(Provider provider, find_base(finder, source));
  if (source.role) {
    LS_TRY(Provider role, finder.on_top(std::move(provider), std::move(*source.role)));
    provider = std::move(role);
  }
  if (!source.account.empty()) {
    LS_TRY(Provider checked, finder.of_account(std::move(provider), std::move(source.account)));
    provider = std::move(checked);
  }
  return std::make_shared<CredentialCache>(std::move(provider), runtime.clock);
}

}  // namespace linesign::aws
