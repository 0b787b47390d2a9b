"""What the reader sees: tables, lines of progress and charts."""

from runbook_lib.views.tables import Progress, applied_line, checks_table, ending_table, plan_steps, plan_table, show

__all__ = ["Progress", "applied_line", "checks_table", "ending_table", "plan_steps", "plan_table", "show"]
