#!/usr/bin/python3
"""Holds the documents to the tree.

  docs.py links            every relative link and its #anchor leads somewhere; every line of a table
                           "shown by" names tests that exist
  docs.py commands BIN     every linesign command in a code block exists in the programs in BIN,
                           with the options it is shown with; every script it names is there; every
                           toml block is a configuration, every json block is JSON

Prints one line per breach and ends with "N passed, N failed", one count per document.
"""

import json
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("linesign", "linesignd", "linesign-station", "linesign-signer", "linesign-uploader")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```", re.S | re.M)
HSM = """
[hsm]
module = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "linesign"
pin_file = "pin"
key_label = "device-ca"
"""
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")


def documents():
    return [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
            if path.exists()]


def anchors(text):
    """The anchors that GitHub makes of the headings."""
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", FENCE.sub("", text), re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(plain)
    return found


def broken_links(path):
    text = path.read_text(encoding="utf-8")
    for match in LINK.finditer(FENCE.sub("", text)):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", target):
            continue  # the world outside changes; a build must not depend on it
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        if not other.exists():
            yield f"{path.relative_to(ROOT)}: {target}: no such file"
        elif anchor and other.suffix == ".md" and anchor not in anchors(
                other.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}: {target}: no such heading"


def known_tests():
    names = set()
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix == ".py":
            names |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M))
        elif path.suffix == ".cpp":
            names |= {".".join(found) for found in re.findall(
                r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text(encoding="utf-8"), re.M)}
    stages = re.findall(r"^stage_(\w+)\(\)", (ROOT / "tests/check.sh").read_text(encoding="utf-8"), re.M)
    return names | {f"check.sh {stage}" for stage in stages}


def unshown_lines(path):
    """Lines of a table with the column "shown by" that name no test, or one that is not there. "—"
    stands for a risk that claims nothing."""
    tests = known_tests()
    is_shown = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            is_shown = False
        elif line.endswith("| shown by |"):
            is_shown = True
        elif is_shown and not line.startswith("|---"):
            first, last = line.split("|")[1].strip(), line.split("|")[-2].strip()
            named = re.findall(r"`([^`]+)`", last)
            wrong = [name for name in named if name not in tests]
            if wrong or (not named and last != "—"):
                yield (f"{path.relative_to(ROOT)}: {first[:60]}: "
                       + (f"no such test: {', '.join(wrong)}" if wrong else "no test shows it"))


class Programs:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.known = {}

    def help_of(self, words):
        """The help text of a command path, or None if there is no such command."""
        key = tuple(words)
        if key not in self.known:
            run = subprocess.run([str(self.folder / words[0]), *words[1:], "--help"],
                                 capture_output=True, text=True, timeout=20, check=False)
            self.known[key] = run.stdout if run.returncode == 0 else None
        return self.known[key]


def shown_commands(text):
    for block in FENCE.finditer(text):
        joined = block.group("text").replace("\\\n", " ")
        for line in joined.split("\n"):
            line = re.sub(r"^\s*([$#]\s+)?(sudo (-u \w+ )?)?", "", line)
            yield re.sub(r"\s+#\s.*$", "", line)


def wrong_command(line, programs):
    line = re.split(r"\s(?:\||>|&&|2>)\s?", line)[0]
    if "…" in line or "..." in line or " | " in line:
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words:
        return None
    if words[0] == "bash" and len(words) > 1 and not (ROOT / words[1]).exists():
        return f"{words[1]}: no such script"
    program = words[0].rsplit("/", 1)[-1]
    if program not in PROGRAMS:
        return None
    path = [program]
    for word in words[1:]:
        if not re.fullmatch(r"[a-z][a-z-]*", word) or programs.help_of([*path, word]) is None:
            break
        if programs.help_of([*path, word]) == programs.help_of(path):
            break
        path.append(word)
    text = programs.help_of(path)
    if text is None:
        return f"{' '.join(path)}: no such command"
    everything = text + (programs.help_of([program]) or "")
    for word in words[1:]:
        option = re.match(r"--[a-z][a-z-]*", word)
        if option and not re.search(re.escape(option.group(0)) + r"(?![\w-])", everything):
            return f"{' '.join(path)} has no {option.group(0)}"
    return None


def wrong_configuration(text, programs):
    """What linesign has against a block that shows a part of linesign.toml."""
    if text.startswith("# ceremony.toml"):
        return None  # another file; tests/system holds it to the program
    if not re.search(r"^\[hsm\]", text, re.M):
        text += HSM
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "linesign.toml"
        file.write_text(text, encoding="utf-8")
        run = subprocess.run([str(programs.folder / "linesign"), "--config", str(file), "status"],
                             capture_output=True, text=True, timeout=20, check=False)
    return run.stderr.strip() if "[7" in run.stderr else None


def wrong_json(text):
    try:
        json.loads(text)
    except ValueError as error:
        return str(error)
    return None


def wrong_blocks(text, programs):
    for block in FENCE.finditer(text):
        inside = textwrap.dedent(block.group("text"))
        wrong = None
        if block.group("language") == "toml":
            wrong = wrong_configuration(inside, programs)
        elif block.group("language") == "json":
            wrong = wrong_json(inside)
        if wrong:
            yield inside.strip().split("\n")[0], wrong


def wrong_commands(path, programs):
    text = path.read_text(encoding="utf-8")
    for line in shown_commands(text):
        wrong = wrong_command(line, programs)
        if wrong:
            yield f"{path.relative_to(ROOT)}: {line.strip()}: {wrong}"
    for line, wrong in wrong_blocks(text, programs):
        yield f"{path.relative_to(ROOT)}: the block that begins with {line}: {wrong}"


def main(arguments):
    if arguments[:1] == ["links"]:
        def check(path):
            return [*broken_links(path), *unshown_lines(path)]
    elif arguments[:1] == ["commands"] and len(arguments) == 2:
        programs = Programs(arguments[1])
        missing = [name for name in PROGRAMS if not (programs.folder / name).exists()]
        if missing:
            print(f"not built: {', '.join(missing)}")
            print(f"0 passed, {len(missing)} failed")
            return 1

        def check(path):
            return wrong_commands(path, programs)
    else:
        print(__doc__, file=sys.stderr)
        return 64
    failed = 0
    for path in documents():
        breaches = list(check(path))
        failed += bool(breaches)
        print("\n".join(breaches), end="\n" if breaches else "")
    print(f"{len(documents()) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
