"""After an incident: from a window to its timeline, damage, causes and a report to send."""

from runbook_lib.story.incident.hands import check_hands, plan_hands
from runbook_lib.story.incident.looked import Look, find_window, read
from runbook_lib.story.incident.report import document, write_report
from runbook_lib.story.incident.tables import (
    budget,
    causes,
    changed,
    damage,
    errors,
    gaps,
    heat,
    intervals,
    judged,
    last_good,
    latency,
    rejected,
    requests,
    settings,
    summary,
    timeline,
    todo,
    worst,
)

__all__ = [
    "Look",
    "budget",
    "causes",
    "changed",
    "check_hands",
    "damage",
    "document",
    "errors",
    "find_window",
    "gaps",
    "heat",
    "intervals",
    "judged",
    "last_good",
    "latency",
    "plan_hands",
    "read",
    "rejected",
    "requests",
    "settings",
    "summary",
    "timeline",
    "todo",
    "worst",
    "write_report",
]
