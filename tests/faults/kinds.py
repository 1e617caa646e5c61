"""THE table of faults. A new kind of fault is one row: how it begins, how it ends, what a station may
meet besides a longer wait, and what `linesign status --json` must say while it lasts."""

from typing import Callable, NamedTuple

from faults.actions import (KILLS, SWEPT, UNAVAILABLE, any_call_of_start, any_hsm_call,
                            any_system_call, change_pin, clear_hsm, clear_system, clock, close_all,
                            close_pin, confirm_clock, cut_connections, delete_of_ledger, enrolled,
                            fill_station_disk, freeze_daemon, half_requests, hsm, hsm_at_start,
                            hsm_gone, hsm_once, invite, kill_a_signer, kill_all_signers,
                            kill_daemon, kill_everything, kill_station, last_try, many_sessions,
                            move_ledger, move_ledger_back, no_descriptors, open_pin_to_all,
                            put_token_back, restart_daemon, right_clock, right_pin,
                            silent_connections, start_daemon, start_with_ledger,
                            start_with_newest_ledger, start_with_older_ledger, start_without_ledger,
                            stop_a_signer, stop_daemon, system, system_once, take_token,
                            thaw_daemon, trust_hsm, try_pin, unread_log, wrong_proofs, wrong_secrets)
from faults.scene import LOST, SILENT


class Kind(NamedTuple):
    name: str
    what: str  # as docs/reliability.md says it
    begin: Callable
    end: Callable = None  # None: it has passed when `begin` returns
    # What stations may meet; the first of them must be met while the fault lasts. Nothing: they wait.
    station: tuple = ()
    may: tuple = ()  # what they may meet besides, and need not
    # Reasons; one of them must be shown while the fault lasts. Nothing: it goes on producing.
    status: tuple = ()
    at_most: float = 5.0  # seconds to the next certificates, on a machine that has time for this
    times: int = 10  # with --long
    is_alone: bool = False  # never in a pair
    is_fresh: bool = False  # and each time on a new appliance
    is_clock_false: bool = False
    prepare: Callable = None  # before anything else happens to this appliance
    config: dict = {}


HSM = (
    Kind("sign-error", "one signature fails (`CKR_DEVICE_ERROR`)", hsm_once("C_Sign:1=0x30")),
    Kind("sign-errors", "every signature fails", hsm("C_Sign=0x30"), clear_hsm,
         (UNAVAILABLE,), status=("HsmUnavailable", "HsmOperationFailed")),
    Kind("hsm-call", "one PKCS#11 call fails, chosen by the seed, while a signer starts", any_hsm_call,
         may=(UNAVAILABLE,), times=SWEPT),
    Kind("hsm-gone", "the HSM is disconnected (`CKR_DEVICE_REMOVED` from every call)", hsm_gone,
         clear_hsm, (UNAVAILABLE,), status=("HsmUnavailable", "HsmOperationFailed", "HsmTokenNotFound")),
    Kind("session-lost", "a session is lost (`CKR_SESSION_HANDLE_INVALID`)",
         hsm_once("C_Sign:1=0xb3")),
    Kind("login-lost", "the login is lost (`CKR_USER_NOT_LOGGED_IN`)",
         hsm_once("C_SignInit:1=0x101", "C_Sign:1=0x101")),
    Kind("sessions-full", "no session is free for a new signer, once (`CKR_SESSION_COUNT`)",
         hsm_at_start("C_OpenSession:1=0xb1"), may=(UNAVAILABLE,)),
    Kind("sign-hangs", "the HSM does not come back from a signature",
         hsm_once("C_Sign:1=hang")),
    Kind("hsm-hangs", "the HSM does not come back from any signature", hsm("C_Sign=hang"), clear_hsm,
         (UNAVAILABLE,), status=("SignerTimeout", "HsmUnavailable")),
    Kind("login-hangs", "the HSM does not come back from a login", hsm_at_start("C_Login:1=hang"),
         may=(UNAVAILABLE,), at_most=13),  # start_timeout and 3 s
    Kind("module-crashes", "the PKCS#11 module crashes in a signature", hsm_once("C_Sign:1=crash")),
    Kind("start-crashes", "the PKCS#11 module crashes while it starts",
         hsm_at_start("C_Initialize:1=crash"), may=(UNAVAILABLE,)),
    Kind("hsm-slow", "each signature takes 400 ms", hsm("C_Sign=slow400"), clear_hsm),
    Kind("wrong-signature", "the HSM returns one wrong signature", hsm_once("C_Sign:1=flip"),
         is_alone=True, is_fresh=True),
    Kind("hsm-lies", "every signature is wrong, then `linesign hsm trust`", hsm("C_Sign=flip"),
         trust_hsm, (UNAVAILABLE,), status=("HsmNotTrusted",), is_alone=True, is_fresh=True),
    Kind("last-try", "the token allows one last PIN try, then `linesign doctor --try-pin`", last_try,
         try_pin, (UNAVAILABLE,), status=("HsmPinFinalTry",), is_alone=True, is_fresh=True),
    Kind("token-away", "the token is taken out and put back", take_token, put_token_back,
         (UNAVAILABLE,), status=("HsmTokenNotFound",)),
    Kind("pin-changed", "the PIN file holds another PIN, then the right one", change_pin, right_pin,
         (UNAVAILABLE,), status=("HsmPinRefused",), is_alone=True, is_fresh=True),
    Kind("pin-open", "the PIN file may be read by everybody, then not", open_pin_to_all, close_pin,
         (UNAVAILABLE,), status=("HsmPinFile",)),
)

PROCESSES = (
    Kind("signer-killed", "kill -9 of a signer", kill_a_signer, times=KILLS),
    Kind("signers-killed", "kill -9 of all signers", kill_all_signers,
         may=(UNAVAILABLE,), times=KILLS),
    Kind("signer-stopped", "a signer stops for ever (`kill -STOP`)", stop_a_signer),
    Kind("daemon-killed", "kill -9 of linesignd, which is started again", kill_daemon, start_daemon,
         (LOST,), status=("AdminUnavailable",), times=KILLS),
    Kind("all-killed", "kill -9 of linesignd and all signers", kill_everything, start_daemon,
         (LOST,), status=("AdminUnavailable",), times=KILLS),
    Kind("daemon-restarted", "linesignd is stopped (SIGTERM) and started", stop_daemon, start_daemon,
         (LOST, "Draining"), status=("AdminUnavailable",)),
    Kind("daemon-stopped", "linesignd hangs (`kill -STOP`), then goes on", freeze_daemon, thaw_daemon,
         status=("AdminUnavailable",), may=(SILENT, UNAVAILABLE)),
    Kind("station-killed", "kill -9 of linesign-station in the middle of a lot", kill_station,
         times=KILLS, is_alone=True, prepare=enrolled("killed")),
)

SYSTEM = (
    Kind("sync-fails", "one fdatasync of the ledger fails (EIO)",
         system_once("fdatasync:1=EIO@ledger.sqlite", "fsync:1=EIO@ledger.sqlite"),
         station=(UNAVAILABLE,)),
    Kind("system-call", "one system call on the ledger fails, chosen by the seed", any_system_call,
         may=(UNAVAILABLE,), times=SWEPT),
    Kind("start-call", "one system call on the ledger fails, chosen by the seed, while linesignd starts",
         any_call_of_start, station=(LOST,), may=(UNAVAILABLE,), times=SWEPT, is_alone=True),
    Kind("disk-fails", "every write to the ledger fails (EIO)", system("pwrite=EIO@ledger.sqlite"),
         clear_system, (UNAVAILABLE,), status=("LedgerUnavailable", "LedgerCommitUnknown")),
    Kind("disk-full", "every write to the ledger fails (ENOSPC)",
         system("pwrite=ENOSPC@ledger.sqlite"), clear_system, (UNAVAILABLE,), status=("LedgerDiskFull",)),
    Kind("record-fails", "what is recorded of the ledger outside of it cannot be written (ENOSPC)",
         system("rename=ENOSPC@ledger-state"), clear_system, (UNAVAILABLE,),
         status=("LedgerUnavailable",)),
    Kind("wal-deleted", "the ledger's `-wal` is deleted; linesignd is restarted",
         delete_of_ledger("ledger.sqlite-wal"), restart_daemon, (UNAVAILABLE,),
         status=("LedgerReplaced",), may=(LOST,), is_alone=True, is_fresh=True),
    Kind("database-deleted", "`ledger.sqlite` is deleted; linesignd is restarted",
         delete_of_ledger("ledger.sqlite"), restart_daemon, (UNAVAILABLE,),
         status=("LedgerReplaced",), may=(LOST,), is_alone=True, is_fresh=True),
    Kind("ledger-moved", "the ledger's folder goes away; it is put back, linesignd is killed and started",
         move_ledger, move_ledger_back, (UNAVAILABLE,), status=("LedgerReplaced",), may=(LOST,),
         is_alone=True, is_fresh=True),
    Kind("ledger-missing", "a start without the ledger's disk (refused: `LedgerUnknown`), then with it",
         start_without_ledger, start_with_ledger, (LOST,), status=("AdminUnavailable",),
         is_alone=True, is_fresh=True),
    Kind("ledger-older", "a start with an older copy (refused: `LedgerOlder`), then the newest",
         start_with_older_ledger, start_with_newest_ledger, (LOST,), status=("AdminUnavailable",),
         is_alone=True, is_fresh=True),
    Kind("station-disk-full", "the disk of linesign-station is full in the middle of a lot",
         fill_station_disk, is_alone=True, prepare=enrolled("killed")),
    Kind("no-descriptors", "no descriptor is left for connections and new signers", no_descriptors,
         clear_system, (LOST,), status=("AdminUnavailable", "Internal", "HsmUnavailable")),
    Kind("clock-back", "the clock is set back by an hour, then right", clock("-1h"), right_clock,
         (UNAVAILABLE,), status=("ClockInDoubt",), is_clock_false=True),
    Kind("clock-ahead", "the clock is set ahead by ten years, then right", clock("+3650d"),
         right_clock, (UNAVAILABLE,), status=("ClockUnconfirmed",), is_clock_false=True),
    Kind("clock-confirmed", "the clock is ahead by 40 days, and `linesign clock confirm`",
         clock("+40d"), confirm_clock, (UNAVAILABLE,), status=("ClockUnconfirmed",),
         is_clock_false=True, is_alone=True, is_fresh=True),
)

NETWORK = (
    Kind("cut", "the connections of all stations break", cut_connections, station=(LOST,)),
    Kind("silent-connections", "300 connections that say nothing and come back, 64 sessions allowed", silent_connections,
         close_all, (LOST,), config={"stations": {"max_sessions": 64}}),
    Kind("many-sessions", "a station opens 40 sessions", many_sessions, close_all,
         prepare=enrolled("greedy")),
    Kind("wrong-secrets", "100 enrolments with wrong secrets", wrong_secrets, prepare=invite),
    Kind("wrong-proofs", "200 CSRs of another station with wrong proofs", wrong_proofs,
         prepare=enrolled("careless")),
    Kind("half-requests", "100 half requests at `admin.sock`", half_requests, close_all),
    Kind("unread-log", "nobody reads linesignd's log", unread_log, close_all, (LOST,), is_alone=True,
         prepare=invite),
)

# A pair is of two of these.
PARTS = (HSM, PROCESSES, SYSTEM, NETWORK)
KINDS = tuple(kind for part in PARTS for kind in part)
