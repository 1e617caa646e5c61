#include "appliance/cli/advice.h"

#include <algorithm>
#include <array>

namespace linesign {
namespace {

constexpr std::array kAdvice = {
    Advice{
        ErrorCode::Unavailable,
        "Wait: linesignd is starting, or finishes requests from before a restart first. Production "
        "then resumes automatically."},
    Advice{ErrorCode::Draining, "Nothing: linesignd is shutting down. Start it again when wanted."},
    Advice{ErrorCode::HsmUnavailable,
           "Check that the HSM is powered and connected; signers start again by themselves. If it "
           "lasts longer than a minute, run `linesign doctor`."},
    Advice{
        ErrorCode::HsmPinRefused,
        "Every try counts and the HSM may lock: find out the right PIN, then write it into the "
        "file in pin_file. Another PIN there is tried once, by itself; `linesign doctor --try-pin` "
        "tries the same one once more."},
    Advice{ErrorCode::HsmKeyNotFound,
           "Compare key_label and key_id in [hsm] with the keys that `linesign doctor` finds, "
           "correct them and restart linesignd."},
    Advice{ErrorCode::HsmKeyAmbiguous,
           "Set both key_label and key_id in [hsm] (`linesign doctor` lists the keys) and restart "
           "linesignd."},
    Advice{ErrorCode::HsmKeyMismatch,
           "The certificate in [ca] belongs to another key: put the right file or the right token "
           "in place and restart linesignd."},
    Advice{ErrorCode::HsmKeyUnsafe,
           "Stop, and call the security officer: this key may be able to leave the HSM. Only a new "
           "key ceremony helps."},
    Advice{
        ErrorCode::HsmSignatureWrong,
        "The signer was replaced and nothing wrong was given out. Two within an hour put a signer "
        "into quarantine."},
    Advice{ErrorCode::HsmModuleLoad,
           "Check module in [hsm]: the path, the rights of the file, and the vendor's "
           "installation. It goes on by itself."},
    Advice{ErrorCode::HsmTokenNotFound,
           "Check that the right token is connected (`linesign doctor` lists what is there) and "
           "token_label and token_serial in [hsm]. It goes on by itself."},
    Advice{ErrorCode::HsmTokenAmbiguous,
           "Set token_serial in [hsm] (`linesign doctor` lists the tokens) and restart linesignd."},
    Advice{ErrorCode::HsmMechanismMissing,
           "The token does not sign with this kind of key: it needs another firmware or policy, or "
           "the CA another kind of key."},
    Advice{ErrorCode::HsmOperationFailed,
           "Signers try again by themselves. If it lasts, run `linesign doctor` and look at the "
           "HSM's own log."},
    Advice{ErrorCode::SignerTimeout,
           "Signers were replaced. If it lasts, check the HSM and the network to it, or raise "
           "sign_timeout or start_timeout in [hsm]."},
    Advice{ErrorCode::SignerProtocol,
           "linesignd and linesign-signer are not of one build: install both together and restart "
           "linesignd. If it stays, report it."},
    Advice{ErrorCode::IntentMismatch,
           "Somebody changed [profile] or [ca] below a running appliance: restart linesignd. If it "
           "stays, report it."},
    Advice{ErrorCode::HsmPinFile,
           "Check pin_file or pin_credential in [hsm]: the file must exist, be readable for the "
           "service and for nobody else. It goes on by itself."},
    Advice{ErrorCode::HsmPinNotSet,
           "Set the user PIN with the tool of the HSM's vendor, put it into the PIN file and "
           "restart linesignd."},
    Advice{ErrorCode::HsmRefused,
           "Signers try again by themselves. If it lasts, run `linesign doctor` and look at the "
           "HSM's own log."},
    Advice{ErrorCode::HsmNotTrusted,
           "Nothing wrong was given out. Have the HSM checked (its own log, firmware, cabling), or "
           "connect another one; then `linesign hsm trust`. A restart does not help."},
    Advice{ErrorCode::HsmPinFinalTry,
           "One more wrong PIN locks the token. Make sure that the PIN file is right, then "
           "`linesign doctor --try-pin` logs in once; it goes on by itself afterwards."},
    Advice{ErrorCode::SignerNotConfined,
           "The detail names the protection: start linesignd as root or by its systemd unit with "
           "user in [hsm], on a kernel with seccomp and Landlock. Without it: require_protections "
           "= false in [hsm]. Restart linesignd."},
    Advice{ErrorCode::LedgerUnavailable,
           "Check the disk that holds the ledger: mounted, writable, no errors in the kernel's "
           "log. It goes on by itself."},
    Advice{ErrorCode::LedgerInUse, "Another linesignd runs on this ledger: stop one of the two."},
    Advice{ErrorCode::LedgerSchemaNewer,
           "Install the version of linesign that wrote this ledger, or a newer one."},
    Advice{ErrorCode::LedgerCorrupt,
           "Stop linesignd, keep the damaged files for the report, and restore the ledger from a "
           "backup as described below."},
    Advice{ErrorCode::LedgerDiskFull,
           "Free space on the disk that holds the ledger, until it is above min_free in "
           "[issuance]. It goes on by itself. Never delete files of the ledger."},
    Advice{ErrorCode::LedgerCommitUnknown,
           "Wait: the ledger is opened again and asked what is true. If it lasts, check its disk."},
    Advice{ErrorCode::LedgerProfileChanged,
           "Put the former [profile] and CA certificate back and start once, so that unfinished "
           "requests are finished; then change them again."},
    Advice{
        ErrorCode::LedgerReplaced,
        "Find out who deleted or moved files of the ledger. The reason says where every committed "
        "row is. While it says that saving them failed, do not stop linesignd: make room there; "
        "it tries again. Then, if that place is not ledger.sqlite in [ledger] directory, move "
        "away what stands there with its -wal, and put the saved one there. Restart linesignd."},
    Advice{ErrorCode::LedgerOlder,
           "Put the newest copy of the ledger in place. If this backup is the newest there is, "
           "follow \"Restore\" below."},
    Advice{ErrorCode::LedgerUnknown,
           "Check that the ledger's disk is mounted at directory in [ledger]. To use another "
           "ledger for good, follow \"Restore\" below."},
    Advice{
        ErrorCode::ClockInDoubt,
        "Set the system clock right (NTP, battery of the clock): production resumes automatically. "
        "If it is right now and was ahead before, run `linesign clock confirm --back`."},
    Advice{ErrorCode::ClockUnconfirmed,
           "Compare the system clock with another one. If it is wrong, set it: production resumes "
           "automatically. If it is right, run `linesign clock confirm`."},
    Advice{ErrorCode::CaExpired,
           "Install a new CA certificate for the same key (`linesign ca import`), or a new CA, and "
           "restart linesignd."},
    Advice{ErrorCode::AdminUnavailable,
           "Check that linesignd runs, and that --config names its file."},
    Advice{ErrorCode::AdminNotPermitted,
           "Have this user put into the group of admin.sock (`ls -l` shows it), and log in again."},
    Advice{ErrorCode::AdminBusy,
           "Wait for the other calls of this user, or end the programs that make them."},
    Advice{ErrorCode::DescriptorLimit,
           "Raise LimitNOFILE of the service (or the hard limit, `ulimit -Hn`), or lower "
           "max_sessions in [stations], and restart linesignd."},
};

constexpr std::string_view by_kind(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Retry:
      return "Wait: it goes on by itself. If it lasts, look at the log of linesignd.";
    case ErrorKind::Refuse:
    case ErrorKind::Operator:
      return "See docs/operations.md and the log of linesignd.";
    case ErrorKind::Bug:
      break;
  }
  return "Restart linesignd and report it, with the log.";
}

}  // namespace

std::span<const Advice> advice_list() { return kAdvice; }

std::string_view advice_for(ErrorCode code) {
  const auto* const row = std::find_if(
      kAdvice.begin(), kAdvice.end(), [code](const Advice& advice) { return advice.code == code; });
  return row != kAdvice.end() ? row->text : by_kind(error_info(code).kind);
}

}  // namespace linesign
