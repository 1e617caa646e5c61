"""One appliance under a fault: the real programs, the simulated HSM that breaks on demand, system calls
that fail on demand, and stations that never stop asking."""

import contextlib
import glob
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from faults import judge
from support import csr
from support.appliance import Appliance, is_alive, wait_until
from support.fault_plan import FaultPlan
from support.modules import SIMULATOR, SYSTEM_FAULTS
from support.raw_station import Closed, RawStation, issue, messages

FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
SIGN_MICROS = 10000
STATIONS = 3  # connections of one station
LIMIT = 60.0  # seconds for anything that must happen
STATUS_TIMEOUT = 15.0  # seconds
# What a station meets besides certificates.
LOST, SILENT = "connection lost", "no answer"


class Station(threading.Thread):
    """Asks for one certificate after the other, and for each until it has it: as
    docs/station-protocol.md tells stations to."""

    def __init__(self, scene, number):
        super().__init__(daemon=True)
        self.scene = scene
        self.name = f"{number}"
        self.made = []  # (time, what it holds)
        self.met = []  # (time, what)
        self.wrong = []
        self.connection = None
        self.ends = threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            device = f"unit-{self.name}-{number}"
            call = issue(device, csr.make(device, csr.new_key()))
            while not self.ends.is_set() and not self.ask(device, call):
                pass
        self.disconnect()

    def ask(self, device, call):
        """True when this device is done with."""
        try:
            if self.connection is None:
                self.connection = RawStation.open(self.scene.credential, self.scene.address)
            answer = self.connection.ask(call)
            if not answer.HasField("issue"):
                raise Closed
        except (Closed, OSError, ssl.SSLError, ValueError, struct.error) as error:
            self.meet(SILENT if isinstance(error, TimeoutError) else LOST)
            self.disconnect()
            self.ends.wait(0.02)
            return False
        reply = answer.issue
        if reply.status == messages.STATUS_TRY_LATER:
            self.meet(reply.failure.name)
            self.ends.wait(max(reply.failure.retry_after_ms, 10) / 1000)
            return False
        if reply.certificate_der:
            self.keep(device, reply.certificate_der)
        else:
            self.wrong.append(f"{device} was refused for ever: {reply.failure.name}")
        return True

    def keep(self, device, der):
        now = time.monotonic()
        certificate = x509.load_der_x509_certificate(der)
        path = self.scene.appliance.certs / f"{device}.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.made.append((now, judge.Held(
            device, certificate.tbs_certificate_bytes, certificate.signature,
            certificate.serial_number,
            certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))))

    def meet(self, what):
        self.met.append((time.monotonic(), what))

    def disconnect(self):
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def cut(self):
        """The network between this station and the appliance, from outside of the thread."""
        connection = self.connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.tls.shutdown(socket.SHUT_RDWR)

    def first_after(self, moment):
        return next((made[0] for made in reversed(self.made_since(moment))), None)

    def made_since(self, moment):
        """The newest first."""
        found = []
        for made in reversed(self.made):
            if made[0] <= moment:
                break
            found.append(made)
        return found


class Scene:
    def __init__(self, tokens, random, config=None, is_clock_false=False):
        self.random = random
        tables = {"hsm": {"module": str(SIMULATOR)}, "daemon": {"log_level": "info"}}
        for table, values in (config or {}).items():
            tables[table] = {**tables.get(table, {}), **values}
        self.appliance = Appliance(tokens, config=tables)
        self.appliance.certs.mkdir(parents=True)
        self.folder = self.appliance.folder
        self.address = self.appliance.address
        self.sign_log = self.folder / "signed.log"
        self.clock = self.folder / "clock"
        self.hsm = FaultPlan(self.folder / "hsm-faults")
        self.system = FaultPlan(self.folder / "system-faults")
        self.is_pair = False
        self.kept = []  # connections that a fault must hold open until its end
        self.token = None  # where it was before it was taken out
        preloaded = [str(SYSTEM_FAULTS)]
        self.appliance.environment = {
            "LINESIGN_SIMULATED_SIGN_US": str(SIGN_MICROS),
            "LINESIGN_SIMULATED_SIGN_LOG": str(self.sign_log),
            "LINESIGN_SIMULATED_FAULTS": str(self.hsm.path),
            "LINESIGN_SYSTEM_FAULTS": str(self.system.path)}
        if is_clock_false:
            self.set_clock("+0")
            preloaded.append(glob.glob(FAKETIME)[0])
            self.appliance.environment |= {
                "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.appliance.environment["LD_PRELOAD"] = " ".join(preloaded)
        self.stations = []

    def open(self, *preparations):
        self.appliance.start()
        for prepare in preparations:
            prepare(self)
        self.credential = self.appliance.station()
        self.stations = [Station(self, number) for number in range(STATIONS)]
        self.wait_for_certificates(time.monotonic())
        return self

    def close(self, keep=False):
        for station in self.stations:
            station.ends.set()
            station.cut()
        for station in self.stations:
            station.join(LIMIT)
        self.appliance.close(keep=keep)

    # --- what faults use --------------------------------------------------------------------------

    def set_clock(self, offset):
        new = self.clock.with_suffix(".new")
        new.write_text(offset + "\n")
        new.rename(self.clock)

    def signers(self):
        """The processes themselves, also while linesignd does not answer."""
        try:
            pid = self.appliance.daemon.pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return [int(each) for each in file.read().split()]
        except (OSError, AttributeError):
            return []

    @staticmethod
    def signal_all(number, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_signers(self, pids):
        self.signal_all(signal.SIGKILL, pids)
        wait_until(lambda: not any(map(is_alive, pids)), "they are gone")

    def status(self):
        """What `linesign status --json` says; None when nobody answers."""
        try:
            run = self.appliance.cli("status", "--json", check=False, timeout=STATUS_TIMEOUT)
            return json.loads(run.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return None

    def reasons(self):
        status = self.status()
        if status is None:
            return ["AdminUnavailable"]
        return [each["error"]["name"] for each in status["obstacles"]]

    def wait_for(self, condition, what, timeout=LIMIT):
        """Like wait_until, but seldom enough for what starts a program, and it tells what there is."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:g} s: {what}; status says "
                                     f"{self.reasons()}\n{self.appliance.log_tail(12)}")
            time.sleep(0.1)

    # --- what is measured -------------------------------------------------------------------------

    def wait_for_certificates(self, moment, timeout=LIMIT):
        """Until every station has one that came after this moment; returns the seconds."""
        def last():
            firsts = [each.first_after(moment) for each in self.stations]
            return None if None in firsts else max(firsts)
        try:
            return wait_until(last, "every station has its next certificate", timeout) - moment
        except AssertionError as error:
            raise AssertionError(f"{error}; met: {sorted(self.met(moment))}; status: "
                                 f"{self.reasons()}\n{self.appliance.log_tail(12)}") from error

    def met(self, moment):
        return {what for each in self.stations for at, what in each.met if at > moment}

    def wrong(self):
        """What is not as it must be at this moment."""
        received = [held for station in self.stations for _, held in list(station.made)]
        refused = [line for station in self.stations for line in station.wrong]
        return refused + judge.judge(self.folder / "ledger", received, self.sign_log)

    def wrong_at_the_end(self):
        """The last word: everything stopped, the ledger's own checker."""
        for station in self.stations:
            station.ends.set()
        for station in self.stations:
            station.join(LIMIT)
        self.appliance.wait_status(lambda each: each["producing"] and each["ledger"]["intents"] == 0,
                                   "no intent is left", LIMIT)
        self.appliance.stop()
        return self.wrong() + judge.check_ledger(self.appliance, self.appliance.certs)
