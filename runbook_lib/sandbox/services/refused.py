"""Services of which nothing is simulated: every operation is refused, so that no empty or static answer is believed.

Cost Explorer and the price list know nothing of a sandbox; chat clients and notification rules would tell nobody;
moto's CloudFormation skips the types that matter here and calls the stack complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {}
MOTO: frozenset[str] = frozenset()
HANDLERS: dict[str, Callable[..., None]] = {}
STORE = dict
