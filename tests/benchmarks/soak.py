"""Release again and again through the whole pipeline in one world; print what the process holds, a JSON line each time.

python tests/benchmarks/soak.py 200 50    200 releases, looked at after every 50th: resident memory in MiB, and how
                                          large a save of the world is (MiB) and how long it takes (s)
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from runbook_lib import begin, sandbox, step
from runbook_lib.journal import Journal
from runbook_lib.runbook import Runbook
from runbook_lib.sandbox import save
from runbook_lib.sandbox.world import World
from runbook_lib.story import follow, release

MIB = 2**20


def main(releases: int, every: int) -> None:
    """On the virtual clock, with modelled traffic and the parameters of sandbox.yaml: 42 minutes of the world each."""
    with redirect_stdout(sys.stderr):
        run = begin("benchmark", "sandbox", {"sandbox.clock": "virtual"}, world="bluegreen")
    world = _world()
    for number in range(1, releases + 1):
        release_once(run, f"2.{number}.0")
        if number % every == 0:
            print(json.dumps({"release": number, **held(world)}), flush=True)


def release_once(run: Runbook, version: str) -> None:
    """From the commit to the end of the former tasks; what is written down of it is not kept."""
    account, system, journal = run.account, run.system, Journal(run.account.clock)
    applied = step.apply(release.plan_release(account, system, version, {}), account=account, journal=journal)
    started = release.wait_for_deployment(account, system, release.wait_for_run(account, system, applied))
    follow.deployment(account, system, started.id, journal=journal, until=lambda seen: seen.deployment.shifted)
    release.wait_for_end(account, system, started)


def held(world: World) -> dict[str, Any]:
    """What the process and a save hold now."""
    gc.collect()
    memory = resident()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        save.save(world, f"{folder}/world")
        taken, size = time.perf_counter() - began, Path(f"{folder}/world").stat().st_size
    return {"mib": round(memory, 1), "save_mib": round(size / MIB, 2), "save_s": round(taken, 3)}


def resident() -> float:
    """MiB of this process that are in memory."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _world() -> World:
    found = sandbox._embedded
    assert found is not None, "begin() opened the sandbox of this process"
    return found.world


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
