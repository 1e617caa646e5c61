#!/usr/bin/python3
"""The figures that linesign is to reach, each measured by a command of its own.

  figures.py [--long] NAME...      one line each: name, value, goal, and "ok" or "MISSED"
  figures.py [--long] all
  figures.py list

Each line is one measurement on this machine, with nothing else on it that works; what explains it
goes to stderr. --long takes the full size: half a minute each, and a ledger of 10 million rows.
Programs come from $LINESIGN_BIN (default: build/release/bin). Exit code: 0 all reached, 1 not,
64 wrong usage, 69 something is not built.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.bench_runs import (  # noqa: E402
    BIN, EX_OK, EX_USAGE, SIMULATOR, bench, need, note, program)

SATURATING = ["--stations", 16, "--window", 64]
MILLION = 1_000_000
MIB = 2 ** 20
FIGURES = {}


def figure(name, goal, what):
    """`goal` is ">=" or "<=" and a number. The function gives (value, is_valid)."""
    def add(function):
        FIGURES[name] = (function, goal, what)
        return function
    return add


def reached(value, goal):
    limit = float(goal[2:])
    return value >= limit if goal.startswith(">=") else value <= limit


def seconds(options, short=8, long=30):
    return ["--seconds", long if options.long else short]


def rate_text(report):
    return (f"{report['certificates_per_second']:.0f} certificates/s, "
            f"{report['certificates_per_cpu_second']:.0f} per CPU-second")


def daemon_bytes(report):
    """What linesignd had in memory when it had most."""
    return next(each["rss_peak_bytes"] for each in report["cpu"]["processes"]
                if each["name"] == "linesignd")


def only_busy(report):
    """Every request was answered with a certificate or with Busy."""
    return set(report["later"]) <= {"Busy"} and not report["refused"]


# --- against the ceiling ------------------------------------------------------------------------


def against_ceiling(options, ratio, *more):
    report = bench(*SATURATING, *seconds(options), *more)
    ceilings = [report[name]["certificates_per_cpu_second"]
                for name in ("ceiling_before", "ceiling_after")]
    note(f"  {rate_text(report)}; ceiling {ceilings[0]:.0f} and {ceilings[1]:.0f} per CPU-second")
    return report["ratios"][ratio], not report["refused"]


@figure("cpu-ratio", ">=0.75", "certificates per CPU-second against the ceiling, P-256")
def cpu_ratio(options):
    return against_ceiling(options, "per_cpu_second")


@figure("cpu-ratio-rsa", ">=0.90", "the same with an RSA-2048 CA")
def cpu_ratio_rsa(options):
    return against_ceiling(options, "per_cpu_second", "--ca-key", "RSA-2048")


@figure("wall-ratio", ">=0.50", "certificates per second against the ceiling on all cores, P-256")
def wall_ratio(options):
    return against_ceiling(options, "wall")


# --- slow, loaded, shared -----------------------------------------------------------------------


@figure("slow-hsm", ">=0.90", "of 64,000/s or of the CPU, with 1 ms a signature and 64 sessions")
def slow_hsm(options):
    """Where the CPU is the limit the value is how busy it was."""
    need(SIMULATOR)
    signers, threads, ideal = 4, 16, 64_000
    with tempfile.NamedTemporaryFile(prefix="ls-sessions-") as sessions:
        environment = {"LINESIGN_SIMULATED_SIGN_US": "1000",
                       # Each signer has one session besides those that sign.
                       "LINESIGN_SIMULATED_SESSIONS": str(signers * (threads + 1)),
                       "LINESIGN_SIMULATED_SESSION_FILE": sessions.name}
        report = bench(*SATURATING, *seconds(options), "--no-ceiling", "--module", SIMULATOR,
                       "--signers", signers, "--threads-per-signer", threads,
                       environment=environment)
    busy = report["machine"]["busy"]
    note(f"  {rate_text(report)}; the machine was {busy:.0%} busy")
    return max(report["certificates_per_second"] / ideal, busy), not report["refused"]


@figure("overload", ">=0.95", "throughput at 4 times the load that saturates; else only Busy")
def overload(options):
    """Saturation is as many requests on their way as the appliance admits by default."""
    loads = [bench("--stations", stations, "--window", 256, "--warm-up", 3, *seconds(options),
                   "--no-ceiling", what=f"{stations} stations") for stations in (64, 256)]
    for report in loads:
        note(f"  {report['setup']['stations']} stations: {rate_text(report)}, told to come later: "
             f"{report['later'] or 'none'}")
    rates = [report["certificates_per_second"] for report in loads]
    return rates[1] / rates[0] if rates[0] else 0, only_busy(loads[1])


CROWD = ["--stations", 128, "--window", 128, "--warm-up", 3, "--no-ceiling"]
HAMMERING = [*CROWD, "--hammer", 32]  # a quarter comes back at once, whatever it was told


@figure("hammer-gain", "<=1", "certificates of a station that hammers, against one that obeys")
def hammer_gain(options):
    report = bench(*HAMMERING, *seconds(options, 10), what="a quarter hammers")
    groups = [report[name] for name in ("hammering", "obeying")]
    each = [group["certificates"] / group["stations"] for group in groups]
    note(f"  {rate_text(report)}; hammering {each[0]:.0f}, obeying {each[1]:.0f} each")
    return each[0] / max(each[1], 1), only_busy(report)


@figure("hammer-cost", ">=0.90", "throughput while a quarter of 128 stations hammers, against none")
def hammer_cost(options):
    reports = [bench(*setup, *seconds(options), what=what)
               for setup, what in ((CROWD, "all obey"), (HAMMERING, "a quarter hammers"))]
    for report in reports:
        note(f"  {rate_text(report)}, told to come later: {report['later'] or 'none'}")
    rates = [report["certificates_per_second"] for report in reports]
    return rates[1] / max(rates[0], 1), only_busy(reports[1])


@figure("lone-station", "<=5", "p99 of a station that asks alone, during a lot, against idle")
def lone_station(options):
    # Longer than an answer takes, or it waits for itself.
    lone = ["--lone", "--lone-interval", 150, "--no-ceiling"]
    idle = bench("--stations", 0, *seconds(options, 20), *lone, what="idle")
    lot = (["--lot", 100_000] if options.long else seconds(options, 20))
    busy = bench("--stations", 1, "--window", 256, *lot, *lone, what="during a lot")
    times = [report["lone"]["latency"] for report in (idle, busy)]
    for what, time_of in zip(("idle", "during a lot"), times):
        note(f"  {what}: p50 {time_of['p50_us'] / 1000:.1f}, p99 {time_of['p99_us'] / 1000:.1f} ms of "
             f"{time_of['count']} answers")
    is_whole = all(report["lone"]["latency"]["count"] > 100 and not report["lone"]["refused"]
                   for report in (idle, busy))
    return times[1]["p99_us"] / max(times[0]["p99_us"], 1), is_whole


@figure("memory", "<=300", "MiB of linesignd with 1,000 stations connected")
def memory(options):
    report = bench("--stations", 1000, "--window", 16, *seconds(options, 5), "--no-ceiling")
    note(f"  {rate_text(report)}")
    return daemon_bytes(report) / MIB, not report["refused"]


# --- growth -------------------------------------------------------------------------------------


@contextlib.contextmanager
def appliances():
    """Makes appliances that may be given a ledger."""
    from support.appliance import Appliance, TokenCache, wait_for_removals  # compiles messages

    folder = tempfile.mkdtemp(prefix="ls-tokens-")
    made = []
    try:
        tokens = TokenCache(folder)

        def make(**tables):
            made.append(Appliance(tokens, config={"daemon": {"log_level": "info"},
                                                  "hsm": {"signers": 0}, **tables}))
            return made[-1]
        yield make
    finally:
        for each in made:
            each.close()
        shutil.rmtree(folder, ignore_errors=True)
        wait_for_removals()


def fill(appliance, rows):
    started = time.monotonic()
    subprocess.run([program("fill_ledger"), "--ledger", str(appliance.folder / "ledger"), "--rows",
                    str(rows)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program("linesignd"), "--config", str(appliance.config_file), "--new-ledger"],
                   check=True, stdout=subprocess.DEVNULL)
    note(f"  {rows:,} rows written in {time.monotonic() - started:.0f} s")


def forget_cached(path):
    """A start does not find the ledger in memory."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def started_within(appliance):
    forget_cached(appliance.folder / "ledger" / "ledger.sqlite")
    begin = time.monotonic()
    appliance.start()
    return time.monotonic() - begin


def load_running(appliance, options):
    from support.appliance import softhsm_env
    report = bench(*SATURATING, *seconds(options, 6), "--no-ceiling", "--order", "default",
                   "--real-certificates", config=appliance.config_file,
                   environment=softhsm_env(appliance.folder))
    return report


@contextlib.contextmanager
def grown_appliance(options, make):
    rows = options.rows or (10 * MILLION if options.long else MILLION)
    appliance = make()
    fill(appliance, rows)
    yield appliance


@figure("growth", ">=0.80", "throughput with a full ledger (10 M rows with --long) against an empty one")
def growth(options):
    """Both run in turns, so that a change of the machine hits both."""
    with appliances() as make, grown_appliance(options, make) as grown:
        empty = make()
        rates = {grown: [], empty: []}
        for _ in range(2):
            for appliance in (empty, grown):
                appliance.start()
                report = load_running(appliance, options)
                rates[appliance].append(report["certificates_per_second"])
                note(f"  {'full' if appliance is grown else 'empty'}: {rate_text(report)}, "
                     f"linesignd at most {daemon_bytes(report) / MIB:.0f} MiB")
                appliance.stop()
        return sum(rates[grown]) / max(sum(rates[empty]), 1), True


@figure("start-up", "<=5", "seconds until a full ledger (10 M rows with --long) produces")
def start_up(options):
    with appliances() as make, grown_appliance(options, make) as grown:
        times = []
        for _ in range(3):
            times.append(started_within(grown))
            grown.stop()
        note("  " + ", ".join(f"{each:.2f}" for each in times) + " s")
        return max(times), True


# --- kill -9 ------------------------------------------------------------------------------------


class Asker:
    """A station that wants certificates and connects again until it gets one."""

    def __init__(self, appliance):
        self.appliance = appliance
        self.credential = appliance.station()
        self.station = None
        self.number = 0

    def next_certificate(self, timeout=30):
        """Seconds until a new one."""
        from support import csr
        from support.raw_station import Closed, RawStation, messages
        self.number += 1
        device = f"restart-{self.number:06}"
        der = csr.make(device, csr.new_key())
        begin = time.monotonic()
        while time.monotonic() - begin < timeout:
            try:
                if self.station is None:
                    self.station = RawStation.open(self.credential, self.appliance.address)
                reply = self.station.issue(device, der, request_id=self.number.to_bytes(16, "big"))
                if reply.status == messages.STATUS_OK:
                    return time.monotonic() - begin
                raise AssertionError(str(reply.failure))
            except (OSError, Closed):
                if self.station is not None:
                    self.station.close()
                self.station = None
                time.sleep(0.005)
        raise AssertionError(f"no certificate within {timeout} s")


def kill_signers(appliance):
    for pid in appliance.signer_pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_daemon(appliance):
    appliance.kill()
    appliance.start(wait=False)


@figure("restart", "<=2", "seconds from kill -9 of linesignd or all signers to the next certificate")
def restart(options):
    worst = 0
    with appliances() as make:
        appliance = make().start()
        asker = Asker(appliance)
        for what, kill in (("signers", kill_signers), ("linesignd", kill_daemon)):
            times = []
            for _ in range(20 if options.long else 5):
                asker.next_certificate()
                begin = time.monotonic()
                kill(appliance)
                asker.next_certificate()
                times.append(time.monotonic() - begin)
                appliance.wait_producing()
            note(f"  {what}: " + ", ".join(f"{each:.2f}" for each in times) + " s")
            worst = max(worst, *times)
        asker.station.close()
    return worst, True


# --- the command --------------------------------------------------------------------------------


def measure(name, options):
    function, goal, what = FIGURES[name]
    note(f"{name}: {what}")
    try:
        value, is_valid = function(options)
    except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
        note(f"  {error}")
        print(f"{name} failed {goal} MISSED", flush=True)
        return False
    is_reached = is_valid and reached(value, goal)
    print(f"{name} {value:.3f} {goal} {'ok' if is_reached else 'MISSED'}", flush=True)
    return is_reached


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--rows", type=int, default=0, help="rows of a full ledger")
    parser.add_argument("names", nargs="+")
    try:
        options = parser.parse_args()
    except SystemExit as leave:
        return EX_USAGE if leave.code else EX_OK
    if options.names == ["list"]:
        for name, (_, goal, what) in FIGURES.items():
            print(f"{name:<14} {goal:<7} {what}")
        return EX_OK
    names = list(FIGURES) if options.names == ["all"] else options.names
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        note(f"no such figure: {', '.join(unknown)}; see: figures.py list")
        return EX_USAGE
    need(*(BIN / each for each in ("linesign", "linesignd", "linesign-signer", "linesign-station")))
    results = [measure(name, options) for name in names]
    return EX_OK if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
