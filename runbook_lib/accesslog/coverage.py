"""What an answer rests on: the files that were read, the lines in them, and what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_lib.accesslog.files import LogFile, gaps, thin
from runbook_lib.accesslog.shelf import FileCount, Reject
from runbook_lib.accesslog.statements import REASONS
from runbook_lib.accesslog.window import Window

SAMPLES = 3  # of each reason


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


def coverage_of(
    place: str, window: Window, files: Sequence[LogFile], found: Sequence[FileCount], counted: int
) -> Coverage:
    """What the notes of files say together; `counted` are the good lines of the window."""
    rejected: dict[str, int] = {}
    for one in found:
        for reject in one.rejects:
            rejected[reject.reason] = rejected.get(reject.reason, 0) + reject.n
    return Coverage(
        place=place,
        window=window,
        files=len(files),
        bytes=sum(file.size for file in files),
        lines=sum(one.lines for one in found),
        counted=counted,
        rejects=tuple(_samples(found)),
        rejected=rejected,
        troubled=tuple((one.name.rpartition("/")[2], one.trouble) for one in found if one.trouble),
        gaps=gaps(files, window),
        thin=thin(files, window),
    )


def _samples(found: Iterable[FileCount]) -> Iterator[Reject]:
    """The first few of each reason, by their text: the same ones whatever order the files were read in."""
    shown: dict[str, int] = {}
    every = [reject for one in found for reject in one.rejects]
    for reject in sorted(every, key=lambda reject: (reject.reason, reject.sample)):
        shown[reject.reason] = shown.get(reject.reason, 0) + 1
        if shown[reject.reason] <= SAMPLES:
            yield reject
