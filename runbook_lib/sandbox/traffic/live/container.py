"""A container that is a process: told its port, read line by line, asked to end and then made to."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.traffic.live import walltime
from runbook_lib.sandbox.traffic.live.image import Start
from runbook_lib.sandbox.traffic.live.leash import Leash, signal_group

LONGEST_LINE = 16 * 1024  # bytes; awslogs splits longer lines (Docker, dual logging: 16 KiB)


@dataclass(frozen=True)
class Line:
    """A line of a container's output, with the wall's time."""

    task: str  # ARN
    container: str
    at: float
    text: str


@dataclass(frozen=True)
class Exit:
    """Word that a container's process has ended and all it wrote was read; the code is docker's."""

    task: str  # ARN
    container: str
    code: int


News = Line | Exit
Inbox = queue.SimpleQueue[News]


class Container:
    """A running container of a task."""

    def __init__(self, leash: Leash, start: Start, *, task: str, name: str, tell: Callable[[News], None]) -> None:
        self.task, self.name, self._leash, self._tell = task, name, leash, tell
        self._process = leash.start(
            start.command,
            directory=start.directory,
            environment=start.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._killer: threading.Timer | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._await, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process, and the process group of all that it starts."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def _read(self) -> None:
        output: Any = self._process.stdout
        for line in iter(lambda: output.readline(LONGEST_LINE), b""):
            self._tell(Line(self.task, self.name, walltime.now(), line.decode(errors="replace").rstrip("\n")))

    def _await(self) -> None:
        code = self._process.wait()
        signal_group(self._process, signal.SIGKILL)  # what it left in the background would hold its output open
        self._reader.join(5)
        self._tell(Exit(self.task, self.name, code if code >= 0 else 128 - code))

    def stop(self, *, patience: float) -> None:
        """SIGTERM, and SIGKILL to its whole group after so many seconds of the wall (ECS: stopTimeout)."""
        if self._killer is None:
            self._process.send_signal(signal.SIGTERM)
            self._killer = threading.Timer(patience, signal_group, (self._process, signal.SIGKILL))
            self._killer.daemon = True
            self._killer.start()

    def kill(self) -> None:
        """End it at once."""
        signal_group(self._process, signal.SIGKILL)

    def buried(self) -> None:
        """It has ended: what it left behind goes too."""
        if self._killer is not None:
            self._killer.cancel()
        self._leash.let_go(self._process)
