"""Amazon Athena: SQL over objects in S3, run by DuckDB once sqlglot has translated it; work groups are moto's.

The catalogue (databases and tables) is kept here and is not shared with Glue.  What sqlglot or DuckDB read otherwise
than Athena does is not noticed; statements other than those of catalogue.py and SELECT are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.athena import groups, queries
from runbook_lib.sandbox.services.athena.store import AthenaStore
from runbook_lib.sandbox.services.rest import Rest

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

STORE = AthenaStore
OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {**groups.OPERATIONS, **queries.OPERATIONS}
# moto knows no execution and no table of ours; runtime statistics would be made up.
MOTO = Rest("GetQueryRuntimeStatistics")
HANDLERS: dict[str, Callable[..., None]] = {**queries.HANDLERS}
