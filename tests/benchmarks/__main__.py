"""`make bench` runs all benchmarks, `make bench NAME=walk` one."""

from __future__ import annotations

import sys

from runbook_lib.suggest import did_you_mean
from tests.benchmarks import follow, judge, sandbox, walk
from tests.benchmarks.harness import Benchmark, report

BENCHMARKS: dict[str, Benchmark] = {
    "walk": walk.measure,
    "sandbox": sandbox.measure,
    "judge": judge.measure,
    "follow": follow.measure,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 0 when every wanted value was reached, 1 when not, 2 for an unknown name."""
    for name in names:
        if name not in BENCHMARKS:
            print(f"bench: no benchmark named {name}; {did_you_mean(name, list(BENCHMARKS), otherwise='')}")
            return 2
    return max([report(BENCHMARKS[name]()) for name in names or BENCHMARKS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
