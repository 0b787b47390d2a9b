"""The load and what the tasks could carry, by the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runbook_lib.capacity import Load, Usage
from runbook_lib.views import charts
from runbook_lib.views.axis import DPI, GREY, SIZE
from runbook_lib.views.charts import Chart

Series = list[tuple[datetime, float]]
TITLE = "The tasks can carry the load"


def load(usage: Usage, found: Load | None, releases: Sequence[tuple[datetime, datetime | None]]) -> Chart:
    """Requests a second against tasks times what one carries; releases are shaded, for then there are twice as many."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    plot: Any = figure.subplots()
    plot.set_title(TITLE, loc="left", fontsize=11, fontweight="bold")
    plot.set_ylabel("requests a second", fontsize=9)
    plot.tick_params(labelsize=8)
    plot.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    asked = [(m.at, (m.requests or 0) / 60) for m in usage.minutes]
    could = [(m.at, m.tasks * found.rps_per_task) for m in usage.minutes if found and m.tasks]
    if not asked or not could:
        return charts.finished(TITLE, "", {"requests": ()}, figure, plot)
    first = asked[0][0]
    plot.xaxis.set_major_locator(AutoDateLocator(maxticks=9))
    plot.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=first.tzinfo))
    plot.set_xlabel(f"UTC, from {first:%Y-%m-%d}", fontsize=9)
    for number, (begin, end) in enumerate(releases):
        span = (date2num(max(begin, first)), date2num(end or asked[-1][0]))
        plot.axvspan(*span, color=GREY, alpha=0.12, linewidth=0, label="_release" if number else "release")
    plot.plot(*zip(*asked, strict=True), label="requests", **charts.STYLE["blue"] | {"marker": None, "linewidth": 1.6})
    plot.step(*zip(*could, strict=True), where="post", label="capacity", color=charts.LIMIT, linewidth=1.2)
    plot.set_ylim(0, None)
    worst = max(rate / limit for (_, rate), (_, limit) in zip(_both(asked, could), _both(could, asked), strict=True))
    holds = "The claim holds." if worst <= 1 else "The claim does not hold."
    sentence = f"In the busiest minute the load was {100 * worst:.0f} % of what the tasks could carry. {holds}"
    data = {
        name: tuple((_minutes(first, at), value) for at, value in points)
        for name, points in (("requests", asked), ("capacity", could))
    }
    return charts.finished(TITLE, sentence, data, figure, plot)


def _both(
    points: Sequence[tuple[datetime, float]], other: Sequence[tuple[datetime, float]]
) -> list[tuple[datetime, float]]:
    """The points whose moment the other series has too."""
    known = {at for at, _ in other}
    return [point for point in points if point[0] in known]


def _minutes(first: datetime, at: datetime) -> float:
    return (at - first).total_seconds() / 60
