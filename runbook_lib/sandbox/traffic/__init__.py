"""Traffic: the one door to it, whether the requests are drawn from a model or seen at a real load balancer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from runbook_lib.sandbox.traffic import modelled
from runbook_lib.sandbox.traffic.modelled import TrafficStore, send, touch
from runbook_lib.sandbox.traffic.record import Record

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

STORE = TrafficStore
HANDLERS: Mapping[str, Callable[..., None]] = modelled.HANDLERS

__all__ = ["HANDLERS", "STORE", "Record", "observe", "send", "touch"]


def observe(world: World, load_balancer_arn: str, records: Iterable[Record]) -> None:
    """Count requests that a real load balancer served in its open minute."""
    import numpy

    store: TrafficStore = world.store("traffic")
    tally = store.open.setdefault(load_balancer_arn, {})
    for record in records:
        if record.group is not None:
            outcome = modelled.Outcome(record.group, record.target or "-", record.status, record.target_status or 0)
            counts = numpy.zeros(round((record.target_processing or 0.0) * 1000) + 1, dtype=int)
            counts[-1] = 1
            modelled._count(tally, outcome, counts)
    touch(world)
