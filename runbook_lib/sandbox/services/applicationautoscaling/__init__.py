"""Application Auto Scaling for Amazon ECS: alarms of its own, policies that act, scheduled actions, activities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.applicationautoscaling import acting, activities, policies, scheduled, tags, targets
from runbook_lib.sandbox.services.applicationautoscaling.store import AutoScalingStore

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

__all__ = ["HANDLERS", "OPERATIONS", "STORE"]

STORE = AutoScalingStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    **targets.OPERATIONS,
    **policies.OPERATIONS,
    **scheduled.OPERATIONS,
    **activities.OPERATIONS,
    **tags.OPERATIONS,
}
HANDLERS: dict[str, Callable[..., None]] = {
    "application-autoscaling.tick": acting.tick,
    "application-autoscaling.follow": activities.follow,
    "application-autoscaling.scheduled": scheduled.fire,
}
