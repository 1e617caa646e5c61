#include "appliance/cloud/aws/iot_client.h"

namespace linesign::aws {

Result<Registered> IotClient::register_certificate(const std::string& pem,
                                                   const std::string& ca_pem,
                                                   CertificateStatus status) {
  Call call = new_call("RegisterCertificate", "POST", {"certificate", "register"});
  JsonObject body;
  body.set("certificatePem", pem);
  body.set("caCertificatePem", ca_pem);
  body.set("status", to_string(status));
  set_json(call, body);
  return register_with(call);
}

Result<Registered> IotClient::register_certificate_without_ca(const std::string& pem,
                                                              CertificateStatus status) {
  Call call = new_call("RegisterCertificateWithoutCA", "POST", {"certificate", "register-no-ca"});
  JsonObject body;
  body.set("certificatePem", pem);
  body.set("status", to_string(status));
  set_json(call, body);
  return register_with(call);
}

Result<CertificateDescription> IotClient::describe_certificate(const std::string& id) {
  LS_TRY(
      const JsonObject answer,
      ask(new_call("DescribeCertificate", "GET", {"certificates", id}), "certificateDescription"));
  LS_TRY(const JsonObject object, answer.required_object("certificateDescription"));
  LS_TRY(const std::string its_id, object.required_text("certificateId"));
  CertificateDescription certificate;
  certificate.summary = {to_lower(its_id),
                         object.text("certificateArn").value_or(""),
                         to_certificate_status(object.text("status").value_or("")),
                         to_certificate_mode(object.text("certificateMode").value_or("")),
                         object.time("creationDate")};
  certificate.ca_id = to_lower(object.text("caCertificateId").value_or(""));
  certificate.pem = object.text("certificatePem").value_or("");
  certificate.owner = object.text("ownedBy").value_or("");
  return certificate;
}

Result<void> IotClient::update_certificate(const std::string& id, CertificateStatus status) {
  Call call = new_call("UpdateCertificate", "PUT", {"certificates", id});
  call.query = {{"newStatus", to_string(status)}};
  return order(call);
}

Result<Page<CertificateSummary>> IotClient::list_certificates_by_ca(const std::string& ca_id,
                                                                    const std::string& marker,
                                                                    int page_size) {
  return list_with(
      new_call("ListCertificatesByCA", "GET", {"certificates-by-ca", ca_id}), marker, page_size);
}

Result<Page<CertificateSummary>> IotClient::list_certificates(const std::string& marker,
                                                              int page_size) {
  return list_with(new_call("ListCertificates", "GET", {"certificates"}), marker, page_size);
}

}  // namespace linesign::aws
