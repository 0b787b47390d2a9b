"""Asking a question of an access log: which files, who counts them, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runbook_lib.accesslog import files as names
from runbook_lib.accesslog.damage import Damage, as_damage
from runbook_lib.accesslog.files import LogFile, LogSource
from runbook_lib.accesslog.histogram import Histogram, as_histogram
from runbook_lib.accesslog.merging import merged
from runbook_lib.accesslog.shelf import FileCount, Reject, Shelf, shelf
from runbook_lib.accesslog.statements import HISTOGRAM, Question, damage
from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

if TYPE_CHECKING:
    from datetime import datetime

SAMPLES = 3  # of each reason
MOST_BYTES = 100 << 30  # a day of a very busy service, packed: half an hour on two cores


@dataclass(frozen=True)
class Progress:
    """How far a reading has come; seconds are those of this machine."""

    files: int
    of_files: int
    bytes: int
    of_bytes: int
    seconds: float
    fresh: int = 0  # bytes that were really read: the rest was counted before

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, None while nothing tells."""
        return (self.of_bytes - self.bytes) * self.seconds / self.fresh if self.fresh else None

    def __str__(self) -> str:
        left = "" if self.left is None else f", {self.left:.0f} s left"
        return f"{self.files} of {self.of_files} files, {self.bytes / 1e6:.1f} of {self.of_bytes / 1e6:.1f} MB{left}"


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


@dataclass(frozen=True)
class Coverage:
    """What an answer rests on: files read, lines in them, those rejected and why, and what is not there.

    `outside` are good lines in those files that are not of the window; `troubled` files are named with what is wrong.
    `gaps` are the ends of five-minute intervals of which no file was there: nobody asked, or the file is late or lost.
    Of those in `thin` a node's is not there that had one of the interval before.
    """

    place: str
    window: Window
    files: int
    bytes: int
    lines: int
    counted: int
    rejects: tuple[Reject, ...]  # up to SAMPLES of each reason, each with the number of its lines in a file
    rejected: dict[str, int]  # reason -> lines
    troubled: tuple[tuple[str, str], ...]
    gaps: tuple[datetime, ...]
    thin: tuple[datetime, ...]

    @property
    def outside(self) -> int:
        return self.lines - self.counted - sum(self.rejected.values())

    def sentences(self) -> tuple[str, ...]:
        """What has to be said about it, the first sentence always."""
        from runbook_lib.accesslog.statements import REASONS

        said = [
            f"{self.counted:,} requests from {self.lines:,} lines in {self.files} files ({self.bytes / 1e6:.1f} MB) "
            f"of {self.place}; {self.outside:,} lines are of another time."
        ]
        said += [f"{n:,} lines were not counted: {REASONS[why]}." for why, n in sorted(self.rejected.items())]
        said += [f"{name} is {what}; what could be read of it was counted." for name, what in self.troubled]
        if self.gaps:
            said.append(
                f"Of {len(self.gaps)} five-minute intervals there is no file, the first ends at "
                f"{self.gaps[0]:%Y-%m-%dT%H:%M}Z: nobody asked, or the file is late or lost."
            )
        if self.thin:
            said.append(
                f"Of {len(self.thin)} five-minute intervals a node of the load balancer has no file though it had one "
                f"before, the first ends at {self.thin[0]:%Y-%m-%dT%H:%M}Z: nobody asked it, or it is late or lost."
            )
        return tuple(said)


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
        coverage = _coverage(reading, found.files, int(rows["n"].sum()))
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
        coverage = _coverage(reading, found.files, counted)
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


def _coverage(reading: Reading, found: Sequence[FileCount], counted: int) -> Coverage:
    rejected: dict[str, int] = {}
    for one in found:
        for reject in one.rejects:
            rejected[reject.reason] = rejected.get(reject.reason, 0) + reject.n
    return Coverage(
        place=reading.source.place,
        window=reading.window,
        files=len(reading.files),
        bytes=sum(file.size for file in reading.files),
        lines=sum(one.lines for one in found),
        counted=counted,
        rejects=tuple(_samples(found)),
        rejected=rejected,
        troubled=tuple((one.name.rpartition("/")[2], one.trouble) for one in found if one.trouble),
        gaps=names.gaps(reading.files, reading.window),
        thin=names.thin(reading.files, reading.window),
    )


def _samples(found: Iterable[FileCount]) -> Iterator[Reject]:
    """The first few of each reason, by their text: the same ones whatever order the files were read in."""
    shown: dict[str, int] = {}
    every = [reject for one in found for reject in one.rejects]
    for reject in sorted(every, key=lambda reject: (reject.reason, reject.sample)):
        shown[reject.reason] = shown.get(reject.reason, 0) + 1
        if shown[reject.reason] <= SAMPLES:
            yield reject
