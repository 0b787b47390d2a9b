"""What the reader sees: tables, lines of progress and charts."""

from runbook_lib.views.tables import (
    Line,
    Progress,
    applied_line,
    checks_table,
    ending_table,
    plan_steps,
    plan_table,
    show,
)

__all__ = ["Line", "Progress", "applied_line", "checks_table", "ending_table", "plan_steps", "plan_table", "show"]
