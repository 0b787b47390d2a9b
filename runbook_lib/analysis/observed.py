"""What was seen of a release: single requests or closed minutes of both colours, their source, and the weights.

Blue is the former version and green the new one, whichever target group each uses: they swap at every release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from runbook_lib.errors import BadInput
from runbook_lib.metric import Minute

Role = Literal["blue", "green"]
ANSWERED_BADLY = 500  # an answer from this status on is a failed request; below it the client is to blame


@dataclass(frozen=True)
class Source:
    """Where figures come from: how late they come, and how long a bin of them is.

    `lag_seconds` is the time from the end of a bin until it can be read; `bin_seconds` is 0 where every request has its
    own time.
    """

    name: str
    lag_seconds: float
    bin_seconds: float


# Own probes are known at once. Points of the load balancer come 1 to 3 minutes after the minute (reported, not promised
# by AWS). Its access logs are files of five minutes, "eventual and best effort", seen about five minutes late.
PROBES = Source("own probes", 0, 0)
METRICS = Source("metrics of the load balancer", 180, 60)
LOGS = Source("access logs", 600, 0)


@dataclass(frozen=True)
class Event:
    """One request: when it was answered, by which colour, for whom, how, and how long the target took.

    `client` is whoever tries again by himself (an address, a session, one single probe), None where nobody knows;
    `status` is None where there was no answer, `latency_ms` is None where no target answered.
    """

    at: datetime
    role: Role
    client: str | None
    status: int | None
    latency_ms: float | None


@dataclass(frozen=True)
class ClosedMinute:
    """A closed minute of one colour: counts of requests, and percentiles of the target's time as (percent, ms).

    `own_errors` are 5xx that the application answered, `unanswered` are requests that no target answered: requests
    minus the sum of HTTPCode_Target_2XX to 5XX, which is where the load balancer's own 502, 503 and 504 show up. `slow`
    counts requests above the limit where somebody counted them; None: the percentiles say it.
    """

    at: datetime
    role: Role
    requests: float
    own_errors: float
    unanswered: float
    percentiles: tuple[tuple[float, float], ...] = ()
    slow: float | None = None

    @property
    def failed(self) -> float:
        """Requests that went wrong, whoever made the answer; never more than there were."""
        return min(self.requests, self.own_errors + self.unanswered)


@dataclass(frozen=True)
class Weight:
    """From `at` on, green gets this share of new requests, 0 to 1: a step of the shift, as the listener was told."""

    at: datetime
    green: float

    def __post_init__(self) -> None:
        if not 0 <= self.green <= 1:
            raise BadInput(
                where="weight of green",
                seen=f"{self.green:g}",
                wanted="a share between 0 and 1",
                next_step="divide the weight of green by the sum of the weights",
            )


@dataclass(frozen=True)
class Rows:
    """Requests as columns, sorted by time: for access logs, where a million objects would be too many.

    `at` are seconds since 1970, `client` numbers with -1 for unknown, `latency_ms` has nan where no target answered.
    """

    at: np.ndarray
    green: np.ndarray
    client: np.ndarray
    failed: np.ndarray
    latency_ms: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.at, self.green, self.client, self.failed, self.latency_ms)}
        if len(lengths) != 1 or not np.all(np.diff(self.at) >= 0):
            raise BadInput(
                where="rows",
                seen=f"columns of {sorted(lengths)} rows" if len(lengths) != 1 else "times that go back",
                wanted="columns of one length, sorted by time",
                next_step="build them with rows(), which sorts",
            )

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Cells:
    """Requests by minute, colour and client as columns: what counted access logs are, however many requests they hold.

    `at` are the starts of closed minutes (seconds since 1970), `client` numbers with -1 for those that nobody kept
    apart; `requests`, `failed` and `slow` (above the limit that the counting was given) are counts.
    """

    at: np.ndarray
    green: np.ndarray
    client: np.ndarray
    requests: np.ndarray
    failed: np.ndarray
    slow: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(column) for column in vars(self).values()}
        if len(lengths) != 1:
            raise BadInput(
                where="cells",
                seen=f"columns of {sorted(lengths)} rows",
                wanted="columns of one length",
                next_step="take all of them from one count",
            )


@dataclass(frozen=True)
class Observed:
    """Everything that one source told of a release up to `until`: requests, cells or closed minutes, only one of them.

    `weights` are the steps of the shift; without them (own probes choose their colour themselves) the share of green is
    counted minute by minute. `slow_ms` is the limit above which a request is slow: the p95 of the former version before
    the release; None: it is taken from blue's requests.
    """

    source: Source
    until: datetime
    rows: Rows | None = None
    minutes: tuple[ClosedMinute, ...] = ()
    weights: tuple[Weight, ...] = ()
    slow_ms: float | None = None
    cells: Cells | None = None

    def __post_init__(self) -> None:
        forms = {"rows": self.rows is not None, "cells": self.cells is not None, "minutes": bool(self.minutes)}
        given = [name for name, there in forms.items() if there]
        if len(given) > 1:
            raise BadInput(
                where=self.source.name,
                seen=f"{' and '.join(given)} of one source",
                wanted="one of them",
                next_step="give each source an Observed of its own",
            )


def rows(events: Iterable[Event]) -> Rows:
    """Events as columns, sorted by time; an unknown role is refused."""
    found = sorted(events, key=lambda event: event.at)
    strange = next((event.role for event in found if event.role not in ("blue", "green")), None)
    if strange is not None:
        raise BadInput(
            where="event", seen=f"role {strange}", wanted="blue or green", next_step="ask the listener who is who"
        )
    clients: dict[str, int] = {}
    numbers = [-1 if event.client is None else clients.setdefault(event.client, len(clients)) for event in found]
    failed = [event.status is None or event.status >= ANSWERED_BADLY for event in found]
    times = [float("nan") if event.latency_ms is None else event.latency_ms for event in found]
    return Rows(
        at=np.array([event.at.timestamp() for event in found], dtype=float),
        green=np.array([event.role == "green" for event in found], dtype=bool),
        client=np.array(numbers, dtype=np.int64),
        failed=np.array(failed, dtype=bool),
        latency_ms=np.array(times, dtype=float),
    )


def closed_minutes(found: Iterable[Minute], *, blue: str, green: str) -> tuple[ClosedMinute, ...]:
    """The minutes of the two target groups as the judge reads them; a minute without requests is left out."""
    roles: dict[str, Role] = {blue: "blue", green: "green"}
    return tuple(_closed(minute, roles[minute.group]) for minute in found if minute.group in roles and minute.requests)


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def share_at(weights: Sequence[Weight], at: np.ndarray) -> np.ndarray:
    """The share that green was meant to have at these times (seconds since 1970); 0 before the first step."""
    steps = sorted(weights, key=lambda weight: weight.at)
    starts = np.array([step.at.timestamp() for step in steps])
    shares = np.array([0.0, *(step.green for step in steps)])
    return shares[np.searchsorted(starts, at, side="right")]


def _closed(minute: Minute, role: Role) -> ClosedMinute:
    known = ((50.0, minute.p50), (95.0, minute.p95), (99.0, minute.p99))
    return ClosedMinute(
        at=minute.at,
        role=role,
        requests=minute.requests or 0.0,
        own_errors=minute.own_errors or 0.0,
        unanswered=minute.unanswered,
        percentiles=tuple((percent, 1000 * value) for percent, value in known if value is not None),
    )
