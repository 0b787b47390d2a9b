"""What CloudWatch knows: the points of every metric by minute, the alarms and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.cloudwatch.histogram import Histogram, merged

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MINUTE = 60
LATE = 60.0  # a late point becomes visible that long after the others
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Key:
    """A metric: its namespace, its name and its very set of dimensions."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True)
class Part:
    """Samples of one minute, and from when on they can be read."""

    visible: float
    samples: Histogram


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
    reason_data: str = "{}"
    changed: float = 0.0


@dataclass
class CloudWatchStore:
    """Points by metric and minute; alarms by name; history newest last."""

    points: dict[Key, dict[int, list[Part]]] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    ticking: bool = False


def store(world: World) -> CloudWatchStore:
    """The world's own."""
    found: CloudWatchStore = world.store("cloudwatch")
    return found


def key(namespace: str, name: str, dimensions: Mapping[str, str] | Iterable[Mapping[str, str]]) -> Key:
    """The key of a metric; dimensions as a mapping or in the list form of the API."""
    if not isinstance(dimensions, Mapping):
        dimensions = {one["Name"]: one["Value"] for one in dimensions}
    return Key(namespace, name, tuple(sorted(dimensions.items())))


def add(world: World, metric: Key, minute: int, samples: Histogram, *, visible: float) -> None:
    """Add samples to a minute of a metric."""
    if samples:
        store(world).points.setdefault(metric, {}).setdefault(minute, []).append(Part(visible, samples))


def visible(world: World, metric: Key, start: float, end: float, period: int) -> dict[float, Histogram]:
    """What can be read now of a metric between two times, by the start of each period."""
    found: dict[float, list[Histogram]] = {}
    for minute, parts in store(world).points.get(metric, {}).items():
        if start <= minute < end:
            seen = [part.samples for part in parts if part.visible <= world.now]
            if seen:
                found.setdefault(minute - (minute - start) % period if period > MINUTE else minute, []).extend(seen)
    return {at: merged(samples) for at, samples in sorted(found.items())}
