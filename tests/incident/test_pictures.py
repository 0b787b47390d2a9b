"""The charts of an incident: the line of the objective, what no target got, and dates over midnight."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from runbook_lib.accesslog import Window
from runbook_lib.incident import harm
from runbook_lib.incident.look import Incident, Seen
from runbook_lib.incident.requests import Heat, Requests
from runbook_lib.incident.roles import LIVE, Tenure
from runbook_lib.incident.told import timeline
from runbook_lib.metric import NO_GROUP, Metrics, Minute
from runbook_lib.sections import Objective
from runbook_lib.views import incident as drawing
from runbook_lib.views.axis import by_the_clock

NIGHT = Window(datetime(2026, 3, 2, 23, 50, tzinfo=UTC), datetime(2026, 3, 3, 0, 20, tzinfo=UTC))
HARM = range(8, 13)  # 23:58 to 00:03


def seen(requests: Requests | None = None) -> Incident:
    """An outage over midnight: the live group gets nothing, and everything fails."""
    minutes = [
        Minute(NIGHT.start + timedelta(minutes=n), NO_GROUP, 3000, 3000, 0, None, None, None, None, None)
        if n in HARM
        else Minute(NIGHT.start + timedelta(minutes=n), "a", 3000, 3, 3, 0.04, 0.08, 0.09, 2, 0)
        for n in range(30)
    ]
    measured = Metrics(NIGHT.start, NIGHT.end, tuple(minutes))
    who = (Tenure("a", LIVE, NIGHT.start, NIGHT.end, "orders:3"),)
    found = Seen("orders-bg", NIGHT, NIGHT.end, (), measured, (), who, (), None, 1_000_000, requests)
    return Incident(found, timeline(()), harm.find(measured, Objective()))


def logged(slow_ms: int, unanswered: tuple[int, ...] = ()) -> Requests:
    at = tuple(NIGHT.start + timedelta(minutes=n) for n in range(2))
    return Requests((), {}, 0, Heat(at, (1.0, 2.0), ((5, 1), (4, 0)), unanswered), slow_ms, ())


def test_what_no_target_got_has_a_line_of_its_own() -> None:
    """All of it failed, and its response time is nobody's."""
    chart = drawing.errors(seen())
    assert [value for _, value in chart.data[drawing.NO_TARGET]] == [100.0] * len(HARM)
    assert len(chart.data[LIVE]) == 30 - len(HARM)
    assert "100 % on no target" in chart.sentence
    assert drawing.NO_TARGET not in drawing.latency(seen()).data


@pytest.mark.parametrize(
    ("incident", "limit_ms", "drawn"),
    [(seen(), 300.0, 300.0), (seen(logged(250)), None, 250.0), (seen(logged(250)), 300.0, 300.0), (seen(), None, None)],
)
def test_the_response_time_stands_beside_its_objective(
    incident: Incident, limit_ms: float | None, drawn: float | None
) -> None:
    """The one that is named, else that of the access log; where nobody knows one there is no line and no word."""
    chart = drawing.latency(incident, limit_ms=limit_ms)
    line = chart.data.get("objective")
    assert line == (((0.0, drawn), (30.0, drawn)) if drawn else None)
    told = re.findall(r"The objective is (\S+) ms", chart.sentence)
    assert told == ([f"{drawn:g}"] if drawn else [])


def test_without_any_answer_the_chart_says_that_there_is_no_data() -> None:
    """The line of an objective alone would look like a measurement."""
    quiet = seen()
    empty = Incident(replace(quiet.seen, measured=Metrics(NIGHT.start, NIGHT.end, ())), quiet.timeline, None)
    assert drawing.latency(empty, limit_ms=300).sentence.startswith("No data")


def test_what_had_no_answer_is_in_the_heat_map_too() -> None:
    """It has no duration: a cross, and its number."""
    chart = drawing.heat(seen(logged(300, (0, 7))))
    assert chart.data["unanswered"] == ((1.5, 7.0),)
    assert "7 requests had no answer of a target" in chart.sentence
    assert "no answer" not in drawing.heat(seen(logged(300))).sentence


@pytest.mark.parametrize(
    ("start", "label", "axis"),
    [
        (NIGHT.start, "03-03\n00:00", "UTC, 2026-03-02 to 2026-03-03"),
        (NIGHT.start - timedelta(hours=9, minutes=50), "14:10", "UTC, 2026-03-02"),
    ],
)
def test_the_clock_bears_the_date_over_midnight(start: datetime, label: str, axis: str) -> None:
    """Else half past eleven stands before midnight, and nobody knows of which day."""
    figure = Figure()
    plot = figure.subplots()
    end = start + timedelta(minutes=30)
    by_the_clock(plot, start, end)
    plot.set_xlim(date2num(start), date2num(end))
    figure.canvas.draw()
    assert label in [tick.get_text() for tick in plot.get_xticklabels()]
    assert plot.get_xlabel() == axis


def test_the_sentence_over_midnight_has_dates() -> None:
    """From one day to the next."""
    assert drawing.errors(seen()).sentence.startswith("From 03-02 23:58 to 03-03 00:03 the highest minute was")
