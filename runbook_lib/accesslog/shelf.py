"""Where the counts of each file are kept, so that a reading that was interrupted goes on and a second one is quick.

Two files for each file of the log and question: the counts in Parquet, and a note in JSON, which is written last.
Their names are made from the place, the name, the size and the etag or time of the file: another content, other names.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from runbook_lib.accesslog.files import LogFile


@dataclass(frozen=True)
class Reject:
    """Lines that were not counted: why (a key of statements.REASONS), how many, and one of them, cut to 500 characters.

    A sample holds what a client sent: its address, perhaps a secret in a URL.
    """

    reason: str
    n: int
    sample: str


@dataclass(frozen=True)
class FileCount:
    """What came of one file: its lines, those rejected among them, and what is wrong with it (None: nothing)."""

    name: str
    lines: int
    rejects: tuple[Reject, ...] = ()
    trouble: str | None = None

    @property
    def rejected(self) -> int:
        return sum(reject.n for reject in self.rejects)


@dataclass(frozen=True)
class Shelf:
    """A folder of counts, and a folder for what is only needed while reading."""

    counts: Path
    work: Path

    def counted(self, place: str, file: LogFile, question: str) -> Path:
        """Where the counts of a file lie or will lie, whoever counted it."""
        told = "\n".join((question, place, file.name, str(file.size), file.tag))
        return self.counts / f"{sha256(told.encode()).hexdigest()[:32]}.parquet"

    def find(self, counts: Path) -> FileCount | None:
        """The note of counts that are complete; None where there is none, or it cannot be read."""
        try:
            told = json.loads(_note(counts).read_text(encoding="utf-8"))
            rejects = tuple(Reject(**reject) for reject in told.pop("rejects"))
            found = FileCount(**told, rejects=rejects)
        except (FileNotFoundError, ValueError, TypeError, KeyError):  # a note of another version is none
            return None
        return found if counts.exists() else None

    def keep(self, counts: Path, made: Path, count: FileCount) -> None:
        """Put counts in their place, and the note behind them: a kill in between leaves no note."""
        os.replace(made, counts)
        waiting = made.with_suffix(".note")
        waiting.write_text(json.dumps(asdict(count), ensure_ascii=False), encoding="utf-8")
        os.replace(waiting, _note(counts))


def _note(counts: Path) -> Path:
    return counts.with_suffix(".json")


@contextmanager
def shelf(cache: Path | None) -> Iterator[Shelf]:
    """A shelf in that folder, which is made; without one it lives as long as the reading."""
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    # Beside the counts, so that they are moved and not copied.
    work = Path(tempfile.mkdtemp(prefix="reading-", dir=cache))
    try:
        yield Shelf(cache or work, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
