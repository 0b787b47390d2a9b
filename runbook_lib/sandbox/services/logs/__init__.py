"""Amazon CloudWatch Logs: what patterns, metric filters and queries find is ours; groups and events are moto's.

StartLiveTail would need an event stream; what moto answers to it never sends an event, so it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.logs import filtering, insights, metric_filters
from runbook_lib.sandbox.services.logs.metric_filters import write
from runbook_lib.sandbox.services.rest import Rest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

STORE = metric_filters.LogsStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    **filtering.OPERATIONS,
    **metric_filters.OPERATIONS,
    **insights.OPERATIONS,
}
MOTO = Rest("GetLogRecord", "StartLiveTail")
HANDLERS: dict[str, Callable[..., None]] = {}

__all__ = ["HANDLERS", "MOTO", "OPERATIONS", "STORE", "write"]
