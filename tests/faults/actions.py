"""How faults begin and end: what the table in kinds.py is made of."""

import contextlib
import os
import signal
import shutil
import socket
import subprocess
import time

from support import csr
from support.appliance import EX_IO, PIN, full_pipe, is_alive, wait_until, writable
from support.fault_plan import FaultPlan
from support.flood import Flood
from support.modules import SYSTEM_FAULTS, token_folder
from support.raw_station import Closed, RawStation, enroll, issue

UNAVAILABLE = "Unavailable"
KILLS = 400  # of each of five kinds
SWEPT = 100  # calls that are chosen by the seed
# Of PKCS#11: what any call may return, and what a device says that is not well.
RETURNS = ("0x2", "0x5", "0x6", "0x30", "0x31", "0x32", "0x60", "0xb1", "0xb3", "0xe0", "0x101")
ERRORS = ("EIO", "ENOSPC", "EMFILE")
# Which of so many calls may fail. A signer that starts makes at least as many of each.
CALLS = {"C_Initialize": 1, "C_GetSlotList": 2, "C_GetTokenInfo": 3, "C_OpenSession": 2, "C_Login": 1,
         "C_FindObjectsInit": 3, "C_FindObjects": 6, "C_GetAttributeValue": 6, "C_SignInit": 6,
         "C_Sign": 6}
# On the ledger: of a linesignd that works, and of one that starts after a kill and goes on working.
CALLS_AT_WORK = {"pwrite": 8, "fdatasync": 8}
CALLS_AT_START = {"open": 6, "fsync": 1, "ftruncate": 2, **CALLS_AT_WORK}


# In a pair a fault may find that the other one was faster: then there is nothing to wait for.
def signers_of(scene):
    if scene.is_pair:
        return scene.signers()
    return wait_until(scene.signers, "signers are there")


def wait_for_hit(scene, plan, what):
    def happened():
        return any(map(plan.hits, range(2)))
    if not scene.is_pair:
        wait_until(happened, f"{what} happens", 60)
        return
    with contextlib.suppress(AssertionError):
        wait_until(happened, what, 0.5)


# A fault of a plan, the HSM's or the system's, that happens once.
def once(plan_of, words):
    def begin(scene):
        plan = plan_of(scene)
        plan.set(*words)
        wait_for_hit(scene, plan, words[0])
        plan.clear()
    return begin


# --- the HSM --------------------------------------------------------------------------------------


def hsm(*words):
    """From now on, until clear_hsm."""
    return lambda scene: scene.hsm.set(*words)


def clear_hsm(scene):
    scene.hsm.clear()


def hsm_once(*words):
    return once(lambda scene: scene.hsm, words)


def hsm_at_start(*words):
    """In a signer that starts because another one ended."""
    def begin(scene):
        scene.hsm.set(*words)
        scene.kill_signers(signers_of(scene))
        wait_for_hit(scene, scene.hsm, words[0])
        scene.hsm.clear()
    return begin


def any_of(scene, calls, results, where=""):
    """One call of many: the word of a plan."""
    call = scene.random.choice(list(calls))
    number = scene.random.randint(1, calls[call])
    return f"{call}:{number}={scene.random.choice(results)}{where}"


def any_hsm_call(scene):
    """While signers start and sign."""
    word = any_of(scene, CALLS, RETURNS)
    scene.hsm.set(word)
    scene.kill_signers(signers_of(scene)[:1])
    wait_for_hit(scene, scene.hsm, word)
    scene.hsm.clear()


def hsm_gone(scene):
    scene.hsm.set("C_Sign=0x32", "C_SignInit=0x32", "C_OpenSession=0x32", "C_GetTokenInfo=0x32")


def take_token(scene):
    token = token_folder(scene.folder)
    writable(token.parent)
    token.rename(scene.folder / token.name)
    scene.token = token
    scene.kill_signers(signers_of(scene))


def put_token_back(scene):
    token = scene.token
    (scene.folder / token.name).rename(token)


def change_pin(scene):
    pin = scene.folder / "pin"
    pin.chmod(0o600)
    pin.write_text("another-pin\n")
    scene.kill_signers(signers_of(scene))


def last_try(scene):
    scene.hsm.set("final-try=yes")
    scene.kill_signers(signers_of(scene))


def try_pin(scene):
    """The operator's command; the token says nothing of a last try after it."""
    scene.hsm.clear()
    scene.appliance.cli("doctor", "--try-pin")


def trust_hsm(scene):
    scene.hsm.clear()
    scene.appliance.cli("hsm", "trust")


def right_pin(scene):
    (scene.folder / "pin").write_text(PIN + "\n")


def open_pin_to_all(scene):
    (scene.folder / "pin").chmod(0o644)
    scene.kill_signers(signers_of(scene))


def close_pin(scene):
    (scene.folder / "pin").chmod(0o400)


# --- processes ------------------------------------------------------------------------------------


def kill_a_signer(scene):
    for pid in signers_of(scene)[:1]:
        scene.kill_signers([pid])


def kill_all_signers(scene):
    scene.kill_signers(signers_of(scene))


def stop_a_signer(scene):
    """It never wakes up by itself."""
    scene.signal_all(signal.SIGSTOP, signers_of(scene)[:1])


def kill_daemon(scene):
    scene.appliance.kill()


def kill_everything(scene):
    pids = scene.signers()
    scene.appliance.daemon.kill()
    scene.signal_all(signal.SIGKILL, pids)
    scene.appliance.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "all are gone")


def start_daemon(scene):
    scene.appliance.start(wait=False)


def stop_daemon(scene):
    scene.appliance.stop()


def freeze_daemon(scene):
    scene.appliance.daemon.send_signal(signal.SIGSTOP)


def thaw_daemon(scene):
    scene.appliance.daemon.send_signal(signal.SIGCONT)


def kill_station(scene):
    """The real program, in the middle of a lot, and again until the lot is whole."""
    out = scene.appliance.certs / "lot"
    lot = len(scene.appliance.certificates(out)) + 30
    command = scene.appliance.request_command("--generate", str(lot), name="killed", out=out)
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(scene.random.uniform(0.02, 0.2))
            run.kill()
    scene.appliance.run(*command)
    assert len(scene.appliance.certificates(out)) == lot


def fill_station_disk(scene):
    """The real program's, in the middle of a lot; the same command finishes it."""
    out = scene.appliance.certs / "lot"
    lot = len(scene.appliance.certificates(out)) + 20
    plan = FaultPlan(scene.folder / "station-faults")
    plan.set("rename:30-=ENOSPC@lot")
    environment = {"LD_PRELOAD": str(SYSTEM_FAULTS), "LINESIGN_SYSTEM_FAULTS": str(plan.path)}
    command = scene.appliance.request_command("--generate", str(lot), name="killed", out=out)
    run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True,
                         timeout=60, check=False)
    assert run.returncode == EX_IO and "No space left on device" in run.stderr, run.stderr
    assert len(scene.appliance.certificates(out)) < lot
    scene.appliance.run(*command)
    assert len(scene.appliance.certificates(out)) == lot


# --- the disk -------------------------------------------------------------------------------------


def system(*words):
    return lambda scene: scene.system.set(*words)


def system_once(*words):
    return once(lambda scene: scene.system, words)


def any_system_call(scene):
    word = any_of(scene, CALLS_AT_WORK, ERRORS, "@ledger.sqlite")
    once(lambda scene: scene.system, (word,))(scene)


def any_call_of_start(scene):
    """A start that fails ends; then there is another one."""
    word = any_of(scene, CALLS_AT_START, ERRORS, "@ledger.sqlite")
    kill_daemon(scene)
    scene.system.set(word)
    start_daemon(scene)
    daemon = scene.appliance.daemon
    wait_for_hit(scene, scene.system, word)
    scene.wait_for(lambda: daemon.poll() is not None or scene.status() is not None,
                   "the start is done")
    scene.system.clear()
    if daemon.poll() is not None:
        start_daemon(scene)


def clear_system(scene):
    scene.system.clear()


def no_descriptors(scene):
    """And a signer that must be replaced, and stations that must connect."""
    scene.system.set("accept4=EMFILE", "socketpair=EMFILE", "open=EMFILE", "pipe2=EMFILE")
    scene.kill_signers(signers_of(scene))
    for station in scene.stations:
        station.cut()


def ledger_of(scene):
    return scene.folder / "ledger"


def delete_of_ledger(name):
    return lambda scene: (ledger_of(scene) / name).unlink()


def restart_daemon(scene):
    stop_daemon(scene)
    start_daemon(scene)


def move_ledger(scene):
    """As when its disk goes away."""
    ledger_of(scene).rename(scene.folder / "aside")


def move_ledger_back(scene):
    kill_daemon(scene)
    (scene.folder / "aside").rename(ledger_of(scene))
    start_daemon(scene)


def start_in_vain(scene, name):
    scene.appliance.start(wait=False)
    scene.appliance.daemon.wait(60)
    scene.appliance.daemon = None
    assert name in scene.appliance.log_tail(1), scene.appliance.log_tail()


def start_without_ledger(scene):
    stop_daemon(scene)
    move_ledger(scene)
    start_in_vain(scene, "LedgerUnknown")


def start_with_ledger(scene):
    (scene.folder / "aside").rename(ledger_of(scene))
    start_daemon(scene)


def start_with_older_ledger(scene):
    stop_daemon(scene)
    older = shutil.copytree(ledger_of(scene), scene.folder / "older")
    scene.appliance.start()
    scene.wait_for_certificates(time.monotonic())
    stop_daemon(scene)
    move_ledger(scene)
    older.rename(ledger_of(scene))
    start_in_vain(scene, "LedgerOlder")


def start_with_newest_ledger(scene):
    shutil.rmtree(ledger_of(scene))
    start_with_ledger(scene)


# --- the clock ------------------------------------------------------------------------------------


def clock(offset):
    return lambda scene: scene.set_clock(offset)


def right_clock(scene):
    scene.set_clock("+0")


def confirm_clock(scene):
    scene.appliance.cli("clock", "confirm")


# --- strangers ------------------------------------------------------------------------------------


def enrolled(name):
    return lambda scene: scene.appliance.station(name)


def silent_connections(scene):
    """More than there may be sessions, and every station must connect anew meanwhile."""
    host, port = scene.address.rsplit(":", 1)
    flood = Flood((host, int(port)), 300, [f"127.0.1.{number}" for number in range(1, 51)])
    scene.kept.append(flood)
    assert flood.is_complete.wait(60), "each is opened once"
    for station in scene.stations:
        station.cut()


def close_all(scene):
    while scene.kept:
        with contextlib.suppress(OSError):
            scene.kept.pop().close()


def cut_connections(scene):
    for station in scene.stations:
        station.cut()


def many_sessions(scene):
    """Another station opens as many as it can."""
    credential = scene.appliance.station("greedy")
    for _ in range(40):
        with contextlib.suppress(Exception):
            scene.kept.append(RawStation.open(credential, scene.address, timeout=0.5))


def invite(scene):
    scene.join_token = scene.appliance.join_token("press-1")


def wrong_secrets(scene):
    request = csr.make("x", csr.new_key())
    with contextlib.suppress(OSError, Closed):  # in a pair nobody may be there
        for number in range(100):
            enroll(scene.join_token, request, secret=b"guess %d" % number)


def wrong_proofs(scene):
    """Another station's CSRs, each signed by a key that is not in it."""
    credential, key = scene.appliance.station("careless"), csr.new_key()
    spki = csr.spki_of(csr.new_key())
    with contextlib.suppress(OSError, Closed), RawStation.open(credential, scene.address,
                                                               timeout=5) as station:
        for number in range(200):
            device = f"bad-{scene.random.randrange(10**9)}-{number}"
            station.ask(issue(device, csr.make(device, key, spki=spki)))


def half_requests(scene):
    """At admin.sock; `status` must answer all the same."""
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(2)
        with contextlib.suppress(OSError):
            connection.connect(str(scene.folder / "admin.sock"))
            connection.sendall(b"GET /v1/sta")
        scene.kept.append(connection)


def unread_log(scene):
    """linesignd's standard error is a pipe that is full."""
    reader, writer = full_pipe()
    scene.appliance.kill()
    scene.appliance.start(wait=False, stderr=writer)
    os.close(writer)
    scene.appliance.wait_producing(60)
    wrong_secrets(scene)
    scene.kept.append(os.fdopen(reader))


