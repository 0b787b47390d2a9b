"""One attempt at a notebook while it runs: its cells, its time limits, and what happens when it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import Any

from runbook_lib.clock import Clock

GRACE = 10.0  # seconds that a kernel gets to end its cell after it was interrupted
STOPS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """The run was told to stop before its next cell."""


@dataclass(frozen=True)
class Limits:
    """Wall-clock limits in seconds: of each cell, and of the whole run."""

    cell: float
    total: float


@dataclass
class Attempt:
    """What is known about a run while it goes on; the hooks of nbclient call it."""

    clock: Clock
    limits: Limits
    began: datetime
    kernel: Any = None  # the kernel manager, None before the start
    stopped_by: int | None = None  # the first signal that told it to stop
    started: dict[int, datetime] = field(default_factory=dict)
    ended: dict[int, datetime] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    def seconds_left(self, cell: Any) -> int:
        """How long the next cell may take: its own limit, or what is left of the whole."""
        left = self.limits.total - (self.clock.now() - self.began).total_seconds()
        return max(1, int(min(self.limits.cell, left)))

    def on_cell_start(self, cell: Any, cell_index: int) -> None:
        """It is the turn of a cell, of any type."""
        if self.stopped_by is not None:
            raise Stopped

    def on_cell_execute(self, cell: Any, cell_index: int) -> None:
        """The kernel is about to be given a code cell."""
        self.started[cell_index] = self.clock.now()

    def on_cell_executed(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """The kernel has answered for a cell."""
        self.ended[cell_index] = self.clock.now()

    def on_cell_error(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """The answer was an error."""
        self.failed.add(cell_index)

    def state(self, cell_index: int) -> str:
        """done, failed, interrupted or not run."""
        if cell_index in self.failed:
            return "failed"
        if cell_index in self.ended:
            return "done"
        return "interrupted" if cell_index in self.started else "not run"

    def seconds(self, cell_index: int) -> float | None:
        """How long a cell took, None when it did not end."""
        if cell_index not in self.ended or cell_index not in self.started:
            return None
        return round((self.ended[cell_index] - self.started[cell_index]).total_seconds(), 3)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Inside, SIGINT and SIGTERM interrupt the running cell, so that the run ends in order."""
        former = {number: signal.signal(number, self._stop) for number in STOPS}
        former[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._kill)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in former.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped_by is not None:
            self._kill(number, frame)
            return
        self.stopped_by = number
        self._signal_kernel(signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        self._signal_kernel(signal.SIGKILL)

    def _signal_kernel(self, number: int) -> None:
        provisioner = self.kernel.provisioner if self.kernel else None
        group = provisioner.pgid if provisioner and provisioner.has_process else None
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
