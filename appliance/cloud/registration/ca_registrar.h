// CaRegistrar: brings the registration of the CA in one account and region to what is wanted.
//
//   not there -> register; there in the other mode -> refused, because AWS cannot change a mode, or
//   where that is wanted deleted and registered again; then status and auto-registration, then a
//   look whether all is as wanted
//
// Each call may be repeated: the second one finds nothing to do. Before anything is deleted to be
// registered again, AWS is asked for calls that it refuses for the CA's present state only: with
// the right to make them, and a proof that is good. What fails behind that is put back, as far as
// that needs no proof.
//
// Errors   of IotClient; AwsConflict: registered in another mode; AwsSettings: a proof is needed;
//          AwsAnswerInvalid: AWS describes something else than was registered
// Threads  one
// Source   AWS IoT Developer Guide, "Register your CA certificate"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CA_REGISTRAR_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CA_REGISTRAR_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cloud/aws/iot_client.h"
#include "hsm/x509/ca_certificate.h"

namespace linesign {

struct CaWish {
  std::string id;   // SHA-256 of the DER certificate, hex
  std::string pem;  // the CA that signs devices, alone
  aws::CertificateMode mode = aws::CertificateMode::SniOnly;
  std::optional<CaCertificate> certificate;
  // Absent: as it is; another target of the account and region says it, or somebody by hand.
  std::optional<bool> auto_registration = std::nullopt;
  // With auto_registration; empty: an event is all that happens. A name with a body and a role: the
  // template is made under this name where there is none, and compared where there is one.
  aws::RegistrationConfig config;
  bool may_change_mode = false;  // registered in the other mode: delete, then register
};

struct CaOutcome {
  aws::CaDescription now;
  std::vector<std::string> done;  // in words; empty: all was as wanted
};

// Hears of each step when it is done.
using TellStep = std::function<void(const std::string& step)>;

CaWish wish_for(const CaCertificate& ca);

// What AWS is told: a template by name, or its body with a role.
aws::RegistrationConfig told_config(const CaWish& wish);

// The template that the wish names is of type JITP, enabled, and as the wish has it. AwsNotFound,
// AwsConflict with what differs.
Result<void> compare_template(aws::IotClient& client, const CaWish& wish);

// The CA is there, and ACTIVE. AwsNotFound with what to do.
Result<void> check_ca_usable(aws::IotClient& client, const std::string& id);

class CaRegistrar final {
 public:
  explicit CaRegistrar(
      aws::IotClient& client, TellStep tell = [](const std::string&) {})
      : client_(client), tell_(std::move(tell)) {}

  // Absent: not registered.
  Result<std::optional<aws::CaDescription>> find(const std::string& id);
  // `proof`: the verification certificate, for mode DEFAULT where the CA is not registered yet.
  Result<CaOutcome> ensure(const CaWish& wish, const std::string& proof);
  Result<CaOutcome> deactivate(const std::string& id);
  // Of an active one: after it is made inactive. Nothing there: nothing done.
  Result<CaOutcome> remove(const std::string& id);

 private:
  using Known = aws::CaDescription;
  void did(CaOutcome& outcome, std::string step) const;
  Result<void> add(const CaWish& wish, const std::string& proof, CaOutcome& outcome);
  Result<void> change_mode(const CaWish& wish,
                           const std::string& proof,
                           const Known& known,
                           CaOutcome& outcome);
  Result<void> check_change(const CaWish& wish, const std::string& proof, const Known& known);
  Result<void> take_away(const Known& known, CaOutcome& outcome);
  void put_back(const CaWish& wish, const Known& known, CaOutcome& outcome);
  Result<void> ensure_template(const CaWish& wish, CaOutcome& outcome);
  Result<void> adjust(const CaWish& wish, CaOutcome& outcome);
  Result<void> remove_config(const CaWish& wish, CaOutcome& outcome);

  aws::IotClient& client_;
  const TellStep tell_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CA_REGISTRAR_H_
