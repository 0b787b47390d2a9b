"""`runbook check`: its start, its own time on a repository, and on a collection of real ones; what it finds there.

The collection lies beside the checkout and is not part of it; without it only the sample repository is measured.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runbook_lib.errors import CheckFailed
from tests import reviewed
from tests.benchmarks.harness import ROOT, Measure, told

SAMPLE = ROOT / "tests" / "cases" / "fix" / "handed_over" / "after"
IMPORTS = "from runbook_lib.cli import check; from runbook_lib.check import Verdict; from runbook_lib.preflight import "
IMPORTS += "exports, fix, reading, report, shown; import tree_sitter_bash, ruamel.yaml, botocore.loaders"
OWN = f"""
import pathlib, sys, time
{IMPORTS}
began = time.process_time()
for folder in sys.argv[1:]:
    shown.tree(report.examine(reading.read_folder(pathlib.Path(folder))))
print(time.process_time() - began)
"""
ROUNDS = 5


def measure() -> list[Measure]:
    """Times are of the processor, medians of fresh processes: neighbours do not count, and nothing is remembered."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "runbook_lib.cli", "check", empty]
        start = statistics.median(_processor(command) for _ in range(ROUNDS))
    measures = [
        Measure("preflight_start", start, 1, "s", "an empty folder, the interpreter included"),
        Measure("preflight_sample", 1000 * _own(SAMPLE), 300, "ms", "the sample repository, after imports"),
    ]
    return [*measures, *_collection()] if reviewed.CORPUS.is_dir() else measures


def _processor(command: Sequence[str]) -> float:
    """Seconds of the processor that a command takes, the system's included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told(command, code=CheckFailed.exit_code)  # there is nothing to ask about
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _own(*folders: Path) -> float:
    command = [sys.executable, "-c", OWN, *map(str, folders)]
    return statistics.median(float(told(command)) for _ in range(ROUNDS if len(folders) == 1 else 1))


def _collection() -> list[Measure]:
    folders = [reviewed.folder(repository) for repository in reviewed.labels()]
    slowest = max(folders, key=_size)
    found = reviewed.judged()
    for repository, one in found.unreviewed:
        print(f"not reviewed: {repository}: {', '.join(one)}")
    for repository, name in found.missed:
        print(f"missed: {repository}: {name}")
    against = f"{found.labelled} labelled, {found.true} reviewed as true, {found.false} as false"
    return [
        Measure("preflight_largest", 1000 * _own(slowest), 300, "ms", f"{slowest.name}, after imports"),
        Measure("preflight_all", _own(*folders), 10, "s", f"{len(folders)} repositories in one process"),
        Measure("preflight_missed", len(found.missed), 0, "labels", f"of {sum(map(len, reviewed.labels().values()))}"),
        Measure("preflight_false_share", 1 - found.share_true, 0.02, "", against),
    ]


def _size(folder: Path) -> int:
    """Bytes of the files that are read."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
