"""What the kernel keeps from code inside a signer, and from whoever takes over linesignd: a PKCS#11
module that attacks, users of their own, and no core dumps."""

import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from support.appliance import (BIN, EX_CONFIG, EX_OK, EX_UNAVAILABLE, is_alive, program, softhsm_env,
                               wait_until)
from support.modules import FAULTY, SIMULATOR, TESTS

HOSTILE = TESTS / "liblinesign_hostile_module.so"
DAEMON_USER, SIGNER_USER = 64101, 64102  # numbers need no entry in the user database
REFUSED = {errno.EPERM, errno.EACCES}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start other users' programs")


def process_status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def own(folder, uid):
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid)


@pytest.fixture
def make_hostile(make_appliance, monkeypatch):
    """An appliance whose module attacks what a test names, once, at the next signature."""
    def make(config=None):
        appliance = make_appliance()
        folder = appliance.folder
        (folder / "module").mkdir()  # of its own: a signer may read it
        shutil.copy(HOSTILE, folder / "module" / "hostile.so")
        for name in ("attacks", "results"):
            (folder / name).write_text("")
            (folder / name).chmod(0o666)
        monkeypatch.setenv("LINESIGN_ATTACKS", str(folder / "attacks"))
        monkeypatch.setenv("LINESIGN_ATTACK_RESULTS", str(folder / "results"))
        # Not the folder, as for other modules of the tests.
        appliance.configure({"hsm": {"module": str(folder / "module" / "hostile.so"), "signers": 1,
                                     "module_paths": []}})
        appliance.configure(config or {})
        return appliance
    return make


def attack(appliance, attacks):
    """What became of each attack: {(name, argument): errno, or 0}."""
    (appliance.folder / "attacks").write_text(
        "".join(f"{name} {argument}\n" for name, argument in attacks))
    appliance.request("--generate", "1")
    lines = (appliance.folder / "results").read_text().split("\n")
    return {(name, argument): int(result)
            for name, argument, result in (line.split() for line in lines if line)}


@contextlib.contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def receiving(appliance):
    """Two local sockets that take datagrams from everybody, as that of a system's log does; the
    addresses, and what has come to them."""
    addresses = [str(appliance.folder / "datagrams"), f"@linesign-test-{os.getpid()}"]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                   for _ in addresses]
        for each, address in zip(sockets, addresses):
            each.setblocking(False)
            each.bind(address.replace("@", "\0"))
        os.chmod(addresses[0], 0o666)

        def received():
            # Datagrams of a pair arrive as they are sent.
            with contextlib.suppress(BlockingIOError):
                return [each.recv(9) for each in sockets]
            return []
        yield addresses, received


def secrets_of(appliance):
    """What the issue of certificates rests on, and no signer needs."""
    return [path for path in (appliance.folder / "station-ca").iterdir() if path.suffix == ".key"] + [
        appliance.folder / "ledger" / "ledger.sqlite"]


def all_attacks(appliance, port, addresses):
    daemon = appliance.daemon.pid
    files = secrets_of(appliance)
    assert len(files) == 3, files  # the station CA's key, the TLS key, the ledger
    attacks = [("tcp", port), ("unix", appliance.folder / "admin.sock"), ("io_uring", "-"),
               ("fork", "-"), ("exec", "/bin/sh"), ("ptrace", daemon), ("readv", daemon),
               ("mem", daemon), ("kill", daemon), ("setown", daemon), ("setown_ex", daemon),
               ("setsig", daemon), ("fiosetown", daemon), ("siocspgrp", daemon),
               ("setuid", DAEMON_USER), ("setuid", 0),
               ("read", appliance.folder / "pin"), ("read", appliance.config_file),
               ("read", "/etc/passwd"), ("make", appliance.folder / "new"),
               ("make", "/tmp/linesign-hostile"), ("chmod", appliance.folder / "attacks")]
    attacks += [("dgram", address) for address in addresses]
    for file in files:
        attacks += [("read", file), ("write", file), ("truncate", file)]
    return [(name, str(argument)) for name, argument in attacks]


def assert_all_refused(appliance):
    with listening() as port, receiving(appliance) as (addresses, received):
        attacks = all_attacks(appliance, port, addresses)
        results = attack(appliance, attacks)
        assert not received()
    assert set(results) == set(attacks)
    got_through = {each: result for each, result in results.items() if result not in REFUSED}
    assert not got_through, got_through


def test_code_in_a_signer_reaches_nothing_but_the_token(make_hostile):
    appliance = make_hostile().start()
    assert_all_refused(appliance)
    appliance.request("--generate", "3")


def test_the_attacks_are_real_where_the_configuration_allows_them(make_hostile):
    """Without this the test above could pass by a mistake in the module."""
    appliance = make_hostile({"hsm": {"module_network": True, "module_paths": ["/"]}}).start()
    ledger = str(appliance.folder / "ledger" / "ledger.sqlite")
    with listening() as port, receiving(appliance) as (addresses, received):
        attacks = [("tcp", str(port)), ("unix", str(appliance.folder / "admin.sock")),
                   *(("dgram", address) for address in addresses),
                   ("read", str(appliance.folder / "pin")), ("write", ledger),
                   ("make", str(appliance.folder / "new"))]
        assert attack(appliance, attacks) == dict.fromkeys(attacks, 0)
        assert received() == [b"x", b"x"]


def test_status_and_doctor_name_the_protections_that_are_missing(appliance):
    missing = appliance.status()["missing_protections"]
    assert any("user in [hsm] is not set" in each for each in missing), missing
    assert any("linesignd runs as root" in each for each in missing) == (os.geteuid() == 0)
    assert len(missing) == 1 + (os.geteuid() == 0), missing
    text = appliance.cli("status").stdout
    assert all(f"note        {each}\n" in text for each in missing), text
    assert "user in [hsm] is not set" in appliance.cli("doctor", "--no-login").stdout


def test_a_plant_can_insist_on_all_protections(make_appliance):
    appliance = make_appliance(config={"hsm": {"require_protections": True}}).start(wait=False)
    status = appliance.wait_status(lambda each: each["obstacles"] and each["obstacles"][0]["error"][
        "name"] == "SignerNotConfined", "the missing user is a reason not to produce")
    assert "user in [hsm] is not set" in status["obstacles"][0]["error"]["detail"]


def test_a_kernel_without_landlock_is_named_and_production_goes_on(make_appliance):
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    allow, landlock_create_ruleset = 0x7FFF0000, 444

    def take_landlock_away():
        context = ctypes.c_void_p(seccomp.seccomp_init(allow))
        assert seccomp.seccomp_rule_add(context, 0x00050000 | errno.ENOSYS, landlock_create_ruleset,
                                        0) == 0
        assert seccomp.seccomp_load(context) == 0

    appliance = make_appliance().start(preexec=take_landlock_away)
    missing = appliance.status()["missing_protections"]
    assert any("this kernel has no Landlock" in each for each in missing), missing
    appliance.request("--generate", "2")


# --- users of their own ---------------------------------------------------------------------------


def give_to_users(appliance):
    folder = appliance.folder
    own(folder, DAEMON_USER)
    folder.chmod(0o755)
    own(folder / "tokens", SIGNER_USER)
    os.chown(folder / "pin", SIGNER_USER, SIGNER_USER)
    (folder / "pin-memory").mkdir(mode=0o700, exist_ok=True)
    own(folder / "pin-memory", SIGNER_USER)
    appliance.configure({"daemon": {"user": str(DAEMON_USER)}, "hsm": {"user": str(SIGNER_USER)}})


def start_all_signers(appliance):
    """One that starts is not confined yet."""
    appliance.start()
    appliance.wait_status(lambda each: all(one["state"] == "ready" for one in each["signers"]),
                          "all signers are ready")
    return appliance.signer_pids()


def launcher_of(appliance):
    children = subprocess.run(["pgrep", "-P", str(appliance.daemon.pid)], capture_output=True,
                              text=True, check=True).stdout.split()
    assert len(children) == 1, children
    return int(children[0])


def can_read(path, uid):
    run = subprocess.run([sys.executable, "-c", f"open({str(path)!r}).read()"], user=uid, group=uid,
                         extra_groups=[], capture_output=True, text=True, check=False)
    assert run.returncode == 0 or "PermissionError" in run.stderr, run.stderr
    return run.returncode == 0


def copy_programs(appliance):
    """To where the user of linesignd may reach them."""
    programs = appliance.folder / "bin"
    programs.mkdir()
    for name in ("linesignd", "linesign-signer"):
        shutil.copy(BIN / name, programs / name)
    return programs


def start_with_capabilities(appliance):
    """As systemd does with User= and AmbientCapabilities=."""
    programs = copy_programs(appliance)
    rights = "-all,+setuid,+setgid,+kill"
    with appliance.log.open("ab") as log:
        appliance.daemon = subprocess.Popen(
            ["setpriv", "--reuid", str(DAEMON_USER), "--regid", str(DAEMON_USER), "--clear-groups",
             "--inh-caps", rights, "--ambient-caps", rights, str(programs / "linesignd"),
             "--config", str(appliance.config_file)],
            stdout=log, stderr=log, env=softhsm_env(appliance.folder))
    appliance.wait_producing()


@needs_root
@pytest.mark.parametrize("start", [lambda appliance: appliance.start(), start_with_capabilities],
                         ids=["as root", "with capabilities"])
def test_linesignd_can_neither_read_the_pin_nor_become_who_can(make_appliance, check_ledger, start):
    appliance = make_appliance()
    give_to_users(appliance)
    start(appliance)
    assert appliance.status()["missing_protections"] == []
    daemon = process_status(appliance.daemon.pid)
    assert set(daemon["Uid"].split()) == set(daemon["Gid"].split()) == {str(DAEMON_USER)}
    assert daemon["Groups"].strip() in ("", str(DAEMON_USER))
    for task in os.listdir(f"/proc/{appliance.daemon.pid}/task"):  # rights belong to threads
        rights = process_status(task)
        assert [int(rights[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
        assert rights["NoNewPrivs"] == "1"
    assert not can_read(appliance.folder / "pin", DAEMON_USER)
    assert can_read(appliance.folder / "pin", SIGNER_USER)
    tried = next((appliance.folder / "pin-memory").iterdir())
    assert can_read(tried, SIGNER_USER) and not can_read(tried, DAEMON_USER)
    assert not can_read(next((appliance.folder / "tokens").rglob("token.object")), DAEMON_USER)
    appliance.request("--generate", "5")
    appliance.stop()
    check_ledger(appliance)


def left_by_doctor(appliance):
    appliance.cli("doctor")  # as root, before the first start


def left_by_root(appliance):
    left_by_doctor(appliance)
    own(appliance.folder / "pin-memory", 0)
    os.chown(appliance.folder / "signer-login.lock", 0, 0)


def left_by_one_user(appliance):
    own(appliance.folder, DAEMON_USER)
    appliance.configure({"hsm": {"user": None}})
    appliance.start()
    appliance.stop()
    (appliance.folder / "station-ca" / "pin-memory").rename(appliance.folder / "pin-memory")
    give_to_users(appliance)
    own(appliance.folder / "pin-memory", DAEMON_USER)


@needs_root
@pytest.mark.parametrize("leave", [left_by_doctor, left_by_root, left_by_one_user])
def test_signers_log_in_whoever_used_the_token_before(make_appliance, leave):
    appliance = make_appliance()
    give_to_users(appliance)
    (appliance.folder / "pin-memory").rmdir()
    leave(appliance)
    assert (appliance.folder / "signer-login.lock").stat().st_uid != SIGNER_USER
    start_all_signers(appliance)
    assert (appliance.folder / "pin-memory").stat().st_uid == SIGNER_USER


def test_a_process_of_the_module_is_named(make_hostile, monkeypatch):
    monkeypatch.setenv("LINESIGN_ATTACK_HELPER", "1")
    appliance = make_hostile().start()
    missing = appliance.status()["missing_protections"]
    assert any("a process that the PKCS#11 module started is not confined" in each
               for each in missing), missing
    appliance.request("--generate", "2")


@needs_root
def test_the_user_of_linesignd_needs_no_right_to_be_itself(make_appliance):
    """`sudo -u linesign linesignd ...`, and a unit with User= and without AmbientCapabilities=."""
    appliance = make_appliance()
    give_to_users(appliance)
    appliance.start()
    appliance.stop()
    become = ["setpriv", "--reuid", str(DAEMON_USER), "--regid", str(DAEMON_USER), "--clear-groups",
              str(copy_programs(appliance) / "linesignd"), "--config", str(appliance.config_file)]
    for flag in ("--check-config", "--restored-ledger"):
        run = subprocess.run([*become, flag], env=softhsm_env(appliance.folder), capture_output=True,
                             text=True, check=False)
        assert run.returncode == EX_OK, run.stdout + run.stderr
    own(appliance.folder, DAEMON_USER)  # one user for all
    with appliance.log.open("ab") as log:
        appliance.daemon = subprocess.Popen(become, stdout=log, stderr=log,
                                            env=softhsm_env(appliance.folder))
    appliance.wait_producing()
    missing = appliance.status()["missing_protections"]
    assert any("without the right to switch users" in each for each in missing), missing


@needs_root
def test_a_measurement_by_root_logs_in_as_the_user_of_the_signers(make_appliance, monkeypatch):
    appliance = make_appliance()
    shutil.copy(SIMULATOR, appliance.folder)
    monkeypatch.setenv("LINESIGN_SIMULATED_SESSIONS", "4")  # that ends it soon
    appliance.configure({"hsm": {"module": str(appliance.folder / SIMULATOR.name), "signers": 1}})
    give_to_users(appliance)
    (appliance.folder / "pin").chmod(0o400)
    (appliance.folder / "pin-memory").rmdir()
    run = appliance.cli("bench", "hsm", "--seconds", "0.1", "--cores", "1")
    assert "[hsm]\nsigners = " in run.stdout, run.stdout + run.stderr
    for left in (appliance.folder / "pin-memory", appliance.folder / "signer-login.lock"):
        assert left.stat().st_uid == SIGNER_USER, left
    start_all_signers(appliance)


@needs_root
def test_doctor_says_whose_the_pin_file_should_be(make_appliance):
    appliance = make_appliance()
    appliance.configure({"hsm": {"user": str(SIGNER_USER)}})
    command = f"chown {SIGNER_USER} {appliance.folder / 'pin'}"
    assert command in appliance.cli("doctor").stdout
    give_to_users(appliance)
    text = appliance.cli("doctor").stdout
    assert command not in text and "`linesign status` says whether signers run as it." in text


@needs_root
def test_signers_have_a_user_and_a_session_of_their_own_and_no_rights(make_appliance):
    appliance = make_appliance()
    give_to_users(appliance)
    for pid in start_all_signers(appliance):
        status = process_status(pid)
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(SIGNER_USER)}
        assert [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [0] * 3
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert os.getsid(pid) == os.getpgid(pid) == pid
    for path in secrets_of(appliance):
        assert not can_read(path, SIGNER_USER), path


@needs_root
def test_code_in_a_signer_of_another_user_reaches_nothing_even_with_the_network(make_hostile):
    appliance = make_hostile({"hsm": {"module_network": True, "module_paths": ["/"]}})
    give_to_users(appliance)
    appliance.start()
    daemon = appliance.daemon.pid
    attacks = [("unix", appliance.folder / "admin.sock"), ("mem", daemon), ("kill", daemon)]
    for path in secrets_of(appliance):
        attacks += [("read", path), ("write", path), ("truncate", path)]
    attacks = [(name, str(argument)) for name, argument in attacks]
    results = attack(appliance, attacks)
    assert set(results) == set(attacks) and set(results.values()) <= REFUSED, results


@needs_root
def test_signers_of_another_user_are_replaced_and_end_with_linesignd(make_appliance):
    appliance = make_appliance()
    give_to_users(appliance)
    appliance.start()

    def wait_for_others_than(pids):
        appliance.wait_status(lambda each: all(
            one["state"] == "ready" and one["pid"] not in pids for one in each["signers"]),
            "there are new signers")

    killed = appliance.signer_pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for_others_than(killed)
    hanging = appliance.signer_pids()
    os.kill(hanging[0], signal.SIGSTOP)
    appliance.request("--generate", "20")  # its work goes to the other; it is ended and replaced
    wait_until(lambda: not is_alive(hanging[0]), "the one that hangs is ended")
    wait_for_others_than(hanging[:1])
    left = appliance.signer_pids()
    for pid in left:
        os.kill(pid, signal.SIGSTOP)
    left.append(launcher_of(appliance))
    appliance.kill()
    wait_until(lambda: not any(map(is_alive, left)), "nobody outlives linesignd")
    appliance.start()
    appliance.request("--generate", "30")


def keep_from_ending(pids):
    """A killed process stays until its tracer looks, as one stays that waits for a device."""
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    seize = 0x4206
    for pid in pids:
        assert trace(seize, pid, ctypes.c_void_p(0), ctypes.c_void_p(0)) == 0, os.strerror(
            ctypes.get_errno())


@needs_root
@pytest.mark.parametrize("prepare", [lambda appliance: None, give_to_users],
                         ids=["one user", "with a launcher"])
def test_signers_that_do_not_end_cost_their_processes_and_nothing_else(make_appliance, prepare):
    appliance = make_appliance()
    prepare(appliance)
    kept = start_all_signers(appliance)
    keep_from_ending(kept)
    for pid in kept:
        os.kill(pid, signal.SIGKILL)
    appliance.request("--generate", "10")
    appliance.wait_status(lambda each: all(
        one["state"] == "ready" and one["pid"] not in (0, *kept) for one in each["signers"]),
        "there are new signers")
    wait_until(lambda: appliance.log_text().count("does not end") == len(kept), "it is told")
    for pid in kept:
        os.waitpid(pid, 0x40000000)  # __WALL
    wait_until(lambda: all(f"signer {pid} stopped: ended by signal 9" in appliance.log_text()
                           for pid in kept), "their ends are reported")
    appliance.request("--generate", "10")
    appliance.stop()


@needs_root
def test_no_signer_runs_as_root_when_its_user_is_taken_out_of_the_configuration(make_appliance):
    appliance = make_appliance()
    give_to_users(appliance)
    former = start_all_signers(appliance)
    appliance.configure({"hsm": {"user": ""}})
    for pid in former:
        os.kill(pid, signal.SIGKILL)
    status = appliance.wait_status(lambda each: each["obstacles"] and each["obstacles"][0]["error"][
        "name"] == "ConfigConflict", "the configuration is a reason not to produce")
    assert "restart linesignd" in status["obstacles"][0]["error"]["detail"]
    assert all(each["state"] != "ready" for each in status["signers"]), status["signers"]
    appliance.configure({"hsm": {"user": str(SIGNER_USER)}})
    appliance.wait_producing()


@needs_root
def test_an_orphan_of_another_user_that_hangs_in_its_login_is_ended(make_appliance, monkeypatch):
    appliance = make_appliance()
    module = appliance.folder / "module"
    module.mkdir()
    shutil.copy(FAULTY, module)
    appliance.configure({"hsm": {"module": str(module / FAULTY.name)}})
    give_to_users(appliance)
    own(module, SIGNER_USER)
    appliance.start()  # the token has accepted the PIN before
    appliance.stop()
    monkeypatch.setenv("LINESIGN_FAULTS", f"C_Login:1=hang@{module / 'hangs'}")
    appliance.start(wait=False)
    wait_until((module / "hangs").exists, "a signer hangs in C_Login")
    orphans = wait_until(appliance.signer_pids, "it is there")
    for pid in orphans:
        os.kill(pid, signal.SIGSTOP)  # so that nothing ends it but its successor
    appliance.kill()
    appliance.start()
    wait_until(lambda: not any(map(is_alive, orphans)), "the orphans are gone")
    assert "a signer without its linesignd; it was ended" in appliance.log_text()


@needs_root
def test_linesignd_ends_with_its_launcher_so_that_it_is_started_again(make_appliance, check_ledger):
    appliance = make_appliance()
    give_to_users(appliance)
    appliance.start()
    signers = appliance.signer_pids()
    appliance.start_request("--generate", "400")
    os.kill(launcher_of(appliance), signal.SIGKILL)
    assert appliance.daemon.wait(20) == EX_UNAVAILABLE
    assert "launcher of the signers" in appliance.log_text()
    wait_until(lambda: not any(map(is_alive, signers)), "no signer is left")
    appliance.start()
    assert appliance.children[-1].wait(60) == EX_OK, appliance.client_log()
    appliance.stop()
    check_ledger(appliance)


@needs_root
@pytest.mark.parametrize("table, user, says", [
    ("hsm", "no-such-user-here", "there is no user"), ("daemon", "no-such-user-here", "no user"),
    ("hsm", "0", "root"), ("hsm", str(DAEMON_USER), "are the same")])
def test_a_user_that_cannot_be_is_a_fault_of_the_configuration(make_appliance, table, user, says):
    appliance = make_appliance()
    give_to_users(appliance)
    appliance.configure({table: {"user": user}})
    appliance.start(wait=False)
    assert appliance.daemon.wait(20) == EX_CONFIG
    assert says in appliance.log_text()


# --- no core dumps --------------------------------------------------------------------------------


def allow_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_crash_of_linesignd_leaves_no_core(make_appliance):
    appliance = make_appliance().start(preexec=allow_cores)
    pid = appliance.daemon.pid
    limits = [resource.prlimit(each, resource.RLIMIT_CORE) for each in (pid, *appliance.signer_pids())]
    assert set(limits) == {(0, 0)}, limits
    appliance.daemon.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(pid, 0)
    appliance.daemon = None
    assert os.WTERMSIG(status) == signal.SIGSEGV and not os.WCOREDUMP(status)


@pytest.mark.parametrize("name", ["linesign", "linesign-station"])
def test_a_crash_of_a_program_with_keys_leaves_no_core(make_appliance, tmp_path, name):
    appliance = make_appliance()
    command = [program(name), "--config", str(appliance.config_file), "status", "--wait", "600"]
    if name == "linesign-station":
        appliance.start()
        command = appliance.request_command("--generate", "1000000")
    run = subprocess.Popen(command, cwd=tmp_path, preexec_fn=allow_cores, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    # Its limit is set first of all.
    wait_until(lambda: resource.prlimit(run.pid, resource.RLIMIT_CORE) == (0, 0), "it has begun")
    wait_until(lambda: process_status(run.pid)["Name"] == name[:15], "it is the program")
    run.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(run.pid, 0)
    run.returncode = -signal.SIGSEGV
    assert os.WTERMSIG(status) == signal.SIGSEGV and not os.WCOREDUMP(status)


@needs_root
def test_who_holds_a_secret_cannot_be_looked_into_by_its_own_user(make_appliance):
    appliance = make_appliance()
    give_to_users(appliance)
    signers = start_all_signers(appliance)
    # The kernel gives the files of a process that is not dumpable to root.
    for pid in (appliance.daemon.pid, launcher_of(appliance), *signers):
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, process_status(pid)["Name"]
    assert not can_read(f"/proc/{appliance.daemon.pid}/environ", DAEMON_USER)
