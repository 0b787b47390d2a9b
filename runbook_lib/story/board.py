"""The board of a deployment under way: both colours beside each other, and what stands around them."""

from __future__ import annotations

from datetime import datetime

from runbook_lib.metric import Minute
from runbook_lib.story.tracking import Seen
from runbook_lib.table import Table, table

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
