"""How tests wait: for a condition, and how much longer on a machine that is loaded."""

import os
import time


def wait_until(condition, what, timeout=20.0):
    """The first true value of condition(); fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(0.02)


def patience():
    """What a bound of time is multiplied by: 1, and more while others want the processors too."""
    return max(1.0, os.getloadavg()[0] / os.cpu_count())
