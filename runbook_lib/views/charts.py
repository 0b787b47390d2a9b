"""Charts of a deployment on one time axis: minutes since it began, blue drawn blue, green green, red only for a limit.

Drawn without pyplot: importing it costs more than everything else in a notebook, and a figure is one PNG.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runbook_lib.deployment import Deployment
from runbook_lib.metric import Metrics, Minute

SIZE = (8, 3)  # inches
DPI = 110
# Colour-blind safe (Okabe and Ito); each colour also has its own line and mark, so that a grey print can be read.
BLUE, GREEN, LIMIT, GREY = "#0072B2", "#009E73", "#D55E00", "#666666"
# Events that only call hooks: their names would crowd out those at which something moves.
QUICK = frozenset({"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic"})
STYLE = {
    "blue": {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 3},
    "green": {"color": GREEN, "linestyle": "--", "marker": "s", "markersize": 3},
}


@dataclass(frozen=True)
class Roles:
    """Which target group was blue (the former version) and which green (the new one) in a deployment."""

    blue: str
    green: str

    def of(self, group: str) -> str:
        return "green" if group == self.green else "blue"


@dataclass(frozen=True)
class Timeline:
    """The time axis of a deployment: where it begins, its events, and the moments that were marked."""

    start: datetime
    end: datetime
    events: tuple[tuple[float, str], ...]  # minutes since start, name
    marks: tuple[tuple[float, str], ...] = ()  # verdicts and decisions

    def minutes(self, at: datetime) -> float:
        return (at - self.start).total_seconds() / 60


@dataclass(frozen=True)
class Chart:
    """A chart: its claim, the sentence that reads it aloud, the plotted data, and the picture."""

    title: str
    sentence: str
    data: dict[str, tuple[tuple[float, float], ...]]  # series -> (minute, value)
    png: bytes = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"{self.title}\n{self.sentence}"


def timeline(
    deployment: Deployment, *, end: datetime | None = None, marks: Iterable[tuple[datetime, str]] = ()
) -> Timeline:
    """The time axis of a deployment, with the lifecycle events that took time."""
    start = deployment.created
    ends = [event.end or event.start for event in deployment.events if event.start]
    last = end or deployment.completed or max((at for at in ends if at), default=start)

    def minute(at: datetime) -> float:
        return (at - start).total_seconds() / 60

    events = [(minute(event.start), event.name) for event in deployment.events if event.start]
    if deployment.completed:
        events.append((minute(deployment.completed), deployment.status))
    return Timeline(start, last, tuple(events), tuple((minute(at), text) for at, text in marks))


def roles(deployment: Deployment, live: str, pair: Sequence[str]) -> Roles:
    """Who was who in a deployment: from its own labels, else from who is live now."""
    labels = {share.label: share.target_group for share in deployment.shares}
    if "Green" in labels:
        other = next(name for name in pair if name != labels["Green"])
        return Roles(labels.get("Blue", other), labels["Green"])
    rolled_back = deployment.status in ("Stopped", "Failed")
    green = next(name for name in pair if name != live) if rolled_back else live
    return Roles(next(name for name in pair if name != green), green)


def health(metrics: Metrics, who: Roles, axis: Timeline) -> Chart:
    """Healthy and unhealthy targets of each group over time."""
    series: dict[str, tuple[tuple[float, float], ...]] = {}
    for group in (who.blue, who.green):
        series[f"{who.of(group)} healthy"] = _points(metrics.of(group), axis, "healthy")
        series[f"{who.of(group)} unhealthy"] = _points(metrics.of(group), axis, "unhealthy")
    figure, plot = _figure("Every target passes its health check", "targets", axis)
    for name, points in series.items():
        if points:
            _line(plot, name, points, thin="unhealthy" in name)
    plot.yaxis.get_major_locator().set_params(integer=True)
    worst = max((value for name, points in series.items() if "unhealthy" in name for _, value in points), default=0)
    most = {name: max((value for _, value in points), default=0) for name, points in series.items()}
    sentence = (
        f"At most {most['blue healthy']:g} blue and {most['green healthy']:g} green targets were healthy; "
        f"at most {worst:g} were unhealthy."
    )
    return _chart("Every target passes its health check", sentence, series, figure, plot)


def latency(metrics: Metrics, who: Roles, axis: Timeline, *, limit: float) -> Chart:
    """p50, p95 and p99 of the targets' response time, in milliseconds; `limit` is in seconds."""
    series: dict[str, tuple[tuple[float, float], ...]] = {}
    for group in (who.blue, who.green):
        for name in ("p50", "p95", "p99"):
            points = _points(metrics.of(group), axis, name, scale=1000)
            series[f"{who.of(group)} {name}"] = points
    title = f"Latency stays under {1000 * limit:g} ms (p99)"
    figure, plot = _figure(title, "milliseconds", axis)
    for name, points in series.items():
        if points:
            _line(plot, name, points, thin=not name.endswith("p99"))
    _limit(plot, 1000 * limit, "limit for p99")
    worst = {colour: max((v for _, v in series[f"{colour} p99"]), default=0) for colour in ("blue", "green")}
    sentence = f"The highest p99 of a minute was {worst['blue']:.0f} ms on blue and {worst['green']:.0f} ms on green."
    return _chart(title, sentence, series, figure, plot)


def errors(metrics: Metrics, who: Roles, axis: Timeline, *, limit: float) -> Chart:
    """The share of failed requests of each group, in percent; `limit` is in percent."""
    series = {who.of(group): _rates(metrics.of(group), axis) for group in (who.blue, who.green)}
    title = f"Failed requests stay under {limit:g} %"
    figure, plot = _figure(title, "percent of requests", axis)
    for name, points in series.items():
        if points:
            _line(plot, name, points)
    _limit(plot, limit, "limit")
    failed = {g: sum(minute.failed or 0 for minute in metrics.of(g)) for g in (who.blue, who.green)}
    whole = sum(minute.requests or 0 for minute in metrics.minutes)
    sentence = (
        f"{failed[who.blue]:.0f} requests failed on blue and {failed[who.green]:.0f} on green, of {whole:.0f} in all."
    )
    return _chart(title, sentence, series, figure, plot)


def shares(
    metrics: Metrics,
    who: Roles,
    axis: Timeline,
    *,
    requested: Iterable[tuple[datetime, float]],
    configured: Iterable[tuple[datetime, float]],
) -> Chart:
    """The green share of production traffic in percent: asked for, configured in the listener, and observed."""
    series = {
        "requested": tuple((axis.minutes(at), share) for at, share in requested),
        "configured": tuple((axis.minutes(at), share) for at, share in configured),
        "observed": _observed(metrics, who, axis),
    }
    title = "Green gets the share that was asked for"
    figure, plot = _figure(title, "percent of requests to green", axis)
    end = axis.minutes(axis.end)
    _steps(plot, "requested", series["requested"], end, {"color": GREY, "linestyle": ":", "linewidth": 2.5})
    _steps(plot, "configured", series["configured"], end, {"color": GREEN, "linestyle": "-", "linewidth": 1.2})
    if series["observed"]:
        x, y = zip(*series["observed"], strict=True)
        plot.plot(x, y, label="observed", color="black", linestyle="none", marker="x", markersize=5)
    plot.set_ylim(-4, 104)
    last = {name: points[-1][1] if points else 0 for name, points in series.items()}
    sentence = (
        f"At the end {last['requested']:.0f} % were requested, {last['configured']:.0f} % configured "
        f"and {last['observed']:.0f} % observed."
    )
    return _chart(title, sentence, series, figure, plot)


def _observed(metrics: Metrics, who: Roles, axis: Timeline) -> tuple[tuple[float, float], ...]:
    by_minute: dict[datetime, dict[str, float]] = {}
    for minute in metrics.minutes:
        by_minute.setdefault(minute.at, {})[minute.group] = minute.requests or 0
    return tuple(
        (axis.minutes(at + timedelta(seconds=30)), 100 * counts.get(who.green, 0) / sum(counts.values()))
        for at, counts in sorted(by_minute.items())
        if sum(counts.values())
    )


def _points(
    minutes: Iterable[Minute], axis: Timeline, name: str, *, scale: float = 1
) -> tuple[tuple[float, float], ...]:
    # A minute's value is drawn in its middle.
    middle = timedelta(seconds=30)
    found = ((minute.at, getattr(minute, name)) for minute in minutes)
    return tuple((axis.minutes(at + middle), scale * value) for at, value in found if value is not None)


def _rates(minutes: Iterable[Minute], axis: Timeline) -> tuple[tuple[float, float], ...]:
    middle = timedelta(seconds=30)
    found = ((minute.at, minute.error_rate) for minute in minutes)
    return tuple((axis.minutes(at + middle), 100 * rate) for at, rate in found if rate is not None)


def _figure(title: str, unit: str, axis: Timeline) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    plot = figure.subplots()
    plot.set_title(title, loc="left", fontsize=11, fontweight="bold")
    plot.set_ylabel(unit, fontsize=9)
    plot.set_xlabel("minutes since the deployment began", fontsize=9)
    plot.tick_params(labelsize=8)
    plot.set_xlim(right=max(axis.minutes(axis.end), 1.0) * 1.03)
    plot.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    _mark_events(plot, axis)
    return figure, plot


def _mark_events(plot: Any, axis: Timeline) -> None:
    room = max(axis.minutes(axis.end), 1.0) / 25  # closer names would cover each other
    drawn: list[float] = []
    for at, name in sorted((event for event in axis.events if event[1] not in QUICK), reverse=True):
        if all(abs(at - other) > room for other in drawn):
            drawn.append(at)
            plot.axvline(at, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
            _name(plot, at, name, GREY)
    for at, text in axis.marks:
        plot.axvline(at, color="black", linewidth=1.2)
        _name(plot, at, text, "black")


def _name(plot: Any, at: float, text: str, color: str) -> None:
    plot.annotate(
        text,
        (at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -2),
        textcoords="offset points",
        rotation=90,
        va="top",
        fontsize=6.5,
        color=color,
    )


def _line(plot: Any, name: str, points: Sequence[tuple[float, float]], *, thin: bool = False) -> None:
    x, y = zip(*points, strict=True)
    style = dict(STYLE[name.split()[0]])
    if thin:
        style |= {"linewidth": 0.8, "alpha": 0.6, "markersize": 0}
    plot.plot(x, y, label=name, **style)


def _steps(plot: Any, name: str, points: Sequence[tuple[float, float]], end: float, style: dict[str, Any]) -> None:
    if points:
        # A share holds until it is changed.
        x, y = zip(*points, (max(end, points[-1][0]), points[-1][1]), strict=True)
        plot.step(x, y, where="post", label=name, **style)


def _limit(plot: Any, value: float, name: str) -> None:
    plot.axhline(value, color=LIMIT, linewidth=1.4, linestyle="-.", label=name)


def _chart(title: str, sentence: str, series: dict[str, Any], figure: Any, plot: Any) -> Chart:
    if any(series.values()):
        plot.set_ylim(bottom=min(0, plot.get_ylim()[0]))
        plot.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    else:
        plot.text(0.5, 0.5, "no data: nothing was measured", transform=plot.transAxes, ha="center", color=GREY)
        sentence = "No data: nothing was measured."
    return Chart(title, sentence, series, _png(figure))


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # Without the name of the software in it the same chart is the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
