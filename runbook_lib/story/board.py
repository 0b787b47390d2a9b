"""The board of a deployment under way: both colours beside each other, and the green share as it grows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from runbook_lib.metric import Minute
from runbook_lib.story.tracking import Sample, Seen
from runbook_lib.table import Table, table
from runbook_lib.views import axis, charts

HEADINGS = ("colour", "target group", "asked for", "configured", "observed", "running", "healthy", "failed", "p95")


def table_of(seen: Seen) -> Table:
    """Shares that were asked for, configured and observed, tasks, health, failures and latency of blue and green.

    What is measured is that of the last closed minute; the title says which.
    """
    minutes = {minute.group: minute for minute in seen.metrics.minutes}
    newest = max((minute.at for minute in minutes.values()), default=None)
    whole = sum(minute.requests or 0 for minute in minutes.values() if minute.at == newest)
    rows = []
    for label in ("Blue", "Green"):
        group = seen.group(label)
        if group is None:
            continue
        minute = minutes.get(group) if group in minutes and minutes[group].at == newest else None
        asked = seen.requested if label == "Green" else None if seen.requested is None else 100 - seen.requested
        rows.append(
            {
                "colour": label.lower(),
                "target group": group,
                "asked for": _percent(asked),
                "configured": _percent(seen.sample.weights.get(group)),
                "observed": _percent(100 * (minute.requests or 0) / whole if minute and whole else None),
                "running": seen.sample.running.get(group),
                "healthy": _health(minute),
                "failed": _failed(minute),
                "p95": f"{1000 * minute.p95:.0f} ms" if minute and minute.p95 is not None else None,
            }
        )
    return table(f"{seen.deployment.id}: {seen.deployment.phase}{_until(newest)}", rows, HEADINGS)


def chart_of(seen: Seen, samples: Iterable[Sample]) -> charts.Chart | None:
    """The green share of production traffic until now: asked for, configured, observed; None before there is green."""
    blue, green = seen.group("Blue"), seen.group("Green")
    if blue is None or green is None or not seen.course:
        return None
    who, found = axis.Roles(blue, green), seen.deployment
    line = axis.timeline(found, first=found.created, end=seen.at, closed=seen.metrics.end)
    asked = ((found.created, 0.0), *((at, percent) for at, percent in seen.course if at <= seen.at))
    configured = tuple((one.at, one.weights.get(green, 0.0)) for one in samples)
    return charts.shares(seen.metrics, who, line, requested=asked, configured=configured)


def _until(newest: datetime | None) -> str:
    return f"; measured in the minute of {newest:%H:%M} UTC" if newest else "; nothing is measured yet"


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} %"


def _health(minute: Minute | None) -> str | None:
    if minute is None or minute.healthy is None:
        return None
    return f"{minute.healthy:.0f}, {minute.unhealthy or 0:.0f} not"


def _failed(minute: Minute | None) -> str | None:
    if minute is None or minute.error_rate is None:
        return None
    return f"{minute.failed or 0:.0f} of {minute.requests or 0:.0f}"
