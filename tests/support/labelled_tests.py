#!/usr/bin/python3
"""Prints the test programs that carry a label in a CMakeLists.txt below tests/.

  labelled_tests.py LABEL
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main(label):
    for path in sorted((ROOT / "tests").rglob("CMakeLists.txt")):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        for name, body in re.findall(r"linesign_test\(\s*(\S+)([^)]*)\)", text):
            labels = re.search(r"\bLABELS\b(.*)$", body, re.S)
            if labels and label in labels.group(1).split():
                print(name)


if __name__ == "__main__":
    main(sys.argv[1])
