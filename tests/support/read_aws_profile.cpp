// read_aws_profile: what linesign reads of AWS's shared files, so that another reader can judge it.
//
//   read_aws_profile [PROFILE]
//
// Prints a JSON object: "source" of the credentials, "region", "s3.addressing_style"; and, where
// they lie on this machine, "access_key_id", "secret" and "token". Or "error". Nobody is called.
//
// Exit code: 0
#include <unistd.h>

#include <iostream>

#include "appliance/cloud/aws/session.h"

namespace linesign::aws {
namespace {

bool lies_here(const std::string& source) {
  return source.ends_with(']') || source == "the environment" || source == "credential_process";
}

Result<JsonObject> read_profile(const std::string& profile) {
  const auto environment = Environment::from_block(::environ);
  SessionOptions options;
  options.overrides.profile = profile;
  LS_TRY(const Settings settings, load_settings(environment, options.overrides));
  options.overrides.region = "eu-central-1";  // where no file names one
  const SystemClock clock;
  StoppablePause pause;
  RateLimiter limiter(clock);
  LS_TRY(const std::unique_ptr<Session> session,
         Session::open(environment, std::move(options), {limiter, clock, pause}));
  JsonObject read;
  read.set("source", session->credentials().source()).set("region", settings.region);
  if (const ProfileSection* section = settings.profile_section(settings.profile))
    read.set("s3.addressing_style", section->get("s3", "addressing_style"));
  if (const auto* section = settings.credentials_file.find(settings.profile))
    read.set("s3.addressing_style", section->get("s3", "addressing_style"));
  if (!lies_here(session->credentials().source())) return read;
  LS_TRY(const CredentialsPtr keys, session->credentials().get());
  read.set("access_key_id", keys->access_key_id)
      .set("secret", reveal_text(keys->secret_access_key))
      .set("token", reveal_text(keys->session_token));
  return read;
}

}  // namespace
}  // namespace linesign::aws

int main(int argc, char** argv) {
  const auto read = linesign::aws::read_profile(argc > 1 ? argv[1] : "");
  linesign::aws::JsonObject failed;
  if (!read.has_value()) failed.set("error", read.error().to_string());
  std::cout << (read.has_value() ? *read : failed).to_string() << '\n';
  return 0;
}
