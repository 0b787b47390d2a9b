"""What the sources tell: whose call it was and on what, which lines are one, and what is never shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_lib.accesslog.window import Window
from runbook_lib.incident.intervals import Intervals, Mark
from runbook_lib.incident.told import Entry, Told, timeline
from runbook_lib.incident.window import moment_format

T = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
WINDOW = Window(T, T + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("start", "hours", "form"),
    [(0, 24, "%H:%M:%S"), (14, 1, "%H:%M:%S"), (23, 2, "%Y-%m-%d %H:%M:%S"), (14, 24, "%Y-%m-%d %H:%M:%S")],
)
def test_moments_have_their_date_where_the_window_crosses_midnight(start: int, hours: int, form: str) -> None:
    """A whole day of UTC is one day: midnight at its end belongs to it."""
    since = datetime(2026, 3, 2, start, tzinfo=UTC)
    assert moment_format(Window(since, since + timedelta(hours=hours))) == form


def test_timeline_and_intervals_show_the_date_over_midnight() -> None:
    """14:00 of which day is not a question for the reader."""
    form = "%Y-%m-%d %H:%M:%S"
    found = timeline([Told("A", (Entry(T, "change", "x", "A", "call X"),))])
    assert found.table(linked=False, form=form).rows[0][0] == "2026-03-02 14:00:00"
    assert found.table(linked=False).rows[0][0] == "14:00:00"
    spans = Intervals(T, Mark(None, "-"), Mark(None, "-"), Mark(T, "-"), ongoing=False)
    assert spans.table(form).rows[0][1] == "2026-03-02 14:00:00"
