"""The whole walk: `make demo`, an hour in the sandbox, nbval, and the memory of a kernel."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from runbook_lib.runs import notebook
from runbook_lib.runs.walk import DEMO
from runbook_lib.yamlfile import read
from tests.benchmarks.harness import ROOT, Measure, seconds, told

REPEATS = 3  # of what is compared; the quickest counts, for other programs only make it slower
# papermill without the grammar package that JupyterLab brings: as quick as it is in an environment of its own.
PAPERMILL = "import sys; sys.modules['rfc3987_syntax'] = None; from papermill.__main__ import papermill; papermill()"
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-n", "2", "--dist", "loadfile", "-q"]
NBVAL += ["-p", "tests.lean", "--nbval-sanitize-with", "tests/notebooks/sanitize.cfg"]
FORKED = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "runbook-fork"}
HOUR = ROOT / "tests" / "benchmarks" / "hour.py"
MEMORY = ROOT / "tests" / "benchmarks" / "memory.py"


def measure() -> list[Measure]:
    """The figures that the walk promises."""
    return [demo(), *hour(), nbval(), memory()]


def demo() -> Measure:
    """The walk against the same number of empty notebooks, each by the bare papermill command."""
    with tempfile.TemporaryDirectory() as folder:
        empty = write_empty(Path(folder) / "empty.ipynb", cells=0)
        bare = [sys.executable, "-c", PAPERMILL, "--no-progress-bar", str(empty), str(Path(folder) / "out.ipynb")]
        stages = len(read(DEMO).value["stages"])
        walks, papermills = [], []
        for number in range(REPEATS):
            walks.append(seconds([sys.executable, "-m", "runbook_lib.cli", "demo", "--output", f"{folder}/{number}"]))
            papermills.append(sum(seconds(bare) for _ in range(stages)))
    return ratio("walk_ratio", min(walks), min(papermills), 3, f"{stages} empty notebooks by papermill")


def hour() -> list[Measure]:
    """An hour of a linear deployment on the virtual clock, with and without traffic."""
    busy, idle = (min(played(rate) for _ in range(REPEATS)) for rate in (1000, 0))
    return [
        Measure("hour_s", busy, 2, "s", "1 h, 1,000 requests/s"),
        Measure("control_plane_s", idle, 0.1, "s", "1 h, no traffic"),
    ]


def played(rate: int) -> float:
    """Seconds of the wall for that hour."""
    return float(told([sys.executable, str(HOUR), str(rate)]))


def nbval() -> Measure:
    """All notebooks under nbval against as many with one empty cell, both on two workers with forked kernels."""
    found = sorted(notebook.folder().glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        empty = [write_empty(Path(folder) / path.name, cells=1) for path in found]
        ours, theirs = (
            min(
                seconds([sys.executable, "-m", "pytest", *NBVAL, *map(str, these)], environment=FORKED)
                for _ in range(2)
            )
            for these in (found, empty)
        )
    return ratio("nbval_ratio", ours, theirs, 3, f"{len(found)} empty notebooks under nbval")


def memory() -> Measure:
    """The largest memory of a kernel that plays a release with the sandbox inside."""
    return Measure("kernel_mib", float(told([sys.executable, str(MEMORY)])), 500, "MiB", "30_release, run alone")


def ratio(name: str, ours: float, theirs: float, limit: float, against: str) -> Measure:
    """Our seconds over theirs."""
    return Measure(name, ours / theirs, limit, "x", f"{against}: {ours:.1f} s over {theirs:.1f} s")


def write_empty(path: Path, *, cells: int) -> Path:
    """A notebook with nothing to do."""
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "outputs": [], "source": "pass"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": [cell] * cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path
