"""Tallies: how many requests had which outcome, by the milliseconds that the target took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.disturbance import Disturbance
    from runbook_lib.sandbox.traffic.accesslog import Interval
    from runbook_lib.sandbox.traffic.record import Record
    from runbook_lib.sandbox.world import World

MINUTE = 60
LONGEST = 30_000  # milliseconds: slower answers are counted as that
FORWARD = "forward"


@dataclass(frozen=True)
class Outcome:
    """What came of requests: to which group and target, and who answered with which status; 0: nobody did."""

    group: str  # ARN, "" when no group was chosen
    target: str  # "ip:port", "-" when the load balancer had none
    status: int  # what the client got
    target_status: int  # what the target answered, 0 when it did not
    node: str = ""  # the zone of the load balancer's node; "" until the minute ends, for modelled requests
    action: str = FORWARD  # what the listener or rule did: forward, redirect, fixed-response; "-" before a rule
    path: str = ""  # of modelled requests that all were for one; "" for any


Tally = dict[Outcome, Any]  # outcome -> counts by millisecond (numpy array)


@dataclass
class TrafficStore:
    """Per load balancer: up to when requests are drawn, its open minutes, and what will stand in its log.

    `stories` is what was told to happen beside the settings, by the name of the story that it belongs to.
    """

    drawn: dict[str, float] = field(default_factory=dict)
    open: dict[tuple[str, int], Tally] = field(default_factory=dict)  # (load balancer, start of the minute)
    intervals: dict[tuple[str, int], Interval] = field(default_factory=dict)  # (load balancer, end of the interval)
    ticking: bool = False
    stories: dict[str, tuple[Disturbance, ...]] = field(default_factory=dict)


def store(world: World) -> TrafficStore:
    """The world's own."""
    found: TrafficStore = world.store("traffic")
    return found


def minute_of(at: float) -> int:
    """The start of the minute that holds a time."""
    return int(at // MINUTE) * MINUTE


def count(tally: Tally, outcome: Outcome, counts: Any) -> None:
    """Add requests to a tally."""
    known = tally.get(outcome)
    tally[outcome] = counts if known is None else summed((known, counts))


def summed(arrays: Iterable[Any]) -> Any:
    """The sum of counts by millisecond, of different lengths; None of none."""
    import numpy

    found = sorted(arrays, key=len)
    if not found:
        return None
    total = numpy.array(found[-1])
    for shorter in found[:-1]:
        total[: len(shorter)] += shorter
    return total


def number(tally: Mapping[Outcome, Any]) -> int:
    """How many requests a tally holds."""
    return sum(int(counts.sum()) for counts in tally.values())


def none_answered(many: int) -> Any:
    """Requests that no target answered: they stand at 0 milliseconds."""
    import numpy

    return numpy.array([many])


def observed(records: Iterable[tuple[Record, str, str]]) -> Tally:
    """The tally of requests that were seen, each with its node and what its rule did."""
    import numpy

    times: dict[Outcome, list[int]] = {}
    for record, node, action in records:
        outcome = Outcome(
            record.group or "", record.target or "-", record.status, record.target_status or 0, node, action
        )
        took = 0 if outcome.target_status == 0 else round((record.target_processing or 0.0) * 1000)
        times.setdefault(outcome, []).append(min(max(took, 0), LONGEST))
    return {outcome: numpy.bincount(numpy.array(each)) for outcome, each in times.items()}


def with_nodes(tally: Tally, zones: Sequence[str], numbers: Any) -> Tally:
    """The tally with every request given to a node of the load balancer, by chance where that is not known yet."""
    found: Tally = {}
    for outcome, counts in tally.items():
        if outcome.node:
            count(found, outcome, counts)
            continue
        shares = numbers.multinomial(counts, [1 / len(zones)] * len(zones))
        for zone, share in zip(zones, shares.T, strict=True):
            if share.any():
                count(found, replace(outcome, node=zone), share)
    return found
