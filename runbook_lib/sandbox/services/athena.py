"""Amazon Athena: work groups, catalogs and saved queries are moto's; no SQL is run, so queries are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.rest import Rest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {}
MOTO = Rest(
    "GetDatabase",
    "GetQueryExecution",
    "GetQueryResults",
    "GetQueryRuntimeStatistics",
    "ListDatabases",
    "ListQueryExecutions",
    "StartQueryExecution",
    "StopQueryExecution",
)
HANDLERS: dict[str, Callable[..., None]] = {}
STORE = dict
