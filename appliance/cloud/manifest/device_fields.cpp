#include "appliance/cloud/manifest/device_fields.h"

#include <array>

#include <fmt/format.h>

#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

struct FieldName {
  std::string_view name;
  std::string DeviceFields::*member;
};
constexpr std::array kNames = {
    FieldName{"{device_id}", &DeviceFields::device_id},
    FieldName{"{order}", &DeviceFields::order},
    FieldName{"{serial}", &DeviceFields::serial},
    FieldName{"{certificate_id}", &DeviceFields::certificate_id},
    FieldName{"{certificate_pem}", &DeviceFields::certificate_pem},
    FieldName{"{ca_certificate_pem}", &DeviceFields::ca_certificate_pem},
};

const FieldName* find_name(std::string_view text) {
  for (const FieldName& each : kNames)
    if (text.substr(0, each.name.size()) == each.name) return &each;
  return nullptr;
}

}  // namespace

DeviceFields fields_of(const CloudItem& item) {
  return {item.device_id,
          item.order_id,
          to_hex(item.serial),
          to_hex(sha256(item.certificate_der)),
          certificate_pem(item.certificate_der),
          certificate_pem(item.issuer_der)};
}

CloudItem item_of(const LedgerCertificate& certificate, const std::string& order) {
  CloudItem item;
  item.issuance_id = certificate.issuance_id;
  item.device_id = certificate.device_id;
  item.order_id = order;
  item.serial = certificate.serial;
  item.certificate_der = certificate.certificate_der;
  item.committed_at = certificate.committed_at;
  item.issuer_der = certificate.issuer_der;
  return item;
}

std::string issuer_id(const CloudItem& item) { return to_hex(sha256(item.issuer_der)); }

Result<std::string> fill_in(std::string_view text, const DeviceFields& fields) {
  std::string filled;
  while (!text.empty()) {
    const size_t brace = text.find_first_of("{}");
    filled += text.substr(0, brace);
    if (brace == std::string_view::npos) break;
    text.remove_prefix(brace);
    const FieldName* field = find_name(text);
    if (field == nullptr)
      return fail(ErrorCode::ConfigRange,
                  fmt::format("'{}': use {{device_id}}, {{order}}, {{serial}}, {{certificate_id}}, "
                              "{{certificate_pem}} or {{ca_certificate_pem}}",
                              text));
    filled += fields.*(field->member);
    text.remove_prefix(field->name.size());
  }
  return filled;
}

Result<TextMap> fill_in(const TextMap& texts, const DeviceFields& fields) {
  TextMap filled;
  for (const auto& [name, text] : texts) {
    LS_TRY(filled[name], fill_in(text, fields));
  }
  return filled;
}

}  // namespace linesign
