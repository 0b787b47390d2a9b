"""Reads what another program adds to a file, line by line, and keeps the file from growing without end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

MOST = 32 * 1024 * 1024  # bytes, after which the file is begun anew


class Tail:
    """The new lines of a file; `reopen` tells the writer to open it anew after it was moved away."""

    def __init__(self, path: Path, *, reopen: Callable[[], None], most: int = MOST) -> None:
        self.path, self._reopen, self._most = path, reopen, most
        self._old = path.with_name(path.name + ".old")
        self._read = 0
        self._rest = b""
        self._turning = False

    def lines(self) -> list[bytes]:
        """The whole lines that came since the last time."""
        found = self._finish_old() if self._turning else []
        found += self._new(self.path)
        if not self._turning and self._read > self._most:
            self._turn()
        return found

    def _new(self, path: Path) -> list[bytes]:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
            self._read += len(content)
            *lines, self._rest = (self._rest + content).split(b"\n")
            return lines
        return []

    def _turn(self) -> None:
        os.replace(self.path, self._old)
        self._reopen()
        self._turning = True

    def _finish_old(self) -> list[bytes]:
        """The last lines of the file that was moved away, once the writer has gone over to the new one."""
        if not self.path.exists():
            return []
        found = self._new(self._old)
        self._old.unlink()
        self._read, self._rest, self._turning = 0, b"", False
        return found
