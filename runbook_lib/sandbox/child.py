"""A child process with its own process group, its output, and its end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.front import Ticket

TIMED_OUT = 124  # as timeout(1) reports it
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Exited:
    """Word that a child has ended and that all it wrote was read."""

    child: Child


class Child:
    """A running command; `tell` is called, on another thread, when it has ended."""

    def __init__(
        self,
        id: str,
        command: list[str],
        *,
        directory: str,
        environment: Mapping[str, str],
        timeout: float,
        on_exit: tuple[Any, ...],
        tell: Callable[[Exited], None],
    ) -> None:
        self.id, self.on_exit, self.seconds_left = id, on_exit, timeout
        self.sleeping: Ticket | None = None
        self._exit_code: int | None = None
        self._chunks: list[bytes] = []
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if _libc else None,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._await, args=(tell,), daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._chunks.extend(iter(lambda: os.read(self._process.stdout.fileno(), 65536), b""))  # type: ignore[union-attr]

    def _await(self, tell: Callable[[Exited], None]) -> None:
        self._process.wait()
        self.kill_group()  # what it left in the background would hold its output open
        self._reader.join(5)
        tell(Exited(self))

    def kill_group(self) -> None:
        """End the child and everything that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def time_out(self) -> None:
        """End a child that used up its time on the wall; it is reported with exit code 124."""
        self._exit_code = TIMED_OUT
        self.kill_group()

    @property
    def exit_code(self) -> int:
        return self._process.wait() if self._exit_code is None else self._exit_code

    @property
    def output(self) -> str:
        """What it wrote to its output and its errors, in the order written."""
        return b"".join(self._chunks).decode(errors="replace")


def _die_with_parent() -> None:
    assert _libc is not None
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
