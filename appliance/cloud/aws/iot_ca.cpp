#include "appliance/cloud/aws/iot_client.h"

namespace linesign::aws {
namespace {

JsonObject to_json(const RegistrationConfig& config) {
  JsonObject object;
  object.set("templateName", config.template_name);
  object.set("templateBody", config.template_body);
  object.set("roleArn", config.role_arn);
  return object;
}

RegistrationConfig to_config(const JsonObject& object) {
  return {object.text("templateName").value_or(""),
          object.text("templateBody").value_or(""),
          object.text("roleArn").value_or("")};
}

}  // namespace

Result<std::string> IotClient::registration_code() {
  LS_TRY(const JsonObject answer,
         ask(new_call("GetRegistrationCode", "GET", {"registrationcode"})));
  return answer.required_text("registrationCode");
}

Result<Registered> IotClient::register_ca(const CaRegistration& ca) {
  Call call = new_call("RegisterCACertificate", "POST", {"cacertificate"});
  call.query = {{"setAsActive", flag_text(ca.set_active)},
                {"allowAutoRegistration", flag_text(ca.allow_auto_registration)}};
  JsonObject body;
  body.set("caCertificate", ca.ca_pem);
  body.set("verificationCertificate", ca.verification_pem);
  body.set("certificateMode", to_string(ca.mode));
  if (!ca.config.empty()) body.set("registrationConfig", to_json(ca.config));
  if (!ca.tags.empty()) body.set_tags("tags", ca.tags);
  set_json(call, body);
  return register_with(call);
}

Result<CaDescription> IotClient::describe_ca(const std::string& id) {
  LS_TRY(const JsonObject answer,
         ask(new_call("DescribeCACertificate", "GET", {"cacertificate", id})));
  LS_TRY(const JsonObject object, answer.required_object("certificateDescription"));
  CaDescription ca;
  LS_TRY(const std::string its_id, object.required_text("certificateId"));
  ca.id = to_lower(its_id);
  ca.arn = object.text("certificateArn").value_or("");
  ca.status = to_certificate_status(object.text("status").value_or(""));
  ca.mode = to_certificate_mode(object.text("certificateMode").value_or(""));
  ca.has_auto_registration = object.text("autoRegistrationStatus") == "ENABLE";
  ca.pem = object.text("certificatePem").value_or("");
  ca.owner = object.text("ownedBy").value_or("");
  ca.created_at = object.time("creationDate");
  if (const auto validity = object.object("validity")) {
    ca.not_before = validity->time("notBefore");
    ca.not_after = validity->time("notAfter");
  }
  if (const auto config = answer.object("registrationConfig")) ca.config = to_config(*config);
  return ca;
}

Result<void> IotClient::update_ca(const std::string& id, const CaUpdate& update) {
  Call call = new_call("UpdateCACertificate", "PUT", {"cacertificate", id});
  if (update.status) call.query.push_back({"newStatus", to_string(*update.status)});
  if (update.auto_registration) {
    call.query.push_back(
        {"newAutoRegistrationStatus", *update.auto_registration ? "ENABLE" : "DISABLE"});
  }
  JsonObject body;
  if (!update.config.empty()) body.set("registrationConfig", to_json(update.config));
  if (update.remove_auto_registration) body.set("removeAutoRegistration", true);
  set_json(call, body);
  return order(call);
}

Result<void> IotClient::delete_ca(const std::string& id) {
  return order(new_call("DeleteCACertificate", "DELETE", {"cacertificate", id}));
}

Result<Page<CertificateSummary>> IotClient::list_cas(const std::string& marker, int page_size) {
  return list_with(new_call("ListCACertificates", "GET", {"cacertificates"}), marker, page_size);
}

}  // namespace linesign::aws
