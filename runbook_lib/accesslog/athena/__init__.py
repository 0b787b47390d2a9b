"""Athena: the logs stay where they are, and what a query reads is known and capped before it runs.

Athena has no dry run; it bills the bytes of the objects that it reads, and a table with partition projection reads the
folders of the days that are asked for: of every load balancer that writes there.  So the sizes of those objects are
summed up first, and the work group cancels a query that would read more than was agreed to
(Athena user guide, workgroups-setting-control-limits).
"""

from runbook_lib.accesslog.athena.engine import Athena
from runbook_lib.accesslog.athena.price import Estimate, estimate, usd
from runbook_lib.accesslog.athena.query import NoAnswer, statement
from runbook_lib.accesslog.athena.table import AthenaTable, plan_drop, plan_table, table_place

__all__ = [
    "Athena",
    "AthenaTable",
    "Estimate",
    "NoAnswer",
    "estimate",
    "plan_drop",
    "plan_table",
    "statement",
    "table_place",
    "usd",
]
