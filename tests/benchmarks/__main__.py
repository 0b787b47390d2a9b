"""`make bench` runs all benchmarks, `make bench NAME=walk` one, `make bench NAME=sandbox.live` a part of one."""

from __future__ import annotations

import sys

from runbook_lib.suggest import did_you_mean
from tests.benchmarks import follow, judge, logs, look_back, preflight, sandbox, walk
from tests.benchmarks.harness import Benchmark, report

BENCHMARKS: dict[str, Benchmark] = {
    "walk": walk.measure,
    "sandbox": sandbox.measure,
    "preflight": preflight.measure,
    "judge": judge.measure,
    "follow": follow.measure,
    "logs": logs.measure,
    "look_back": look_back.measure,
}
PARTS: dict[str, Benchmark] = {**sandbox.PARTS}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 0 when every wanted value was reached, 1 when not, 2 for an unknown name."""
    known = {**PARTS, **BENCHMARKS}
    for name in names:
        if name not in known:
            print(f"bench: no benchmark named {name}; {did_you_mean(name, list(known), otherwise='')}")
            return 2
    return max([report(known[name]()) for name in names or BENCHMARKS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
