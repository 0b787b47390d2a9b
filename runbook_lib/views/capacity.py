"""The load and what the tasks that take it could carry, by the clock; the second environment apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runbook_lib.capacity import Load, Usage
from runbook_lib.views import charts
from runbook_lib.views.axis import DPI, GREY, SIZE, by_the_clock
from runbook_lib.views.charts import Chart

Series = list[tuple[datetime, float]]
TITLE = "The tasks can carry the load"
STYLE: dict[str, dict[str, Any]] = {
    "capacity": {"color": charts.LIMIT, "linewidth": 1.2},
    "second environment": {"color": GREY, "linewidth": 1.0, "linestyle": ":"},
}


def load(usage: Usage, found: Load | None, releases: Sequence[tuple[datetime, datetime | None]]) -> Chart:
    """Requests a second against what the tasks that take them could carry; deployments are shaded.

    The second environment is a line of its own: its tasks carry what traffic they are given, and mostly none.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    plot: Any = figure.subplots()
    plot.set_title(TITLE, loc="left", fontsize=11, fontweight="bold")
    plot.set_ylabel("requests a second", fontsize=9)
    plot.tick_params(labelsize=8)
    plot.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    series = _series(usage, found)
    asked = series["requests"]
    if not any(rate for _, rate in asked):
        return charts.finished(TITLE, "", {"requests": ()}, figure, plot)
    first, last = asked[0][0], asked[-1][0]
    by_the_clock(plot, first, last)
    _shade(plot, releases, first, last)
    plot.plot(*zip(*asked, strict=True), label="requests", **charts.STYLE["blue"] | {"marker": None, "linewidth": 1.6})
    for name, style in STYLE.items():
        if series[name]:
            plot.step(*zip(*series[name], strict=True), where="post", label=name, **style)
    plot.set_ylim(0, None)
    data = {name: tuple((_minutes(first, at), value) for at, value in points) for name, points in series.items()}
    return charts.finished(TITLE, _sentence(series), data, figure, plot)


def _series(usage: Usage, found: Load | None) -> dict[str, Series]:
    """By name; what could be carried is known since tasks have the size that they have now."""
    alike = usage.alike if found else ()
    could = [(m.at, m.carries(found)) for m in alike if found]
    beside = [(m.at, m.beside(found)) for m in alike if found]
    return {
        "requests": [(m.at, (m.requests or 0) / 60) for m in usage.minutes],
        "capacity": [(at, rate) for at, rate in could if rate is not None],
        "second environment": beside if any(rate for _, rate in beside) else [],
    }


def _sentence(series: Mapping[str, Series]) -> str:
    could = dict(series["capacity"])
    asked = [(at, rate) for at, rate in series["requests"] if at in could and rate]
    if not asked:
        return "What the tasks could carry is not known, so nothing is said of the claim."
    without = [at for at, _ in asked if could[at] <= 0]
    if without:
        told = f"In {len(without)} of {len(asked)} minutes, first at {without[0]:%m-%d %H:%M}, nothing could be carried"
        return f"{told}: no healthy target was there, or the tasks are busy at rest. The claim does not hold."
    at, rate = max(asked, key=lambda point: point[1] / could[point[0]])
    part = 100 * rate / could[at]
    holds = "The claim holds." if rate <= could[at] else "The claim does not hold."
    return (
        f"In the minute that came nearest, {at:%m-%d %H:%M} UTC, the load was {rate:.0f} requests a second, "
        f"{part:.0f} % of what the tasks that took it could carry. {holds}"
    )


def _shade(plot: Any, releases: Sequence[tuple[datetime, datetime | None]], first: datetime, last: datetime) -> None:
    from matplotlib.dates import date2num

    for number, (begin, end) in enumerate(releases):
        span = (date2num(max(begin, first)), date2num(min(end or last, last)))
        if span[0] < span[1]:
            plot.axvspan(*span, color=GREY, alpha=0.12, linewidth=0, label="_deployment" if number else "deployment")


def _minutes(first: datetime, at: datetime) -> float:
    return (at - first).total_seconds() / 60
