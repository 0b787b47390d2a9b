"""Amazon EventBridge: rules on the default bus, and the delivery of events to their targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.events import bus, delivery, rules, schedule, targets
from runbook_lib.sandbox.services.events.bus import emit, heard
from runbook_lib.sandbox.services.events.store import EventsStore

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "emit", "heard"]

STORE = EventsStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    **bus.OPERATIONS,
    **rules.OPERATIONS,
    **targets.OPERATIONS,
}
HANDLERS: dict[str, Callable[..., None]] = {"events.deliver": delivery.deliver, "events.tick": schedule.tick}
