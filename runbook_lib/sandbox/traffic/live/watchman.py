"""Ends process groups when the one who named them is gone: reads `+PID` and `-PID` lines until its input ends.

A folder that it was told as its argument goes with them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def watch(lines: object) -> set[int]:
    """The groups that are left when the input ends."""
    left: set[int] = set()
    for line in lines:  # type: ignore[attr-defined]
        change, pid = line[0], int(line[1:])
        (left.add if change == "+" else left.discard)(pid)
    return left


if __name__ == "__main__":
    for group in watch(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)
