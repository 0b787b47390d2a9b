"""Access logs: against gzip -dc, pandas and aws-log-parser, each run by turns with ours over the same files.

The ten million lines need some 8 GB of the temporary folder; RUNBOOK_BENCH_LOGS names a folder in which the files are
kept for the next time, RUNBOOK_BENCH_LINES another number than ten million.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import ROOT, Measure, told
from tests.benchmarks.logs_read import files
from tests.logs_made import Recipe, make

MILLION = 1_000_000
REPEATS = 3  # of each side at a million lines, by turns; the quickest counts, for other programs only make it slower
SHARDS = 10  # folders of the large log, made by two processes


@dataclass(frozen=True)
class Cost:
    """What reading a folder cost."""

    cpu: float
    wall: float
    memory: float = 0.0
    requests: int = 0
    checksum: float = 0.0


def measure() -> list[Measure]:
    """The figures that reading access logs promises."""
    many = int(os.environ.get("RUNBOOK_BENCH_LINES", 10 * MILLION))
    kept = os.environ.get("RUNBOOK_BENCH_LOGS")
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        place = Path(kept or scratch)
        small, large = (log(place / f"{lines}", lines) for lines in (MILLION, many))
        plain = unpacked(small, place / f"{MILLION}-plain")
        found = [*against_gzip(small, large), *against_peers(plain), *large_plain(large, place, many)]
        return [*found, shared(small, large)]


def against_gzip(small: Path, large: Path) -> list[Measure]:
    """CPU, wall and memory over packed files."""
    rounds = [(gzip(small), ours(small)) for _ in range(REPEATS)]
    theirs, own = (least([each[side] for each in rounds]) for side in (0, 1))
    many_gzip, many = gzip(large), ours(large)
    for one, lines in ((own, MILLION), (many, many.requests)):
        if one.requests != lines or not one.checksum:
            raise RuntimeError(f"{one.requests} requests were found of {lines}")
    return [
        Measure("gz_cpu_1m", own.cpu / theirs.cpu, 1.0, "x", f"gzip -dc: {own.cpu:.2f} over {theirs.cpu:.2f} s"),
        Measure("gz_wall_1m", own.wall / theirs.wall, 0.6, "x", f"gzip -dc: {own.wall:.2f} over {theirs.wall:.2f} s"),
        Measure("gz_cpu_many", many.cpu / many_gzip.cpu, 1.0, "x", f"{many.requests:,} lines: {many.cpu:.1f} s"),
        Measure("gz_wall_many", many.wall / many_gzip.wall, 0.6, "x", f"{many.wall:.1f} over {many_gzip.wall:.1f} s"),
        Measure("memory_growth", many.memory / own.memory, 1.1, "x", f"{many.memory:.0f} over {own.memory:.0f} MiB"),
        Measure("memory_mib", many.memory, 256, "MiB", "the largest, imports included"),
    ]


def against_peers(plain: Path) -> list[Measure]:
    """CPU a line over plain files, as a share of what the peer needs."""
    rounds = [(ours(plain), read("pandas", plain)) for _ in range(REPEATS)]
    own, pandas = (least([each[side] for each in rounds]) for side in (0, 1))
    if own.requests != pandas.requests or abs(own.checksum - pandas.checksum) > 1e-6:
        raise RuntimeError(f"pandas finds {pandas.requests}, {pandas.checksum}; we {own.requests}, {own.checksum}")
    parser = read("parser", plain)
    ours_a_line, parser_a_line = own.cpu / own.requests * 1e6, parser.cpu / parser.requests * 1e6
    return [
        Measure("pandas", own.cpu / pandas.cpu, 1 / 1.8, "x", f"read_csv: {pandas.cpu / own.cpu:.1f} times ours"),
        Measure(
            "aws_log_parser",
            ours_a_line / parser_a_line,
            1 / 40,
            "x",
            f"{parser_a_line / ours_a_line:.0f} times ours, over {parser.requests:,} lines",
        ),
    ]


def large_plain(large: Path, place: Path, lines: int) -> list[Measure]:
    """The large log, plain: its memory too."""
    found = ours(unpacked(large, place / f"{lines}-plain"))
    return [Measure("plain_memory_mib", found.memory, 256, "MiB", f"{found.cpu / lines * 1e6:.2f} us of CPU a line")]


def shared(small: Path, large: Path) -> Measure:
    """Two workers against one process with one thread: over the large log, which is what a cluster is for."""
    (few_two, few_one), (two, one) = (_shared(folder) for folder in (small, large))
    few = f"{few_one.wall / few_two.wall:.2f} over {MILLION:,}"
    told = f"{one.wall / two.wall:.2f} times as fast as one process, {few}"
    return Measure("dask_2", two.wall / one.wall, 1 / 1.7, "x", told)


def _shared(folder: Path) -> tuple[Cost, Cost]:
    rounds = [(read("dask", folder, 2), read("ours", folder, 1)) for _ in range(REPEATS)]
    two, one = (least([each[side] for each in rounds]) for side in (0, 1))
    if (two.requests, two.checksum) != (one.requests, one.checksum):
        raise RuntimeError(f"two workers find {two}, one process {one}")
    return two, one


def ours(folder: Path) -> Cost:
    return read("ours", folder, 2)


def read(way: str, folder: Path, number: int = 2) -> Cost:
    """What one way of reading cost, in a process of its own."""
    out = told([sys.executable, "-m", "tests.benchmarks.logs_read", way, str(folder), str(number)])
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return Cost(**found)


def gzip(folder: Path) -> Cost:
    """What it costs to unpack the files, and nothing else."""
    before, began = _children(), time.perf_counter()
    subprocess.run(["gzip", "-dc", *map(str, files(folder))], stdout=subprocess.DEVNULL, cwd=ROOT, check=True)
    return Cost(_children() - before, time.perf_counter() - began)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def least(costs: Sequence[Cost]) -> Cost:
    """The quickest of each figure, the largest memory."""
    return Cost(
        min(cost.cpu for cost in costs),
        min(cost.wall for cost in costs),
        max(cost.memory for cost in costs),
        costs[0].requests,
        costs[0].checksum,
    )


def log(folder: Path, lines: int) -> Path:
    """A log of so many lines of an hour, made unless it is there."""
    shards = SHARDS if lines > MILLION else 1
    wanted = [(folder / f"{shard}", lines // shards, shard) for shard in range(shards)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_shard, wanted))
    return folder


def _shard(wanted: tuple[Path, int, int]) -> None:
    folder, lines, seed = wanted
    if not (folder / "done").exists():
        make(Recipe(seed=seed, lines=lines), folder, detailed=False)
        (folder / "done").touch()


def unpacked(packed: Path, folder: Path) -> Path:
    """The same files, plain, made unless they are there."""
    for path in files(packed):
        plain = folder / path.relative_to(packed).with_suffix("")
        if not plain.exists():
            plain.parent.mkdir(parents=True, exist_ok=True)
            with plain.with_suffix(".part").open("wb") as out:
                subprocess.run(["gzip", "-dc", str(path)], stdout=out, check=True)
            plain.with_suffix(".part").rename(plain)
    return folder
