"""60_post_incident, as users run it, on an hour of a busy load balancer's log: a million lines in a hundred files.

A dependency fails for forty minutes of a served sandbox; ten minutes on both sides make the hour.  Its own files of
that hour are replaced by made ones before the notebook runs: what is measured is reading, not the sandbox's writing.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runbook_lib import balancer
from runbook_lib.accesslog import BucketLogs, logs_of
from runbook_lib.runbook import opened
from runbook_lib.runs.world import arguments_for, served_world
from tests.benchmarks.harness import ROOT, Measure
from tests.logs_made import ACCOUNT, ELB, GROUPS, START, Recipe, key, make

NOTEBOOK, PARAMS = ROOT / "notebooks" / "60_post_incident.ipynb", ROOT / "params"
LINES, NODES = 1_000_000, 9  # nine nodes write 108 files an hour
LATER = timedelta(hours=3)  # than the hour that is made: 12:00 to 13:00
FAILS = {"after_minutes": 190, "minutes": 40, "error_rate": 0.08, "latency_factor": 2.0}  # 12:10 to 12:50
WINDOW = ("-p", "since=2026-03-02T11:30", "-p", "until=13:30")


def measure() -> list[Measure]:
    """The whole run, its kernel and its report included."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)  # a folder of its own, so that nothing was counted before
        shutil.copytree(PARAMS, place / "params")
        served = arguments_for("sandbox", [f"sandbox.disturbances=[{json.dumps(FAILS)}]"])
        with served_world(served, log=place / "sandbox.log") as environment:
            run(place, "first", environment)  # it brings the world to where there is something to look back at
            with patch.dict(os.environ, environment):
                files, size, requests = replaced(place / "made")
            began = time.perf_counter()
            kept = run(place, "timed", environment, *WINDOW)
            took = time.perf_counter() - began
        expect(kept, files, requests)
        told = f"{requests:,} requests in {files} files, {size / 1e6:.0f} MB; of it {reading(kept):.1f} s read the log"
        return [Measure("look_back_s", took, 60, "s", told)]


def run(place: Path, name: str, environment: dict[str, str], *settings: str) -> Path:
    """The command that users give; the folder of its evidence."""
    kept = place / "runs" / name
    command = [sys.executable, "-m", "runbook_lib.cli", "run", str(NOTEBOOK)]
    command += ["--output", str(kept), *settings]
    done = subprocess.run(
        command, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return kept


def replaced(folder: Path) -> tuple[int, int, int]:
    """Put made files in the place of the sandbox's own: their number, their bytes, and the requests in them."""
    account, system = opened("sandbox")
    lb = balancer.read_balancer(account, system)
    live = lb.live()
    if lb.arn is None or live is None:
        raise RuntimeError("the world has no load balancer, or nobody is live")
    logs, s3 = logs_of(account, lb.arn), account.client("s3")
    hour = re.compile(rf"_{START + LATER:%Y%m%dT%H}\d\dZ_|_{START + LATER + timedelta(hours=1):%Y%m%dT%H}00Z_")
    for file in [file for file in logs.listed(f"{logs.root}/") if hour.search(file.name)]:
        s3.delete_object(Bucket=logs.bucket, Key=file.name)
    nodes = tuple(f"198.51.100.{20 + node}" for node in range(NODES))
    truth = make(Recipe(seed=1, lines=LINES, packed=False, nodes=nodes), folder, detailed=False)
    ours = partial(as_ours, logs.balancer or "", lb.groups[live].arn)
    with ProcessPoolExecutor(2) as pool:
        for path, packed in zip(truth.files, pool.map(ours, truth.files), strict=True):
            s3.put_object(Bucket=logs.bucket, Key=key_of(logs, path), Body=packed)
    requests = sum(n for (_, group, _), n in truth.histogram.items() if group != "-")
    size = sum(file.size for file in logs.listed(f"{logs.root}/") if hour.search(file.name))
    return len(truth.files), size, requests


def as_ours(name: str, group: str, path: Path) -> bytes:
    """A made file as one of this load balancer, of the later hour, all of its requests of the live target group."""
    text = path.read_bytes().replace(ELB.encode(), name.encode())
    for other in GROUPS:
        text = text.replace(other.encode(), group.encode())
    for hours in (1, 0, -1):  # the latest first: none is moved twice
        old = START + timedelta(hours=hours)
        text = text.replace(f"{old:%Y-%m-%dT%H:}".encode(), f"{old + LATER:%Y-%m-%dT%H:}".encode())
    return gzip.compress(text, 6, mtime=0)


def key_of(logs: BucketLogs, path: Path) -> str:
    """The key of a made file among those of this load balancer."""
    *_, end, node, chance = path.name.removesuffix(".log").split("_")
    at = START.replace(hour=int(end[9:11]), minute=int(end[11:13])) + LATER
    made = key(at, node, chance, balancer=logs.balancer or "")
    return f"{logs.root}/{made.split('/', 4)[4]}".replace(ACCOUNT, logs.account.id)


def expect(kept: Path, files: int, requests: int) -> None:
    """The report is there, and every request of the hour was counted, once."""
    seen: dict[str, Any] = json.loads((kept / "incident.json").read_text(encoding="utf-8"))
    counted = sum(one["requests"] for one in seen["requests"]["served"])
    if counted != requests or (kept / "incident.html").stat().st_size < 10_000:
        raise RuntimeError(
            f"{counted:,} requests of {requests:,} in {files} files were counted: {seen['requests']['said']}"
        )


def reading(kept: Path) -> float:
    """The seconds of the cell that reads, as the verdict of the run has them."""
    cells = json.loads((kept / "verdict.json").read_text(encoding="utf-8"))["cells"]
    return float(max(cell["seconds"] for cell in cells))
