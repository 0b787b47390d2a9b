"""What an access log says of requests, by minute, target group and millisecond: exact, and merged by addition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog.window import Window

if TYPE_CHECKING:
    import numpy

    from runbook_lib.accesslog.coverage import Coverage
    from runbook_lib.accesslog.merging import Rows

NO_GROUP = "-"  # a redirect, a fixed answer or a malformed request: no target group was chosen


@dataclass(frozen=True)
class Minute:
    """A minute of a target group: counts are requests, percentiles milliseconds of the target (None: no answer).

    `elb_5xx` are answers that the load balancer made itself, `target_5xx` those of the application; `slow` are answers
    of a target after more milliseconds than were asked for.
    """

    at: datetime
    group: str
    requests: int
    elb_5xx: int
    target_5xx: int
    slow: int
    p50: float | None
    p95: float | None
    p99: float | None

    @property
    def failed(self) -> int:
        return self.elb_5xx + self.target_5xx


@dataclass(frozen=True)
class Histogram:
    """Counted requests as columns of one length, sorted by minute, group, status codes and milliseconds.

    `minute` is minutes since the epoch (UTC), `group` a place in `groups` (ARNs, or NO_GROUP), `status` what the client
    got (0: nothing), `answered` what the target said (0: it did not), `ms` the target's milliseconds (-1: no answer),
    `n` requests.
    """

    groups: tuple[str, ...]
    minute: numpy.ndarray
    group: numpy.ndarray
    status: numpy.ndarray
    answered: numpy.ndarray
    ms: numpy.ndarray
    n: numpy.ndarray
    window: Window
    coverage: Coverage

    @property
    def requests(self) -> int:
        return int(self.n.sum())

    @property
    def elb_5xx(self) -> int:
        """Requests that the load balancer answered with a 5xx of its own: no target said so."""
        return int(self.n[self._elb()].sum())

    @property
    def target_5xx(self) -> int:
        """Requests that a target answered with a 5xx."""
        return int(self.n[self.answered >= 500].sum())

    @property
    def gone(self) -> int:
        """Requests whose client went away before the answer (460)."""
        return int(self.n[self.status == 460].sum())

    def slow(self, limit_ms: int) -> int:
        """Requests that a target answered after more than that many milliseconds."""
        return int(self.n[self.ms > limit_ms].sum())

    def percentile(self, percent: float) -> float | None:
        """Of the targets' milliseconds, interpolated as numpy.percentile does on every single one; None without any."""
        answered = self.ms >= 0
        return percentile(self.ms[answered], self.n[answered], percent)

    def only(self, groups: Iterable[str], *, lost: bool = False) -> Histogram:
        """The requests of these target groups (ARNs): of one of the services behind the load balancer.

        What has no target group is nobody's in particular, and is left out unless NO_GROUP is named; `lost` takes what
        the load balancer answered with a 5xx of it: where it serves nobody else, those are failures of the service.
        """

        wanted = set(groups)
        chosen = self._of(wanted)
        return self._where(chosen | (self._of({NO_GROUP}) & self._elb()) if lost else chosen)

    def between(self, start: datetime, end: datetime) -> Histogram:
        """The requests of these minutes, the last exclusive."""
        narrower = Window(start, end)
        first, behind = (int(at.timestamp()) // 60 for at in (narrower.start, narrower.end))
        return replace(self._where((self.minute >= first) & (self.minute < behind)), window=narrower)

    def minutes(self, *, slow_ms: int) -> tuple[Minute, ...]:
        """Every minute and group that had a request, oldest first."""
        import numpy

        if not len(self.n):
            return ()
        change = (numpy.diff(self.minute) != 0) | (numpy.diff(self.group) != 0)
        starts = [0, *(numpy.flatnonzero(change) + 1).tolist(), len(self.n)]
        return tuple(self._slice(first, behind)._minute(slow_ms) for first, behind in pairwise(starts))

    def _minute(self, slow_ms: int) -> Minute:
        return Minute(
            at=datetime.fromtimestamp(int(self.minute[0]) * 60, UTC),
            group=self.groups[int(self.group[0])],
            requests=self.requests,
            elb_5xx=self.elb_5xx,
            target_5xx=self.target_5xx,
            slow=self.slow(slow_ms),
            p50=self.percentile(50),
            p95=self.percentile(95),
            p99=self.percentile(99),
        )

    def _of(self, groups: set[str]) -> Any:
        import numpy

        return numpy.array([name in groups for name in self.groups], dtype=bool)[self.group]

    def _elb(self) -> Any:
        return (self.status >= 500) & (self.answered < 500)

    def _where(self, chosen: Any) -> Histogram:
        return replace(self, **{name: getattr(self, name)[chosen] for name in COLUMNS})

    def _slice(self, first: int, behind: int) -> Histogram:
        return self._where(slice(first, behind))


COLUMNS = ("minute", "group", "status", "answered", "ms", "n")


def as_histogram(rows: Rows, window: Window, coverage: Coverage) -> Histogram:
    """The merged rows of the question as a histogram."""
    numbers = {name: rows[name] for name in ("status", "answered", "ms", "n")}
    return Histogram(rows.names["grp"], rows.minutes(), rows["grp"], **numbers, window=window, coverage=coverage)


def percentile(values: Any, counts: Any, percent: float) -> float | None:
    """The percentile of values that occur that often, linear between neighbours; None for no values.

    The same arithmetic as numpy's, so that the result is the same to the last bit (numpy, _lerp).
    """
    import numpy

    if not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent} is not between 0 and 100")
    total = int(counts.sum())
    if total == 0:
        return None
    order = numpy.argsort(values, kind="stable")
    values, behind = values[order], numpy.cumsum(counts[order])
    place = percent / 100 * (total - 1)
    below = int(place)
    share = place - below
    low, high = (
        float(values[numpy.searchsorted(behind, at, side="right")]) for at in (below, min(below + 1, total - 1))
    )
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
