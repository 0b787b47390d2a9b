"""A question to the files of an access log, and how far its answer has come: what every engine works on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runbook_lib.accesslog.files import LogFile, LogSource
from runbook_lib.accesslog.shelf import FileCount, Shelf
from runbook_lib.accesslog.statements import Question
from runbook_lib.accesslog.window import Window


@dataclass(frozen=True)
class Progress:
    """How far a reading has come; seconds are those of this machine.

    `doing` is told of files that somebody else counts together: then none of them is done before all are.
    """

    files: int
    of_files: int
    bytes: int
    of_bytes: int
    seconds: float
    fresh: int = 0  # bytes that were really read: the rest was counted before
    doing: str = ""

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, None while nothing tells."""
        return (self.of_bytes - self.bytes) * self.seconds / self.fresh if self.fresh else None

    def __str__(self) -> str:
        much = f"{self.bytes / 1e6:.1f} of {self.of_bytes / 1e6:.1f} MB"
        if self.doing:
            return f"{self.doing}, {much}, for {self.seconds:.0f} s"
        left = "" if self.left is None else f", {self.left:.0f} s left"
        return f"{self.files} of {self.of_files} files, {much}{left}"


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Counted:
    """What an engine found: Parquet files with rows of the question, and a note of every file that was read."""

    rows: tuple[Path, ...]
    files: tuple[FileCount, ...]


class Reading:
    """A question to the files of a log, and how far its answer has come.  Engines count what nobody counted before."""

    def __init__(
        self,
        question: Question,
        source: LogSource,
        window: Window,
        files: Sequence[LogFile],
        shelf: Shelf,
        tell: Tell | None,
    ) -> None:
        self.question, self.source, self.window, self.files, self.shelf = question, source, window, tuple(files), shelf
        self._counts = {file: shelf.counted(source.place, file, question.name) for file in files}
        self._notes: dict[LogFile, FileCount] = {}
        self._tell, self._began = tell, time.monotonic()
        self._of_bytes, self._bytes, self._fresh = sum(file.size for file in files), 0, 0

    def missing(self) -> list[LogFile]:
        """The files that are still to be read; what is known of the others counts as done."""
        for file, counts in self._counts.items():
            note = self.shelf.find(counts)
            if note is not None:
                self._add(file, note)
        return [file for file in self.files if file not in self._notes]

    def made(self, file: LogFile) -> Path:
        """Where the counts of a file are written first."""
        return self.shelf.work / self._counts[file].name

    def keep(self, file: LogFile, note: FileCount) -> FileCount:
        """Put what was written there in its place, with its note; any thread may."""
        self.shelf.keep(self._counts[file], self.made(file), note)
        return note

    def done(self, file: LogFile, note: FileCount) -> None:
        """One that was missing is counted and kept."""
        self._fresh += file.size
        self._add(file, note)

    def counted(self) -> Counted:
        """All of it, once nothing is missing."""
        return Counted(tuple(self._counts.values()), tuple(self._notes[file] for file in self.files))

    def counted_at_once(self, rows: Path, note: FileCount) -> Counted:
        """All of it, where the files were counted together and elsewhere: no time left follows from it."""
        self._say(len(self.files), self._of_bytes)
        return Counted((rows,), (note,))

    def elsewhere(self, doing: str, size: int, of: int) -> None:
        """How far somebody else has come who counts them together: bytes read, of how many."""
        if self._tell is not None:
            seconds = time.monotonic() - self._began
            self._tell(Progress(0, len(self.files), size, of, seconds, doing=doing))

    def _add(self, file: LogFile, note: FileCount) -> None:
        self._notes[file] = note
        self._bytes += file.size
        self._say(len(self._notes), self._bytes)

    def _say(self, files: int, size: int) -> None:
        if self._tell is not None:
            seconds = time.monotonic() - self._began
            self._tell(Progress(files, len(self.files), size, self._of_bytes, seconds, self._fresh))


class Engine(Protocol):
    """Counts the lines of files; every engine gives the same numbers."""

    def count(self, reading: Reading) -> Counted: ...
