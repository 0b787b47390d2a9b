"""What the reader sees: tables, lines of progress and charts."""

from runbook_lib.views.tables import (
    Line,
    Progress,
    applied_line,
    checks_table,
    decoded_table,
    ending_table,
    on_error,
    plan_steps,
    plan_table,
    preflight_tables,
    show,
)

__all__ = [
    "Line",
    "Progress",
    "applied_line",
    "checks_table",
    "decoded_table",
    "ending_table",
    "on_error",
    "plan_steps",
    "plan_table",
    "preflight_tables",
    "show",
]
