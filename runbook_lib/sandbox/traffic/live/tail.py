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
        self._turning = self._turned = False

    def lines(self) -> list[bytes]:
        """The whole lines that came since the last time."""
        found = self._finish_old() if self._turning else []
        found += [] if self._turning else self._new(self.path)
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
        """The lines of the file that was moved away.

        The writer makes the new one first and goes over to it then: what it wrote in between is read the next time,
        and only then the old one is let go.
        """
        over, self._turned = self._turned, self.path.exists()
        found = self._new(self._old)
        if over:
            self._old.unlink()
            self._read, self._rest, self._turning, self._turned = 0, b"", False, False
        return found
