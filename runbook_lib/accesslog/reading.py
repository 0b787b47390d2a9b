"""Asking a question of an access log: which files, who counts them, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runbook_lib.accesslog.coverage import Coverage, coverage_of
from runbook_lib.accesslog.damage import Damage, as_damage
from runbook_lib.accesslog.files import LogFile, LogSource
from runbook_lib.accesslog.histogram import Histogram, as_histogram
from runbook_lib.accesslog.merging import merged
from runbook_lib.accesslog.shelf import FileCount, Shelf, shelf
from runbook_lib.accesslog.statements import HISTOGRAM, Question, damage
from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

if TYPE_CHECKING:
    pass

MOST_BYTES = 100 << 30  # a day of a very busy service, packed: half an hour on two cores


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


def read_access_logs(
    source: LogSource,
    window: Window,
    *,
    engine: Engine | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    most_bytes: int = MOST_BYTES,
) -> Histogram:
    """Every request of the window, by minute, target group, status codes and milliseconds: exact whatever the engine.

    Raises NoAccessLog when there is nothing to read, and BadInput when there is more than `most_bytes`.  With a
    `cache` folder a reading that was interrupted goes on where it was.
    """
    with shelf(cache) as kept:
        reading = _reading(HISTOGRAM, source, window, kept, tell, most_bytes)
        found = _engine(engine).count(reading)
        rows = merged(HISTOGRAM, found.rows, window, kept.work)
        coverage = _coverage(reading, found, int(rows["n"].sum()))
    return as_histogram(rows, window, coverage)


def read_damage(
    source: LogSource,
    window: Window,
    *,
    slow_ms: int,
    engine: Engine | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    most_bytes: int = MOST_BYTES,
) -> Damage:
    """Requests, failures and slow answers of the window by path, client, status, target, node and user agent.

    Slow is an answer of a target after more than `slow_ms` milliseconds.  Raises as read_access_logs does.
    """
    if slow_ms < 0:
        raise BadInput(seen=f"slow_ms {slow_ms}", wanted="milliseconds, 0 or more", next_step="correct it")
    question = damage(slow_ms)
    with shelf(cache) as kept:
        reading = _reading(question, source, window, kept, tell, most_bytes)
        found = _engine(engine).count(reading)
        rows = merged(question, found.rows, window, kept.work)
        # Every request has one status, so those rows hold each once; folded rows are part of the sum.
        counted = int(rows["n"][rows.texts("dimension") == "status"].sum())
        coverage = _coverage(reading, found, counted)
    return as_damage(rows, window, slow_ms, coverage)


def _reading(
    question: Question, source: LogSource, window: Window, kept: Shelf, tell: Tell | None, most_bytes: int
) -> Reading:
    files = source.files(window)
    size = sum(file.size for file in files)
    if size > most_bytes:
        raise BadInput(
            where="the access log",
            seen=f"{len(files)} files with {size / 1e9:.1f} GB in {window}",
            wanted=f"at most {most_bytes / 1e9:.1f} GB",
            next_step="narrow the window, or raise most_bytes; Dask and Athena share the work among machines",
        )
    return Reading(question, source, window, files, kept, tell)


def _engine(named: Engine | None) -> Engine:
    from runbook_lib.accesslog.duck import DuckDB

    return named or DuckDB()


def _coverage(reading: Reading, found: Counted, counted: int) -> Coverage:
    return coverage_of(reading.source.place, reading.window, reading.files, found.files, counted)
