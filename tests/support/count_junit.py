#!/usr/bin/python3
"""Prints "N passed, N failed" for a JUnit file of ctest or pytest, and of each test that failed the
name and the end of what it printed: of a machine that is gone, this is all that can be had.

A test that was skipped or did not run has not passed: it counts as failed, unless it needs root and
nobody here is: such a one is named and not counted.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree

LISTED_FAILURES = 3  # what check.sh shows of a log is not endless
LISTED_LINES = 12
LINE_LENGTH = 200


def needs_root(case):
    """Of a test that skipped itself, which says why in its message or its output."""
    said = " ".join(child.get("message", "") + (child.text or "") for child in case)
    return os.geteuid() != 0 and case.find("skipped") is not None and "only root" in said


def print_failure(case):
    print(f"  {case.get('classname', '')} {case.get('name', '')}")
    if LISTED_FAILURES <= print_failure.count:
        return
    print_failure.count += 1
    said = "\n".join(child.get("message", "") + "\n" + (child.text or "") for child in case)
    for line in [line for line in said.splitlines() if line.strip()][-LISTED_LINES:]:
        print(f"    {line[:LINE_LENGTH]}")


print_failure.count = 0


def main(path):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if needs_root(case):
            print(f"  needs root: {case.get('classname', '')} {case.get('name', '')}")
            continue
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if wrong or case.get("status", "run") not in ("run", "passed"):
            failed += 1
            print_failure(case)
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main(sys.argv[1])
