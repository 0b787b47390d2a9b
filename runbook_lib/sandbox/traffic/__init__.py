"""Traffic: the one door to it, whether the requests are drawn from a model or seen at a real load balancer.

Both end in the same tallies by minute, and metrics and access logs are made from those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runbook_lib.sandbox.traffic.delivery import deliver, start_access_log
from runbook_lib.sandbox.traffic.minutes import close_minute, observe, touch
from runbook_lib.sandbox.traffic.modelled import send
from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import TrafficStore

STORE = TrafficStore
HANDLERS: Mapping[str, Callable[..., None]] = {
    "traffic.close_minute": close_minute,
    "traffic.deliver": deliver,
}

__all__ = [
    "HANDLERS",
    "STORE",
    "Record",
    "close_minute",
    "observe",
    "send",
    "start_access_log",
    "touch",
]
