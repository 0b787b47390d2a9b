"""Charts of an incident by the clock: what users felt, by role, with what happened above it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from runbook_lib.incident.harm import Harm
from runbook_lib.incident.look import Incident
from runbook_lib.incident.roles import BLUE, GREEN, LIVE, role_of
from runbook_lib.metric import NO_GROUP, Minute
from runbook_lib.views import charts
from runbook_lib.views.axis import DPI, GREY, SIZE, by_the_clock
from runbook_lib.views.charts import MIDDLE, Chart, Points

NO_TARGET = "no target"  # the line of what no target group got: every request of it failed
COLOURS: dict[str, dict[str, Any]] = {
    LIVE: {"color": "#555555", "linestyle": "-", "linewidth": 2.0, "marker": "o", "markersize": 3.5},
    BLUE: charts.STYLE["blue"],
    GREEN: charts.STYLE["green"],
    NO_TARGET: {"color": "#CC79A7", "linestyle": ":", "linewidth": 1.5, "marker": "x", "markersize": 4.5},
}
HARM = "#D55E00"
TOLD = ("alarm", "delivery", "run")  # what is written into the picture
APART = 0.022  # of the width: names that are closer cover each other


def errors(incident: Incident) -> Chart:
    """The share of failed requests of each role, minute by minute, in percent."""
    title = "Failed requests by role"
    series = _series(incident, lambda minute: None if minute.error_rate is None else 100 * minute.error_rate)
    figure, plot = _figure(incident, title, "percent of requests")
    _draw(plot, incident, series)
    return _chart(title, _sentence(incident, series, "%"), incident, series, figure, plot)


def latency(incident: Incident, *, limit_ms: float | None = None) -> Chart:
    """The p99 of each role's response time, minute by minute, in milliseconds, with the line of the objective.

    `limit_ms` is the objective; None: the one by which the access log was counted, and no line where none was.
    """
    title = "Response time by role (p99)"
    series = _series(incident, lambda minute: None if minute.p99 is None else 1000 * minute.p99)
    figure, plot = _figure(incident, title, "milliseconds")
    _draw(plot, incident, series)
    sentence, log = _sentence(incident, series, "ms"), incident.seen.requests
    limit = limit_ms if limit_ms is not None else log.slow_ms if log else None
    if limit is not None and series:
        plot.axhline(limit, color=charts.LIMIT, linewidth=1.4, linestyle="-.", label="objective")
        sentence += f" The objective is {limit:g} ms (the level line)."
        window = incident.seen.window
        series = {**series, "objective": [(window.start, limit), (window.end, limit)]}
    return _chart(title, sentence, incident, series, figure, plot)


def requests(incident: Incident) -> Chart:
    """The requests of each role, minute by minute."""
    title = "Requests by role"
    series = _series(incident, lambda minute: minute.requests)
    figure, plot = _figure(incident, title, "requests a minute")
    _draw(plot, incident, series)
    return _chart(title, _sentence(incident, series, "requests a minute"), incident, series, figure, plot)


def heat(incident: Incident) -> Chart:
    """How long the answers took: each minute a column, each quarter of an octave a row, darker for more requests.

    Minutes with requests that no target answered bear a cross: they took no time that could be drawn.
    """
    title = "How long answers took"
    seen = incident.seen.requests
    figure, plot = _figure(incident, title, "milliseconds")
    if seen is None:
        return charts.finished(title, "", {"answers": ()}, figure, plot)
    from matplotlib.colors import LogNorm
    from matplotlib.dates import date2num
    from numpy import array, ma

    grid = array(seen.heat.counts).T
    edges = [*seen.heat.bounds_ms, seen.heat.bounds_ms[-1] * 2**0.25]
    times = [date2num(at) for at in (*seen.heat.minutes, seen.heat.minutes[-1] + timedelta(minutes=1))]
    mesh = plot.pcolormesh(
        times, edges, ma.masked_equal(grid, 0), cmap="viridis_r", norm=LogNorm(1, max(2, int(grid.max())))
    )
    figure.colorbar(mesh, ax=plot, label="requests").ax.tick_params(labelsize=7)
    plot.set_yscale("log", base=10)
    plot.yaxis.set_major_formatter("{x:g}")
    for at in (incident.harm.start, incident.harm.end) if incident.harm else ():
        plot.axvline(date2num(at), color=HARM, linewidth=1.2)
    used = [row for row, line in enumerate(grid) if line.any()]
    plot.set_ylim(edges[used[0]] if used else 1, max(edges[used[-1] + 1] if used else 1, 1.2 * seen.slow_ms))
    plot.set_xlim(times[0], times[-1])
    plot.axhline(seen.slow_ms, color=charts.LIMIT, linewidth=1.2, linestyle="-.")
    sentence = f"During the harm {seen.slow} of the answers took longer than {seen.slow_ms} ms (the level line)."
    whole = tuple((number + 0.5, float(sum(column))) for number, column in enumerate(seen.heat.counts))
    lost = tuple((number + 0.5, float(many)) for number, many in enumerate(seen.heat.unanswered) if many)
    if lost:
        middles = [date2num(seen.heat.minutes[int(number)] + MIDDLE) for number, _ in lost]
        plot.plot(
            middles,
            [0.97] * len(middles),
            transform=plot.get_xaxis_transform(),
            **COLOURS[NO_TARGET] | {"linestyle": ""},
        )
        sentence += f" {sum(many for _, many in lost):.0f} requests had no answer of a target (crosses)."
    return charts.drawn(title, sentence, {"answers": whole, "unanswered": lost}, figure)


def _series(incident: Incident, value: Any) -> dict[str, list[tuple[datetime, float]]]:
    """The points of each role; a role of another deployment, or after another one, is a line of its own."""
    found: dict[str, list[tuple[datetime, float]]] = {}
    for minute in incident.seen.measured.minutes:
        role = _role(incident, minute)
        point = value(minute) if minute.requests else None
        if role and point is not None:
            found.setdefault(role, []).append((minute.at + MIDDLE, float(point)))
    return found


def _role(incident: Incident, minute: Minute) -> str | None:
    if minute.group == NO_GROUP:
        return NO_TARGET
    tenure = role_of(incident.seen.tenures, minute.group, minute.at)
    return tenure.role if tenure else None


def _sentence(incident: Incident, series: dict[str, list[tuple[datetime, float]]], unit: str) -> str:
    if incident.harm is None:
        return "No minute of the window hurt users."
    during = {role: [v for at, v in points if _in(incident.harm, at)] for role, points in series.items()}
    worst = ", ".join(f"{max(values):.4g} {unit} on {role}" for role, values in during.items() if values)
    window = incident.seen.window
    moment = "%H:%M" if window.start.date() == window.end.date() else "%m-%d %H:%M"
    span = f"{incident.harm.start:{moment}} to {incident.harm.end:{moment}}"
    return f"From {span} the highest minute was {worst or 'not measured'}."


def _in(harm: Harm, at: datetime) -> bool:
    return harm.start <= at < harm.end


def _figure(incident: Incident, title: str, unit: str) -> tuple[Any, Any]:
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0], SIZE[1] + 0.4), dpi=DPI, layout="constrained")
    plot = figure.subplots()
    plot.set_title(title, loc="left", fontsize=11, fontweight="bold")
    plot.set_ylabel(unit, fontsize=9)
    by_the_clock(plot, incident.seen.window.start, incident.seen.window.end)
    plot.tick_params(labelsize=8)
    plot.set_xlim(date2num(incident.seen.window.start), date2num(incident.seen.window.end))
    plot.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    return figure, plot


def _draw(plot: Any, incident: Incident, series: dict[str, list[tuple[datetime, float]]]) -> None:
    for role, points in series.items():
        for number, part in enumerate(_unbroken(points)):
            x, y = zip(*part, strict=True)
            # matplotlib leaves names that begin with a line out of its legend: each role is there once.
            plot.plot(x, y, label=f"_{role}" if number else role, **COLOURS[role])
    if incident.harm:
        plot.axvspan(incident.harm.start, incident.harm.end, color=HARM, alpha=0.12, linewidth=0, label="harm")
    _mark(plot, incident)


def _unbroken(points: Sequence[tuple[datetime, float]]) -> Iterable[list[tuple[datetime, float]]]:
    """A line ends where its role ends: points that are minutes apart are not joined."""
    part: list[tuple[datetime, float]] = []
    for at, value in points:
        if part and at - part[-1][0] > timedelta(minutes=2):
            yield part
            part = []
        part.append((at, value))
    if part:
        yield part


def _mark(plot: Any, incident: Incident) -> None:
    """Alarms, deployments and verdicts as lines with their first words; those that would cover another are left out."""
    window = incident.seen.window
    room = (window.end - window.start) * APART
    drawn: list[datetime] = []
    known = [entry for entry in incident.timeline.of(*TOLD) if not entry.what.startswith(("build", "run", "gate"))]
    for entry in sorted(known, key=lambda entry: (entry.kind != "alarm", entry.at)):
        if all(abs(entry.at - other) > room for other in drawn):
            drawn.append(entry.at)
            plot.axvline(entry.at, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
            _name(plot, entry.at, _short(entry.what), left=window.end - entry.at < room)


def _short(what: str) -> str:
    words = what.partition(": Threshold")[0].partition(" (")[0].partition(": ALARM_ACTIVE")[0]
    return words if len(words) <= 44 else f"{words[:42]}..."


def _name(plot: Any, at: datetime, text: str, *, left: bool) -> None:
    plot.annotate(
        text,
        (at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-2 if left else 2, -2),
        textcoords="offset points",
        rotation=90,
        ha="right" if left else "left",
        va="top",
        fontsize=6.5,
        color=GREY,
        zorder=1.5,  # under the curves, which matplotlib draws at 2
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
    )


def _chart(
    title: str,
    sentence: str,
    incident: Incident,
    series: dict[str, list[tuple[datetime, float]]],
    figure: Any,
    plot: Any,
) -> Chart:
    start = incident.seen.window.start
    data: dict[str, Points] = {
        role: tuple(((at - start).total_seconds() / 60, value) for at, value in points)
        for role, points in series.items()
    }
    return charts.finished(title, sentence, data, figure, plot)
