#!/usr/bin/python3
"""Runs clang-tidy on the product's sources, in parallel, and remembers what was clean.

  tidy.py BUILD_DIR [--jobs N] [--tool clang-tidy-16] [FILE...]

Most of the time goes into the headers of libraries. So many files of a floor are read as one unit,
which includes them; a file whose names clash with another's goes into a later unit. Named files are
looked at alone. A unit that was clean is not looked at again until a file of ours in it, the
configuration or the compile flags change. Ends with "N passed, N failed", one count per file.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("protocol/", "hsm/", "stations/", "appliance/")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
MAX_FILES_PER_UNIT = 20
# The analyzer gives up a function's paths soon: most of its findings for a third of the time.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=30000"]
# In a unit a local may have the name of another file's constant; the compiler itself watches files.
UNIT_FLAGS = ["-Wno-shadow"]


class Unit(collections.namedtuple("Unit", "name files flags")):
    """`name` is the file that clang-tidy reads, `files` are those of ours in it."""

    def fingerprint(self, tool, known):
        digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + Path(__file__).read_bytes())
        digest.update(repr((tool, self.flags)).encode())
        for name in self.files:
            for each in closure(name, known):
                digest.update(f"{each} {known[each][0]}\n".encode())
        return digest.hexdigest()


def closure(name, known):
    """The file and every header of ours that it includes, directly or not."""
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen or not (ROOT / current).is_file():
            continue
        seen.add(current)
        if current not in known:
            text = (ROOT / current).read_text(encoding="utf-8")
            known[current] = (hashlib.sha256(text.encode()).hexdigest(), INCLUDE.findall(text))
        waiting.extend(known[current][1])
    return sorted(seen)


def read_flags(build_dir):
    """The product's source files, and all compiler flags that any of them is compiled with."""
    names, flags = set(), []
    for entry in json.loads((build_dir / "compile_commands.json").read_text()):
        path = Path(os.path.normpath(Path(entry["directory"]) / entry["file"]))
        if not path.is_relative_to(ROOT):
            continue
        name = str(path.relative_to(ROOT))
        if not name.startswith(PRODUCT) or "LINESIGN_TEST_DATA" in entry["command"]:
            continue
        names.add(name)
        words = iter(shlex.split(entry["command"]))
        for word in words:
            if word in ("-isystem", "-I"):
                word += next(words)
            elif word in ("-o", "-MF", "-MT"):
                next(words)
                continue
            elif word == "-DNDEBUG" or not word.startswith(("-D", "-I", "-W", "-std")):
                continue
            if word not in flags:
                flags.append(word)
    return sorted(names), tuple(flags)


def clashing(compiler, text, files, flags):
    """The files that cannot be read after those before them."""
    run = subprocess.run([compiler, *flags, "-fsyntax-only", "-w", "-ferror-limit=0", "-x", "c++",
                          "-"], input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    wrong = set()
    for line in run.stderr.split("\n"):
        if re.search(r": (fatal )?error: ", line):
            wrong |= {name for name in files if re.match(rf"(.*/)?{re.escape(name)}:", line)}
    return wrong if run.returncode else set()


def include_all(files):
    return "".join(f'#include "{name}"\n' for name in files)


def make_units(compiler, floor, files, flags, into):
    units, waiting = [], sorted(files)
    while waiting:
        chosen, rest = waiting[:MAX_FILES_PER_UNIT], waiting[MAX_FILES_PER_UNIT:]
        while len(chosen) > 1:
            wrong = clashing(compiler, include_all(chosen), chosen, flags)
            if not wrong:
                break
            if wrong == set(chosen):
                wrong.discard(chosen[0])
            rest = [name for name in chosen if name in wrong] + rest
            chosen = [name for name in chosen if name not in wrong]
        if len(chosen) == 1:
            units.append(Unit(chosen[0], chosen, flags))
        else:
            path = into / f"{floor}_{len(units)}.cpp"
            path.write_text(include_all(chosen))
            units.append(Unit(str(path), chosen, flags))
        waiting = rest
    return units


def run_tidy(tool, unit):
    started = time.monotonic()
    run = subprocess.run([tool, "--quiet", unit.name, "--", *unit.flags, *ANALYZER, *UNIT_FLAGS], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    return unit, run, time.monotonic() - started


def plan(options, pool):
    names, flags = read_flags(options.build_dir)
    if options.files:
        return [Unit(name, [name], flags) for name in options.files]
    compiler = options.tool.replace("clang-tidy", "clang++")
    into = options.build_dir / "tidy-units"
    into.mkdir(exist_ok=True)
    floors = collections.defaultdict(list)
    for name in names:
        floors["_".join(name.split("/")[:2])].append(name)
    made = [pool.submit(make_units, compiler, floor, files, flags, into)
            for floor, files in sorted(floors.items())]
    return [unit for future in made for unit in future.result()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tool", default="clang-tidy-16")
    parser.add_argument("files", nargs="*")
    options = parser.parse_intermixed_args()
    options.build_dir = options.build_dir.resolve()
    remembered = options.build_dir / "tidy"
    remembered.mkdir(exist_ok=True)

    known, failed, total = {}, 0, 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        units = plan(options, pool)
        total = sum(len(unit.files) for unit in units)
        stamps = {unit.name: remembered / unit.fingerprint(options.tool, known) for unit in units}
        work = sorted((unit for unit in units if not stamps[unit.name].exists()),
                      key=lambda unit: -len(unit.files))  # the longest first
        for future in concurrent.futures.as_completed([pool.submit(run_tidy, options.tool, u) for u in work]):
            unit, run, seconds = future.result()
            word = "clean" if run.returncode == 0 else "NOT clean"
            print(f"{' '.join(unit.files)}: {word} ({seconds:.1f} s)", flush=True)
            if run.returncode == 0:
                stamps[unit.name].touch()
                continue
            named = {name for name in unit.files if f"{name}:" in run.stdout}
            failed += max(1, len(named))
            errors = [line for line in run.stderr.split("\n")
                      if line.strip() and "generated" not in line and "Suppressed" not in line]
            print(run.stdout + "\n".join(errors), flush=True)
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
