"""The sandbox itself: what a call costs against moto, alone and served with its journal, and how soon it is ready."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

from tests.benchmarks.harness import ROOT, Measure, told

CALLS = ROOT / "tests" / "benchmarks" / "calls.py"
REPEATS = 3  # of each side, by turns; the quickest counts, for other programs only make it slower
SERVE = [sys.executable, "-P", "-m", "runbook_lib.sandbox.serving", "--until-closed", "--state"]


def measure() -> list[Measure]:
    """The figures that the sandbox promises."""
    return [calls("embedded", "mock", "call_ratio"), calls("served", "server", "served_ratio"), ready()]


def calls(ours: str, theirs: str, name: str) -> Measure:
    """Milliseconds a call on both sides."""
    if theirs == "server" and find_spec("flask") is None:
        raise RuntimeError("seen: no flask; wanted: moto[server], to compare with; next: pip install flask flask-cors")
    rounds = [[float(told([sys.executable, str(CALLS), side])) for side in (ours, theirs)] for _ in range(REPEATS)]
    first, second = (min(each) for each in zip(*rounds, strict=True))
    return Measure(name, first / second, 1.5, "x", f"moto, {theirs}: {first:.2f} ms over {second:.2f} ms a call")


def ready() -> Measure:
    """Seconds from the start of a server to the line with its address, with a new world in a state file."""
    return Measure("ready_s", min(_start() for _ in range(REPEATS)), 1.5, "s", "start to address, journal included")


def _start() -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with subprocess.Popen(
            [*SERVE, f"{folder}/state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            line = server.stdout.readline()
            taken = time.perf_counter() - began
            server.stdin.close()
            server.wait(30)
    if "url" not in line:
        raise RuntimeError("the server did not come up; its message stands above")
    return taken
