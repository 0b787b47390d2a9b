"""The sandbox itself: calls against moto, how soon it is ready, memory over 200 releases, and live traffic.

What is live needs the machine for itself: where other programs take the processor, requests are sent and answered late.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.harness import ROOT, Benchmark, Measure, told

CALLS = ROOT / "tests" / "benchmarks" / "calls.py"
REPEATS = 3  # of each side, by turns; the quickest counts, for other programs only make it slower
SERVE = [sys.executable, "-P", "-m", "runbook_lib.sandbox.serving", "--until-closed", "--state"]


RELEASES, WARM = 200, 50  # until the fiftieth, what is bounded by number or age fills up
LIVE_RELEASES, LIVE_REQUESTS = 20, 100_000
HOUR_REQUESTS = 360_000


def measure() -> list[Measure]:
    """The figures that the sandbox promises."""
    return [measured for part in PARTS.values() for measured in part()]


def against_moto() -> list[Measure]:
    """What a call costs, alone and served with a journal, and the time to be ready."""
    return [calls("embedded", "mock", "call_ratio"), calls("served", "server", "served_ratio"), ready()]


def memory() -> list[Measure]:
    """Flat: from release 50 to release 200 the process grows by a tenth at most; and what a save takes then."""
    lines = told([sys.executable, "-m", "tests.benchmarks.soak", str(RELEASES), str(WARM)]).splitlines()
    held = {one["release"]: one for one in map(json.loads, lines)}
    first, last = held[WARM], held[RELEASES]
    each = (last["mib"] - first["mib"]) * 1024 / (RELEASES - WARM)
    grown = f"{first['mib']:.0f} to {last['mib']:.0f} MiB, release {WARM} to {RELEASES}: {each:.0f} KiB each"
    saves = f"{last['save_mib']:.1f} MiB after {RELEASES} releases, {first['save_mib']:.1f} after {WARM}"
    return [
        Measure("memory_growth", 100 * (last["mib"] / first["mib"] - 1), 10, "%", grown),
        Measure("save_s", last["save_s"], 1, "s", saves),
    ]


def live() -> list[Measure]:
    """Releases in a row under load: nobody is hurt."""
    seen = _live("releases")
    what = f"{seen['requests']:,} requests, {seen['releases']} releases of {LIVE_RELEASES}, {seen['seconds']:.0f} s"
    return [
        Measure("live_failed", seen["failed"], 0, "requests", what),
        Measure("live_missing", max(0, LIVE_REQUESTS - seen["requests"]), 0, "requests", f"to {LIVE_REQUESTS:,}"),
        Measure("live_unfinished", LIVE_RELEASES - seen["releases"], 0, "releases", "that did not succeed"),
    ]


def hour() -> list[Measure]:
    """A canary of an hour, every request sent."""
    seen = _live("hour")
    versions = ", ".join(f"{name} {many:,}" for name, many in sorted(seen["versions"].items()))
    return [
        Measure("canary_hour_s", seen["seconds"], 120, "s", f"{seen['requests']:,} requests: {versions}"),
        Measure("canary_failed", seen["failed"], 0, "requests", f"{seen['ending']}"),
        Measure("canary_missing", max(0, HOUR_REQUESTS - seen["requests"]), 0, "requests", f"to {HOUR_REQUESTS:,}"),
        Measure("canary_uncounted", abs(seen["requests"] - seen["counted"]), 0, "requests", "in CloudWatch"),
    ]


def latency() -> list[Measure]:
    """What the load balancer adds at 200 requests a second."""
    seen = _live("latency")
    return [
        Measure(
            f"added_{name}_ms",
            seen[f"balanced_{name}"] - seen[f"direct_{name}"],
            limit,
            "ms",
            f"{seen[f'balanced_{name}']} ms over {seen[f'direct_{name}']} ms direct",
        )
        # Measured of traefik alone on a quiet machine: 1.0 and 1.2 ms.
        for name, limit in (("p50", 3), ("p99", 10))
    ]


def _live(what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told([sys.executable, "-m", "tests.benchmarks.live", what]).splitlines()[-1])
    return found


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


# Each runs alone as well: make bench NAME=sandbox.memory
PARTS: dict[str, Benchmark] = {
    "sandbox.calls": against_moto,
    "sandbox.memory": memory,
    "sandbox.live": live,
    "sandbox.hour": hour,
    "sandbox.latency": latency,
}
