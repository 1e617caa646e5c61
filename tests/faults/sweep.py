#!/usr/bin/python3
"""The sweep of faults: begins each, sees what it must do, ends it, and measures how long it takes until
every station has its next certificate. After each: what stations hold, what the HSM was given to sign
and the ledger are compared; at the end of each appliance its ledger is checked as a whole.

  sweep.py [--long] [--kind NAME]... [--count N] [--pairs N] [--seed N] [--jobs N] [--write-docs]
  sweep.py --list

Without --long each kind once, and a few pairs; with it 2,000 kills, 500 pairs, and at least ten of each
other kind. A pair is two faults at once, chosen by the seed. --write-docs writes the table of
docs/reliability.md. Prints one line for each kind, with the slowest recovery, and ends with
"N passed, N failed".
"""

import argparse
import concurrent.futures
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults.kinds import KINDS, PARTS  # noqa: E402
from faults.scene import LOST, SILENT, Scene  # noqa: E402
from support.appliance import TokenCache, wait_for_removals  # noqa: E402
from support.flood import allow_descriptors  # noqa: E402
from support.waiting import patience  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults begin -->", "<!-- faults end -->"
LONG_PAIRS = 500
SHORT_PAIRS = 4
CASES_PER_SCENE = 25
WHATEVER = {LOST, SILENT, "Unavailable", "Busy", "Draining", "Goodbye"}


class Tally:
    """The cases of one line."""

    def __init__(self, name, what):
        self.name = name
        self.what = what
        self.seconds = []
        self.failures = []

    def line(self):
        slowest = f"slowest {max(self.seconds):6.2f} s" if self.seconds else "none"
        word = "ok" if not self.failures else f"{len(self.failures)} FAILED"
        return f"{self.name:20} {len(self.seconds):5} cases   {slowest}   {word}"


def expect_while_it_lasts(scene, kind, moment):
    if kind.status:
        scene.wait_for(lambda: set(scene.reasons()) & set(kind.status),
                       f"status says one of {kind.status}")
    if kind.station:
        scene.wait_for(lambda: kind.station[0] in scene.met(moment),
                       f"stations meet {kind.station[0]}")
    if not kind.status and kind.end is not None:
        status = scene.status()
        assert status is not None and status["producing"], f"it stopped: {scene.reasons()}"
        scene.wait_for_certificates(time.monotonic())


def run_case(scene, kind):
    """Seconds from the end of the fault to the next certificate of every station."""
    moment = time.monotonic()
    kind.begin(scene)
    ended = time.monotonic()
    expect_while_it_lasts(scene, kind, moment)
    if kind.end is not None:
        kind.end(scene)
        ended = time.monotonic()
    seconds = scene.wait_for_certificates(ended)
    scene.wait_for(lambda: not scene.reasons(), "nothing is left of it")
    strange = scene.met(moment) - {*kind.station, *kind.may}
    assert not strange or kind.station and strange <= WHATEVER, f"stations met {strange}"
    return seconds


def run_pair(scene, pair):
    """Two at once, the second one begun and ended whenever it happens to be."""
    scene.is_pair = True
    open_ends = []
    for kind in pair:
        kind.begin(scene)
        if kind.end is not None:
            open_ends.append(kind.end)
        time.sleep(scene.random.uniform(0, 0.2))
    scene.random.shuffle(open_ends)
    ended = time.monotonic()
    for end in open_ends:
        end(scene)
        ended = time.monotonic()
    seconds = scene.wait_for_certificates(ended)
    scene.wait_for(lambda: not scene.reasons(), "nothing is left of them")
    return seconds


def run_on_one_appliance(tokens, tally, cases, seed):
    """`cases` are (what to call, its argument, the kinds in it)."""
    chance = random.Random(f"{seed}")
    kinds = [kind for _, _, inside in cases for kind in inside]
    config = {table: values for kind in kinds for table, values in kind.config.items()}
    scene = Scene(tokens, chance, config, any(kind.is_clock_false for kind in kinds))
    label = "it starts"
    try:
        scene.open(*{kind.prepare for kind in kinds if kind.prepare is not None})
        for run, argument, inside in cases:
            label = " and ".join(kind.name for kind in inside)
            time.sleep(chance.uniform(0, 0.1))
            seconds = run(scene, argument)
            allowed = sum(kind.at_most for kind in inside) * patience()
            assert seconds <= allowed, f"{seconds:.1f} s, and {allowed:.1f} s are allowed"
            tally.seconds.append(seconds)
            wrong = scene.wrong()
            assert not wrong, "\n".join(wrong[:10])
        label = "the end"
        wrong = scene.wrong_at_the_end()
        assert not wrong, "\n".join(wrong[:10])
    except Exception as error:  # of any kind: one failed case must not hide the others
        where = "" if isinstance(error, AssertionError) else traceback.format_exc()
        tally.failures.append(f"{tally.name}, {label}, seed {seed}: {error}\n{where}")
    finally:
        failed = bool(tally.failures)
        scene.close(keep=failed and "LINESIGN_KEEP" in os.environ)


def pairs_of(chance, count):
    able = [[kind for kind in part if not kind.is_alone] for part in PARTS]
    return [tuple(chance.choice(part) for part in chance.sample(able, 2)) for _ in range(count)]


def plan(arguments):
    """(tally, [groups of cases]) for each line."""
    for kind in KINDS:
        if arguments.kind and kind.name not in arguments.kind:
            continue
        usual = kind.times if arguments.long else 1
        cases = [(run_case, kind, (kind,))] * (arguments.count or usual)
        yield Tally(kind.name, kind.what), groups(cases, 1 if kind.is_fresh else CASES_PER_SCENE)
    if arguments.kind and "pairs" not in arguments.kind:
        return
    usual = LONG_PAIRS if arguments.long else SHORT_PAIRS
    count = usual if arguments.pairs is None else arguments.pairs
    cases = [(run_pair, pair, pair) for pair in pairs_of(random.Random(arguments.seed), count)]
    yield Tally("pairs", "two of these at once"), groups(cases)


def groups(cases, size=CASES_PER_SCENE):
    return [cases[at:at + size] for at in range(0, len(cases), size)]


def run_all(arguments):
    folder = tempfile.mkdtemp(prefix="ls-tokens-")
    tokens = TokenCache(folder)
    tokens.get("P-256")
    lines = list(plan(arguments))
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        running = [(tally, [pool.submit(run_on_one_appliance, tokens, tally, group,
                                        f"{arguments.seed}/{tally.name}/{number}")
                            for number, group in enumerate(each)]) for tally, each in lines]
        for tally, futures in running:
            for future in futures:
                future.result()
            print(tally.line(), flush=True)
            for failure in tally.failures:
                print(f"FAILED: {failure}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    wait_for_removals()
    return [tally for tally, _ in lines]


# --- the document ---------------------------------------------------------------------------------


def words_of(kind):
    def named(words):
        return ", ".join(f"`{each}`" if each[0].isupper() else each for each in words)

    station = named(kind.station) or "a longer wait"
    if kind.may:
        station += f"; perhaps {named(kind.may)}"
    status = " or ".join(f"`{each}`" for each in kind.status)
    return (kind.what, station, status or "producing")


def row(kind, seconds):
    return f"| `--kind {kind.name}` | " + " | ".join((*words_of(kind), seconds)) + " |"


def measured(seconds):
    if not seconds:
        return ""
    return f"{max(seconds):.2f} in {len(seconds)} case{'s' if len(seconds) > 1 else ''}"


def documented():
    """The rows of the document: {name: line without the measured seconds}."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index(BEGIN):text.index(END)]
    found = re.findall(r"^(\| `--kind ([\w-]+)` \|.*)\|[^|]*\|$", table, re.M)
    return {name: line.rstrip() for line, name in found}


def document_is_right():
    expected = {kind.name: row(kind, "").rpartition("|")[0].rpartition("|")[0].rstrip()
                for kind in KINDS}
    actual = documented()
    wrong = [name for name in {*expected, *actual} if expected.get(name) != actual.get(name)]
    for name in sorted(wrong):
        print(f"docs/reliability.md: {name} is not what tests/faults/kinds.py says")
    return not wrong


def write_document(tallies):
    lines = [BEGIN, "", "| `sweep.py` | what happens | what a station sees | what `status` says |"
             " seconds to the next certificate of every station, at most |", "|---|---|---|---|---|"]
    times = {tally.name: tally.seconds for tally in tallies}
    for kind in KINDS:
        lines.append(row(kind, measured(times.get(kind.name))))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text[:text.index(BEGIN)], text[text.index(END):]
    DOCUMENT.write_text(before + "\n".join(lines) + "\n\n" + after, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--kind", action="append")
    parser.add_argument("--count", type=int, help="cases of each kind")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 2)
    parser.add_argument("--write-docs", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{kind.name:20} {kind.what}" for kind in KINDS))
        return 0
    allow_descriptors()
    print(f"seed {arguments.seed}", flush=True)
    tallies = run_all(arguments)
    passed = sum(len(tally.seconds) for tally in tallies)
    failed = sum(len(tally.failures) for tally in tallies)
    if arguments.write_docs:
        write_document(tallies)
    elif not document_is_right():
        failed += 1
    else:
        passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
