#!/usr/bin/python3
"""Prints "N passed, N failed" for a JUnit file of ctest or pytest, and the names that failed.

A test that was skipped or did not run has not passed: it counts as failed, unless it needs root and
nobody here is: such a one is named and not counted.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def needs_root(case):
    """Of a test that skipped itself, which says why in its message or its output."""
    said = " ".join(child.get("message", "") + (child.text or "") for child in case)
    return os.geteuid() != 0 and case.find("skipped") is not None and "only root" in said


def main(path):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if needs_root(case):
            print(f"  needs root: {case.get('classname', '')} {case.get('name', '')}")
            continue
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if wrong or case.get("status", "run") not in ("run", "passed"):
            failed += 1
            print(f"  {case.get('classname', '')} {case.get('name', '')}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main(sys.argv[1])
