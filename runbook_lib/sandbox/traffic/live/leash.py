"""Processes that end with this one, however it ends.

Each is a process group of its own.  On Linux the kernel ends it with its parent (prctl, PR_SET_PDEATHSIG); a watchman,
a process that waits for this one's end of a pipe, ends whole groups: what a shell started as well, and on macOS too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from runbook_lib.sandbox.child import PR_SET_PDEATHSIG, _libc

WATCHMAN = Path(__file__).with_name("watchman.py")


class Leash:
    """Starts processes and holds them; only the owner of the world may call it, for its thread is their parent.

    A folder goes with them, however this process ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held: dict[int, subprocess.Popen[bytes]] = {}
        self._watchman: subprocess.Popen[bytes] | None = None

    def start(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        stdout: int | IO[Any] = subprocess.DEVNULL,
        stderr: int | IO[Any] | None = subprocess.DEVNULL,  # None: where this process's goes
    ) -> subprocess.Popen[bytes]:
        """Start a command; raises OSError where it cannot be started."""
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self._held[process.pid] = process
        self._tell(f"+{process.pid}\n")
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and all that it started, at once."""
        signal_group(process, signal.SIGKILL)
        process.wait()
        self.let_go(process)

    def let_go(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended, and end what it left behind."""
        if self._held.pop(process.pid, None) is not None:
            signal_group(process, signal.SIGKILL)
            self._tell(f"-{process.pid}\n")

    def close(self) -> None:
        """End everything."""
        for process in list(self._held.values()):
            self.end(process)
        if self._watchman is not None and self._watchman.stdin is not None:
            self._watchman.stdin.close()
            self._watchman.wait()
            self._watchman = None

    def _tell(self, line: str) -> None:
        if self._watchman is None:
            folder = [str(self._folder)] if self._folder else []
            self._watchman = subprocess.Popen(
                [sys.executable, "-S", "-E", str(WATCHMAN), *folder], stdin=subprocess.PIPE, start_new_session=True
            )
        assert self._watchman.stdin is not None  # it is a pipe
        self._watchman.stdin.write(line.encode())
        self._watchman.stdin.flush()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and all that it started; nothing when they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(process.pid, number)


def die_with_parent() -> None:
    """Between fork and exec: end with the thread that started this process, where the system can do that."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
