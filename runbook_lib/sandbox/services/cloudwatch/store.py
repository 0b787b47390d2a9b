"""What CloudWatch knows: the points of every metric, the alarms and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, merged
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, RETENTION, Part, Points

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LATE = 60.0  # a late point becomes visible that long after the others
Dimensions = tuple[tuple[str, str], ...]
NONE = Points()  # of a metric that has none; never added to


@dataclass(frozen=True)
class Key:
    """A metric: its namespace, its name and its very set of dimensions."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True)
class Window:
    """A stretch of time, without its end, in periods that begin at its start."""

    start: float
    end: float
    period: int

    @property
    def grid(self) -> tuple[float, ...]:
        """The start of every period."""
        steps = int(-((self.end - self.start) // -self.period))
        return tuple(self.start + step * self.period for step in range(steps))

    def place(self, at: float) -> float:
        """The start of the period that a time belongs to."""
        return self.start + (at - self.start) // self.period * self.period


@dataclass
class Alarm:
    """An alarm: what put_metric_alarm was told, and its state."""

    name: str
    arn: str
    told: dict[str, Any]
    updated: float
    actions_enabled: bool = True
    state: str = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = ""
    changed: float = 0.0  # when its state or the reason for it was last written
    entered: float = 0.0  # when it entered its state

    @property
    def composite(self) -> bool:
        """Whether it watches other alarms."""
        return "AlarmRule" in self.told


@dataclass
class CloudWatchStore:
    """Points by metric; alarms by name; history newest last."""

    points: dict[Key, Points] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    ticking: bool = False
    packed: float = 0.0  # when points were packed last, and when they were looked through for old ones
    aged: float = 0.0


def store(world: World) -> CloudWatchStore:
    """The world's own."""
    found: CloudWatchStore = world.store("cloudwatch")
    return found


def key(namespace: str, name: str, dimensions: Mapping[str, str] | Iterable[Mapping[str, str]]) -> Key:
    """The key of a metric; dimensions as a mapping or in the list form of the API."""
    if not isinstance(dimensions, Mapping):
        dimensions = {one["Name"]: one["Value"] for one in dimensions}
    return Key(namespace, name, tuple(sorted(dimensions.items())))


def add(world: World, metric: Key, at: int, samples: Histogram, *, visible: float, unit: str = "None") -> None:
    """Add samples to a minute (or second) of a metric."""
    if samples:
        kept = store(world)
        _tidy(kept, world.now)
        kept.points.setdefault(metric, Points()).add(at, Part(visible, samples, unit))


def _tidy(kept: CloudWatchStore, now: float) -> None:
    """Once an hour pack what is over, once a day roll up and forget what has become old: nothing read changes by it."""
    if now - kept.packed < HOUR:
        return
    kept.packed = now
    for points in kept.points.values():
        points.pack(now)
    if now - kept.aged >= DAY:
        kept.aged = now
        for points in kept.points.values():
            points.age(now)
        kept.points = {metric: points for metric, points in kept.points.items() if points}


def visible(world: World, metric: Key, window: Window, *, unit: str | None = None) -> dict[float, Histogram]:
    """What can be read now of a metric, by the start of each period; a unit leaves out what has another."""
    found: dict[float, list[Histogram]] = {}
    start = max(window.start, world.now - _age(window.period))
    for at, part in store(world).points.get(metric, NONE).between(start, window.end):
        if part.visible <= world.now and unit in (None, part.unit):
            found.setdefault(window.place(at), []).append(part.samples)
    return {at: merged(samples) for at, samples in sorted(found.items())}


def units(world: World, metric: Key) -> list[str]:
    """The units that a metric was measured in."""
    return sorted(store(world).points.get(metric, NONE).units)


def _age(period: int) -> float:
    return next(age for multiple, age in reversed(RETENTION) if period % multiple == 0)
