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
    LS_TRY(Provider role, assumed_role(settings_.profile));
    if (role) return role;
    LS_TRY(Provider web_identity, find_web_identity(settings_.profile));
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

  // Of either file; the credentials file first.
  std::string value(const std::string& profile, std::string_view key) const {
    const ProfileSection* kept = settings_.credentials_file.find(profile);
    if (kept != nullptr && !kept->get(key).empty()) return kept->get(key);
    const ProfileSection* section = settings_.profile_section(profile);
    return section != nullptr ? section->get(key) : std::string();
  }

  Result<AssumeRole> role_of(const std::string& profile) const {
    if (!value(profile, "mfa_serial").empty())
      return fail(ErrorCode::AwsSettings,
                  fmt::format("profile {}: a service has no MFA device", profile));
    AssumeRole role;
    role.role_arn = value(profile, "role_arn");
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

  // Null: the profile takes on no role with other credentials.
  Result<Provider> assumed_role(const std::string& profile) {
    const std::string source_profile = value(profile, "source_profile");
    const std::string source = value(profile, "credential_source");
    if (value(profile, "role_arn").empty() || (source_profile.empty() && source.empty()))
      return Provider();
    if (!source_profile.empty() && !source.empty()) {
      return fail(ErrorCode::AwsSettings,
                  fmt::format("profile {}: source_profile and credential_source", profile));
    }
    if (!visited_.insert(profile).second)
      return fail(ErrorCode::AwsSettings, fmt::format("profile {} leads back to itself", profile));
    LS_TRY(AssumeRole role, role_of(profile));
    LS_TRY(Provider base,
           source.empty() ? source_of(source_profile) : named_source(profile, source));
    return on_top(std::move(base), std::move(role));
  }

  // Keys of a source profile count before a role of it.
  Result<Provider> source_of(const std::string& profile) {
    if (!has_key(settings_.credentials_file.find(profile)) &&
        !has_key(settings_.profile_section(profile))) {
      LS_TRY(Provider role, assumed_role(profile));
      if (role) return role;
      LS_TRY(Provider web_identity, find_web_identity(profile));
      if (web_identity) return web_identity;
    }
    LS_TRY(Provider kept, kept_in_profile(profile));
    if (kept) return kept;
    return fail(ErrorCode::AwsCredentialsFailed,
                fmt::format("the source profile {} has no credentials", profile));
  }

  Result<Provider> named_source(const std::string& profile, const std::string& source) {
    if (source == "Environment")
      return Provider(std::make_unique<EnvironmentCredentials>(environment_));
    if (source == "Ec2InstanceMetadata")
      return Provider(
          std::make_unique<InstanceCredentials>(runtime_.transport, settings_.metadata));
    if (source == "EcsContainer" && ContainerCredentials::is_set_up(environment_))
      return Provider(std::make_unique<ContainerCredentials>(runtime_.transport, environment_));
    return fail(ErrorCode::AwsSettings,
                fmt::format("profile {}: credential_source {} cannot be used", profile, source));
  }

  Result<Provider> find_web_identity(const std::string& profile) {
    std::string token_file = environment_.get("AWS_WEB_IDENTITY_TOKEN_FILE");
    AssumeRole role;
    if (!token_file.empty() && !settings_.is_profile_named) {
      role.role_arn = environment_.get("AWS_ROLE_ARN");
      const std::string& session = environment_.get("AWS_ROLE_SESSION_NAME");
      if (!session.empty()) role.session_name = session;
    } else {
      token_file = value(profile, "web_identity_token_file");
      if (token_file.empty()) return Provider();
      LS_TRY(role, role_of(profile));
    }
    if (role.role_arn.empty())
      return fail(ErrorCode::AwsSettings, "a web identity token needs a role_arn");
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
