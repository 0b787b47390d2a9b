"""AWS IAM: the simulator of policies and the names of service-linked roles are ours, everything else is moto's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.iam import linked, simulating
from runbook_lib.sandbox.services.rest import Rest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

STORE = dict
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {**simulating.OPERATIONS, **linked.OPERATIONS}
MOTO = Rest()
HANDLERS: dict[str, Callable[..., None]] = {}
