#!/usr/bin/python3
"""Prints "N passed, N failed" for a JUnit file of ctest or pytest, and the names that failed.

A test that was skipped or did not run has not passed: it counts as failed.
"""

import sys
import xml.etree.ElementTree as ElementTree


def main(path):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if wrong or case.get("status", "run") not in ("run", "passed"):
            failed += 1
            print(f"  {case.get('classname', '')} {case.get('name', '')}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main(sys.argv[1])
