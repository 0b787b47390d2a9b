"""The files of an access log: what their names tell, and which of them a window needs.

Source: ELB user guide, load-balancer-access-logs: the key of a file, one file a node every five minutes, whose name
tells the end of the interval in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput

INTERVAL = timedelta(minutes=5)
# A request that ended just before its file did may stand in the next one.  AWS does not say how far that goes.
SLACK = timedelta(minutes=5)
TEST_FILE = "ELBAccessLogTestFile"  # written when the log is turned on; it holds no request
NAME = re.compile(
    r"(?P<account>\d{12})_elasticloadbalancing_(?P<region>[a-z0-9-]+)_(?P<balancer>(?:app|net)\.[^_]+)"
    r"_(?P<end>\d{8}T\d{4})Z_(?P<node>[0-9a-fA-F.:]+)_[^/]*\.log(?:\.gz)?$"
)


class NoAccessLog(BadInput):
    """There is no access log to read: not written, not there, not allowed, or not of this time.

    Whoever can go on without one catches this and says that it is missing.
    """


@dataclass(frozen=True)
class LogFile:
    """A file: where it is (a path, or the key of an object), its bytes, and what changes when its content does.

    `end`, `node` and `balancer` (app.name.id) are None where the name is not one of AWS's.
    """

    name: str
    size: int
    tag: str
    end: datetime | None = None
    node: str | None = None
    balancer: str | None = None

    @property
    def packed(self) -> bool:
        return self.name.endswith(".gz")


class Opener(Protocol):
    """Brings a file to this machine; can be sent to another process."""

    def fetch(self, file: LogFile, folder: Path) -> Path:
        """Where the file lies now: below `folder` when it had to be brought there."""
        ...


class LogSource(Protocol):
    """Where logs lie; `place` names it for people and for the cache."""

    @property
    def place(self) -> str: ...

    def files(self, window: Window) -> tuple[LogFile, ...]:
        """The files that may hold lines of the window, in the order of their names; raises NoAccessLog for none."""
        ...

    def opener(self) -> Opener:
        """Opens the files in this process."""
        ...

    def remote(self) -> Opener:
        """Opens the files in other processes, perhaps on other machines."""
        ...


def named(name: str, size: int, tag: str) -> LogFile:
    """A file with what its name tells."""
    found = NAME.search(name)
    if found is None:
        return LogFile(name, size, tag)
    end = datetime.strptime(found["end"], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    return LogFile(name, size, tag, end, found["node"], found["balancer"])


def needed(files: Iterable[LogFile], window: Window, balancer: str | None = None) -> tuple[LogFile, ...]:
    """The files that the window needs, of one load balancer (app/name/id) where one is named.

    A file whose name tells nothing is needed: its lines tell their own times.
    """
    first, last = ends(window)
    dotted = balancer.replace("/", ".") if balancer else None
    kept = (
        file
        for file in files
        if (file.end is None or first <= file.end <= last) and (dotted is None or file.balancer in (None, dotted))
    )
    return tuple(sorted(kept, key=lambda file: file.name))


def ends(window: Window) -> tuple[datetime, datetime]:
    """Between which ends of intervals the files of a window lie, both inclusive."""
    return window.start - SLACK, window.end + INTERVAL + SLACK


def days(window: Window) -> tuple[str, ...]:
    """The folders of days that hold those files: yyyy/mm/dd."""
    first, last = ends(window)
    count = (last.date() - first.date()).days + 1
    return tuple(f"{first + timedelta(days=number):%Y/%m/%d}" for number in range(count))


def thin(files: Iterable[LogFile], window: Window) -> tuple[datetime, ...]:
    """The ends of the intervals of which a node has no file though it wrote one of the interval before.

    It may have had no request or have been taken away, or the file is late or lost.
    """
    nodes: dict[datetime, set[str]] = {}
    for file in files:
        if file.end is not None and file.node is not None:
            nodes.setdefault(file.end, set()).add(file.node)
    within = (end for end in sorted(nodes) if window.start < end < window.end + INTERVAL)
    return tuple(end for end in within if nodes.get(end - INTERVAL, set()) - nodes[end])


def gaps(files: Iterable[LogFile], window: Window) -> tuple[datetime, ...]:
    """The ends of the five-minute intervals inside the window of which there is no file.

    Nobody may have asked anything then, or the file is late or lost: delivery is best effort.
    """
    have = {file.end for file in files if file.end is not None}
    if not have:
        return ()
    seconds = int(INTERVAL.total_seconds())
    end = datetime.fromtimestamp((int(window.start.timestamp()) // seconds + 1) * seconds, UTC)
    missing = []
    while end - INTERVAL < window.end:
        if end not in have:
            missing.append(end)
        end += INTERVAL
    return tuple(missing)
