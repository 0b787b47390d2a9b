"""AWS Cost Explorer: an account that costs nothing has no costs to show; every operation is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {}
MOTO: frozenset[str] = frozenset()
HANDLERS: dict[str, Callable[..., None]] = {}
STORE = dict
