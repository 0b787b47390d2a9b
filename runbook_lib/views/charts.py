"""Charts of a deployment on one time axis: blue drawn blue, green green, red only for a limit.

The title is a claim; the sentence reads the chart aloud and says whether the claim holds.
Drawn without pyplot: importing it costs more than everything else in a notebook, and a figure is one PNG.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from runbook_lib.metric import Metrics, Minute
from runbook_lib.views.axis import GREY, Roles, Timeline, figure_of

# Colour-blind safe (Okabe and Ito); each colour also has its own line and mark, so that a grey print can be read.
BLUE, GREEN, LIMIT = "#0072B2", "#009E73", "#D55E00"
COLOURS = ("blue", "green")
# Blue is wide and green narrow: where both have the same value, both are seen.
STYLE: dict[str, dict[str, Any]] = {
    "blue": {"color": BLUE, "linestyle": "-", "linewidth": 3.0, "marker": "o", "markersize": 5.5, "alpha": 0.8},
    "green": {"color": GREEN, "linestyle": "--", "linewidth": 1.5, "marker": "s", "markersize": 3.0},
}
# What is not the claim itself is drawn thinner, each with a pattern of its own.
MINOR: dict[str, dict[str, Any]] = {
    "unhealthy": {"linewidth": 1.0, "linestyle": ":", "markersize": 3.5, "marker": "x"},
    "p95": {"linewidth": 1.2, "linestyle": (0, (4, 1, 1, 1)), "marker": None},
    "p50": {"linewidth": 1.0, "linestyle": (0, (1, 1.5)), "marker": None},
}
TOLERANCE = 5.0  # percentage points by which a minute may differ from what was asked for: a step takes some seconds
MIDDLE = timedelta(seconds=30)  # a minute's value is drawn in its middle
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """A chart: its claim, the sentence that reads it aloud, the plotted data, and the picture."""

    title: str
    sentence: str
    data: dict[str, Points]  # series -> (minute, value)
    png: bytes = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return self.title


def health(metrics: Metrics, who: Roles, axis: Timeline) -> Chart:
    """Healthy and unhealthy targets of each group over time."""
    title = "Every target passes its health check"
    series = {
        f"{who.of(group)} {name}": _points(metrics.of(group), axis, name)
        for group in (who.blue, who.green)
        for name in ("healthy", "unhealthy")
    }
    figure, plot = figure_of(title, "targets", axis)
    _lines(plot, series)
    plot.yaxis.get_major_locator().set_params(integer=True)
    most = {name: max((value for _, value in points), default=0) for name, points in series.items()}
    seen = max(most["blue unhealthy"], most["green unhealthy"])
    # Targets that start are unhealthy until their first checks have passed; the shift waits for that.
    shift = next((at for at, name in axis.events if name == "AllowTraffic"), None)
    counted = (m for m in metrics.minutes if m.group != who.green or shift is None or axis.minutes(m.at) >= shift)
    worst = max((minute.unhealthy or 0 for minute in counted), default=0)
    starting = f" ({seen:g} while they started)" if seen > worst else ""
    sentence = (
        f"At most {most['blue healthy']:g} blue and {most['green healthy']:g} green targets were healthy; "
        f"at most {worst:g} were unhealthy{starting}. {_verdict(worst == 0)}"
    )
    return finished(title, sentence, series, figure, plot)


def latency(metrics: Metrics, who: Roles, axis: Timeline, *, limit: float) -> Chart:
    """p50, p95 and p99 of the targets' response time, in milliseconds; `limit` is in seconds."""
    title = f"Latency stays under {1000 * limit:g} ms (p99)"
    series = {
        f"{who.of(group)} {name}": _points(metrics.of(group), axis, name, scale=1000)
        for group in (who.blue, who.green)
        for name in ("p50", "p95", "p99")
    }
    figure, plot = figure_of(title, "milliseconds", axis)
    _lines(plot, series)
    _limit(plot, 1000 * limit, "limit for p99")
    worst = {colour: _most(series[f"{colour} p99"]) for colour in COLOURS}
    sentence = (
        f"The highest p99 of a minute was {worst['blue']:.0f} ms on blue and {worst['green']:.0f} ms on green. "
        f"{_verdict(max(worst.values()) <= 1000 * limit)}"
    )
    return finished(title, sentence, series, figure, plot)


def errors(metrics: Metrics, who: Roles, axis: Timeline, *, limit: float) -> Chart:
    """The share of failed requests of each group, in percent; `limit` is in percent."""
    title = f"Failed requests stay under {limit:g} %"
    series = {who.of(group): _rates(metrics.of(group), axis) for group in (who.blue, who.green)}
    figure, plot = figure_of(title, "percent of requests", axis)
    _lines(plot, series)
    _limit(plot, limit, "limit")
    failed = {colour: sum(m.failed or 0 for m in metrics.of(getattr(who, colour))) for colour in COLOURS}
    whole = sum(minute.requests or 0 for minute in metrics.minutes)
    worst = {colour: _most(series[colour]) for colour in COLOURS}
    sentence = (
        f"{failed['blue']:.0f} requests failed on blue and {failed['green']:.0f} on green, of {whole:.0f} in all; "
        f"in their worst minutes {worst['blue']:.2f} % and {worst['green']:.2f} %. "
        f"{_verdict(max(worst.values()) <= limit)}"
    )
    return finished(title, sentence, series, figure, plot)


def shares(
    metrics: Metrics,
    who: Roles,
    axis: Timeline,
    *,
    requested: Iterable[tuple[datetime, float]],
    configured: Iterable[tuple[datetime, float]],
) -> Chart:
    """The green share of production traffic in percent: asked for, configured in the listener, and observed."""
    title = "Green gets the share that was asked for"
    series: dict[str, Points] = {
        "requested": tuple((axis.minutes(at), share) for at, share in requested),
        "configured": tuple((axis.minutes(at), share) for at, share in configured),
        "observed": _observed(metrics, who, axis),
    }
    figure, plot = figure_of(title, "percent of requests to green", axis)
    end = axis.bounds[1]
    _steps(plot, "requested", series["requested"], end, {"color": GREY, "linestyle": ":", "linewidth": 3})
    _steps(plot, "configured", series["configured"], end, {"color": GREEN, "linestyle": "-", "linewidth": 1.2})
    if series["observed"]:
        x, y = zip(*series["observed"], strict=True)
        plot.plot(x, y, label="observed", color="black", linestyle="none", marker="x", markersize=5)
    plot.set_ylim(-4, 104)
    return finished(title, _shares_sentence(series), series, figure, plot)


def _shares_sentence(series: Mapping[str, Points]) -> str:
    asked, set_to, counted = series["requested"], series["configured"], series["observed"]
    told = f"{set_to[-1][1]:.0f} % configured" if set_to else "no configured share is known: no journal has it"
    words = f"At the end {asked[-1][1]:.0f} % were requested and {told}."
    during = [(at, share) for at, share in counted if at >= 0.5]  # what was before is another deployment's
    if not during:
        return f"{words} No minute of it is measured yet."
    gap = max(abs(share - _mean(asked, at - 0.5, at + 0.5)) for at, share in during)
    at, share = during[-1]
    return (
        f"{words} The last minute that is measured ends at {_at(at + 0.5)}: {share:.0f} % were observed and "
        f"{_mean(asked, at - 0.5, at + 0.5):.0f} % requested in it. "
        f"No minute differs by more than {gap:.0f} points. {_verdict(gap <= TOLERANCE)}"
    )


def _mean(points: Points, since: float, until: float) -> float:
    """The mean of a value that holds until it is changed, between two times; before the first point it is 0."""
    moments = [since, *(at for at, _ in points if since < at < until), until]
    values = [next((value for at, value in reversed(points) if at <= moment), 0.0) for moment in moments[:-1]]
    spans = (later - earlier for earlier, later in pairwise(moments))
    return sum(value * span for value, span in zip(values, spans, strict=True)) / (until - since)


def _observed(metrics: Metrics, who: Roles, axis: Timeline) -> Points:
    by_minute: dict[datetime, dict[str, float]] = {}
    for minute in metrics.minutes:
        by_minute.setdefault(minute.at, {})[minute.group] = minute.requests or 0
    return tuple(
        (axis.minutes(at + MIDDLE), 100 * counts.get(who.green, 0) / sum(counts.values()))
        for at, counts in sorted(by_minute.items())
        if sum(counts.values())
    )


def _points(minutes: Iterable[Minute], axis: Timeline, name: str, *, scale: float = 1) -> Points:
    found = ((minute.at, getattr(minute, name)) for minute in minutes)
    return tuple((axis.minutes(at + MIDDLE), scale * value) for at, value in found if value is not None)


def _rates(minutes: Iterable[Minute], axis: Timeline) -> Points:
    found = ((minute.at, minute.error_rate) for minute in minutes)
    return tuple((axis.minutes(at + MIDDLE), 100 * rate) for at, rate in found if rate is not None)


def _most(points: Points) -> float:
    return max((value for _, value in points), default=0.0)


def _verdict(holds: bool) -> str:
    return "The claim holds." if holds else "The claim does not hold."


def _at(minute: float) -> str:
    sign, seconds = ("-" if minute < 0 else "+"), round(abs(minute) * 60)
    return f"T{sign}{seconds // 60:02d}:{seconds % 60:02d}"


def _lines(plot: Any, series: Mapping[str, Points]) -> None:
    for name, points in series.items():
        if points:
            x, y = zip(*points, strict=True)
            colour, _, minor = name.partition(" ")
            plot.plot(x, y, label=name, **STYLE[colour] | MINOR.get(minor, {}))


def _steps(plot: Any, name: str, points: Sequence[tuple[float, float]], end: float, style: dict[str, Any]) -> None:
    if points:
        # A share holds until it is changed.
        x, y = zip(*points, (max(end, points[-1][0]), points[-1][1]), strict=True)
        plot.step(x, y, where="post", label=name, **style)


def _limit(plot: Any, value: float, name: str) -> None:
    plot.axhline(value, color=LIMIT, linewidth=1.4, linestyle="-.", label=name)


def finished(title: str, sentence: str, series: dict[str, Points], figure: Any, plot: Any) -> Chart:
    """A drawn figure as a chart, with its legend; one without data says so."""
    if any(series.values()):
        low, high = plot.get_ylim()
        plot.set_ylim(min(0, low), high + 0.04 * (high - low))
        plot.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    else:
        plot.text(0.5, 0.5, "no data: nothing was measured", transform=plot.transAxes, ha="center", color=GREY)
        sentence = "No data: nothing was measured."
    return Chart(title, sentence, series, _png(figure))


def drawn(title: str, sentence: str, series: dict[str, Points], figure: Any) -> Chart:
    """A drawn figure as a chart, as it is."""
    return Chart(title, sentence, series, _png(figure))


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # Without the name of the software in it the same chart is the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
