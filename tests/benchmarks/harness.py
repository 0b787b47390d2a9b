"""What every benchmark needs: a measured value with its wanted one, a table, and a stopwatch for commands."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measure:
    """A value, the largest one that is wanted, and what it was compared with."""

    name: str
    value: float
    limit: float
    unit: str
    against: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is what was wanted."""
        return self.value <= self.limit


Benchmark = Callable[[], list[Measure]]


def report(measures: Sequence[Measure]) -> int:
    """Print the table, and last a line `name=value ...`; 1 when a wanted value was missed."""
    rows = [("measure", "value", "wanted", "", "against")]
    rows += [
        (m.name, f"{m.value:.3g} {m.unit}", f"<= {m.limit:g} {m.unit}", "ok" if m.reached else "MISSED", m.against)
        for m in measures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(" ".join(f"{m.name}={m.value:.4g}" for m in measures), flush=True)
    return 0 if all(m.reached for m in measures) else 1


def seconds(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> float:
    """How long a command takes on the wall; raises when it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - began


def told(command: Sequence[str], *, code: int = 0) -> str:
    """What a command prints; raises when it ends with another exit code."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout
