"""The time axis that the charts of a deployment share: minutes since it began, its events, verdicts and roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_lib.deployment import Deployment

SIZE = (8, 3)  # inches
DPI = 110
GREY = "#666666"
# Events that only call hooks: their names would crowd out those at which something moves.
QUICK = frozenset({"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic"})
APART = 25  # names closer than this part of the axis would cover each other


@dataclass(frozen=True)
class Roles:
    """Which target group was blue (the former version) and which green (the new one) in a deployment."""

    blue: str
    green: str

    def of(self, group: str) -> str:
        return "green" if group == self.green else "blue"


@dataclass(frozen=True)
class Timeline:
    """The time axis of a deployment: where it begins and ends, its events, and the moments that were marked.

    `start` is minute 0, the beginning of the deployment; `first` and `end` are the ends of the picture. What lies
    behind `closed` is not measured yet: its minutes are not closed, or their metrics may still change.
    """

    start: datetime
    first: datetime
    end: datetime
    closed: datetime
    events: tuple[tuple[float, str], ...]  # minutes since start, name
    marks: tuple[tuple[float, str], ...] = ()  # endings, verdicts and decisions

    def minutes(self, at: datetime) -> float:
        return (at - self.start).total_seconds() / 60

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the picture in minutes; never empty."""
        first = min(0.0, self.minutes(self.first))
        return first, max(self.minutes(self.end), first + 1.0)


def timeline(
    deployment: Deployment,
    *,
    first: datetime,
    end: datetime,
    closed: datetime,
    marks: Iterable[tuple[datetime, str]] = (),
) -> Timeline:
    """The time axis of a deployment, with its lifecycle events, its ending and the marks of its followers."""
    start = deployment.created

    def minute(at: datetime) -> float:
        return (at - start).total_seconds() / 60

    events = tuple((minute(event.start), event.name) for event in deployment.events if event.start)
    ending = [(deployment.completed, _ending(deployment))] if deployment.completed else []
    noted = tuple((minute(at), text) for at, text in (*ending, *marks) if first <= at <= end)
    return Timeline(start, first, end, closed, events, noted)


def roles(deployment: Deployment, live: str, pair: Sequence[str]) -> Roles:
    """Who was who in a deployment: from its own labels, else from who is live now."""
    labels = {share.label: share.target_group for share in deployment.shares}
    if "Green" in labels:
        other = next(name for name in pair if name != labels["Green"])
        return Roles(labels.get("Blue", other), labels["Green"])
    rolled_back = deployment.status in ("Stopped", "Failed")
    green = next(name for name in pair if name != live) if rolled_back else live
    return Roles(next(name for name in pair if name != green), green)


def figure_of(title: str, unit: str, axis: Timeline) -> tuple[Any, Any]:
    """An empty chart on the axis: title, units, events, marks, and what is not measured yet in grey."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    plot = figure.subplots()
    plot.set_title(title, loc="left", fontsize=11, fontweight="bold")
    plot.set_ylabel(unit, fontsize=9)
    plot.set_xlabel("minutes since the deployment began", fontsize=9)
    plot.tick_params(labelsize=8)
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    first, end = axis.bounds
    plot.set_xlim(first, end + (end - first) * 0.03)
    plot.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    _mark_open_minutes(plot, axis)
    _mark_moments(plot, axis)
    return figure, plot


def by_the_clock(plot: Any, start: datetime, end: datetime) -> None:
    """An axis in UTC: hours and minutes, and the date beside them where the picture holds more than one day."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    one_day = start.date() == end.date()
    plot.xaxis.set_major_locator(AutoDateLocator(maxticks=9))
    plot.xaxis.set_major_formatter(DateFormatter("%H:%M" if one_day else "%m-%d\n%H:%M", tz=start.tzinfo))
    days = f"{start:%Y-%m-%d}" if one_day else f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    plot.set_xlabel(f"UTC, {days}", fontsize=9)


def _ending(deployment: Deployment) -> str:
    reason = f" ({deployment.error.partition(':')[0]})" if deployment.error else ""
    return f"{deployment.status}{reason}"


def _mark_open_minutes(plot: Any, axis: Timeline) -> None:
    closed, end = axis.minutes(axis.closed), axis.bounds[1]
    if closed < end:
        plot.axvspan(closed, end, facecolor="#eeeeee", edgecolor="#cccccc", hatch="//", linewidth=0, zorder=0)
        plot.annotate(
            "not measured yet",
            ((closed + end) / 2, 0.5),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="center",
            va="center",
            fontsize=7,
            color=GREY,
        )


def _mark_moments(plot: Any, axis: Timeline) -> None:
    first, end = axis.bounds
    room = (end - first) / APART
    marks = _merged(sorted(axis.marks), room)
    for at, text in marks:
        plot.axvline(at, color="black", linewidth=1.2)
        _name(plot, at, text, "black")
    drawn = [at for at, _ in marks]
    for at, name in sorted((event for event in axis.events if event[1] not in QUICK), reverse=True):
        if first <= at <= end and all(abs(at - other) > room for other in drawn):
            drawn.append(at)
            plot.axvline(at, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
            _name(plot, at, name, GREY)


def _merged(marks: Sequence[tuple[float, str]], room: float) -> list[tuple[float, str]]:
    """Marks that would cover each other under one name, at the first of them."""
    merged: list[tuple[float, str]] = []
    for at, text in marks:
        if merged and at - merged[-1][0] <= room:
            merged[-1] = (merged[-1][0], f"{merged[-1][1]}, {text}")
        else:
            merged.append((at, text))
    return merged


def _name(plot: Any, at: float, text: str, color: str) -> None:
    plot.annotate(
        text,
        (at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -2),
        textcoords="offset points",
        rotation=90,
        va="top",
        fontsize=7,
        color=color,
        # Grid and limit lines would run through the letters.
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
    )
