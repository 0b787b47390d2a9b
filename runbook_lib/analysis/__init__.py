"""The judge of a release: reasoning over what was seen of both versions, by a test that may be asked at any time."""

from runbook_lib.analysis.judge import ERRORS, LATENCY, Finding, Judgement, judge
from runbook_lib.analysis.observed import (
    LOGS,
    METRICS,
    PROBES,
    Cells,
    ClosedMinute,
    Event,
    Observed,
    Rows,
    Source,
    Weight,
    closed_minutes,
    rows,
)
from runbook_lib.analysis.settings import Question, Settings

__all__ = [
    "ERRORS",
    "LATENCY",
    "LOGS",
    "METRICS",
    "PROBES",
    "Cells",
    "ClosedMinute",
    "Event",
    "Finding",
    "Judgement",
    "Observed",
    "Question",
    "Rows",
    "Settings",
    "Source",
    "Weight",
    "closed_minutes",
    "judge",
    "rows",
]
