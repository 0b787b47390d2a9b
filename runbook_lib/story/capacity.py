"""Capacity and cost: load against what the tasks can carry, the second environment's price, and sizes that would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib import balancer, capacity, deployment, metric, scaling, service
from runbook_lib import cost as prices
from runbook_lib.account import Account
from runbook_lib.capacity import Load, Usage
from runbook_lib.deployment import Deployment
from runbook_lib.errors import BadInput
from runbook_lib.scaling import Activity, Target
from runbook_lib.story.tracking import LAG
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import capacity as drawing
from runbook_lib.views import charts

LONGEST = 14 * 24  # hours: points of a minute are kept for 15 days
SHOWN = 5


@dataclass(frozen=True)
class Look:
    """What was measured of the service in the last hours, and what follows from it."""

    usage: Usage
    load: Load | None  # None: the minutes do not tell
    start: datetime
    end: datetime
    tasks: int  # that are wanted now
    target: Target | None  # None: nothing scales the service
    activities: tuple[Activity, ...]
    releases: tuple[Deployment, ...]  # in those hours, oldest first

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400


def read(account: Account, system: System, hours: int) -> Look:
    """Read the last hours; raises BadInput for more than CloudWatch keeps by the minute."""
    if not 1 <= hours <= LONGEST:
        raise BadInput(where="hours", seen=str(hours), wanted=f"1 to {LONGEST}", next_step="correct hours")
    lb = balancer.read_balancer(account, system)
    end = metric.closed(account.clock.now(), lag=LAG)
    start = end - timedelta(hours=hours)
    usage = capacity.read_usage(account, system, lb, start=start, end=end)
    found = service.read_service(account, system, system.service)
    past = [one for one in deployment.read_deployments(account, system) if one.created >= start]
    return Look(
        usage=usage,
        load=capacity.load(usage),
        start=usage.minutes[0].at if usage.minutes else start,
        end=end,
        tasks=found.desired if found else system.params.service.desired_count,
        target=scaling.read_target(account, system),
        activities=scaling.read_activities(account, system, since=start),
        releases=tuple(sorted(past, key=lambda one: one.created)),
    )


def usage(account: Account, system: System, found: Look) -> Table:
    """Peaks and usual values of requests, tasks, CPU and memory."""
    del account, system
    units = {"requests": "a minute", "tasks": "tasks", "cpu": "% of CPU", "memory": "% of memory"}
    rows = [
        {"what": name, "usual": _number(found.usage.usual(name)), "peak": _number(found.usage.peak(name)), "unit": unit}
        for name, unit in units.items()
    ]
    return table(f"{len(found.usage.minutes)} minutes until {found.end:%Y-%m-%d %H:%M} UTC", rows)


def chart(account: Account, system: System, found: Look) -> charts.Chart:
    """The requests a second, and what the tasks could carry."""
    del account, system
    return drawing.load(found.usage, found.load, [(one.created, one.completed) for one in found.releases])


def carried(account: Account, system: System, found: Look) -> Table:
    """What a task carries, and how many are needed for the peak, and with one lost."""
    del account, system
    if found.load is None:
        why = f"fewer than {capacity.FEW} minutes with traffic, or CPU did not rise with the requests"
        return table("What a task carries", [{"what": "not known", "seen": why}])
    peak = (found.usage.peak("requests") or 0) / 60
    needed, spare = (capacity.tasks_for(found.load, peak + more) for more in (0.0, found.load.rps_per_task))
    rows = [
        ("CPU at rest", f"{found.load.idle_percent:.1f} %"),
        ("CPU for each request a second", f"{found.load.percent_per_rps:.2f} %"),
        (f"requests a second until {capacity.BUSY:.0f} % CPU", f"{found.load.rps_per_task:.0f} a task"),
        ("highest minute", f"{peak:.0f} requests a second"),
        ("tasks needed for it", f"{needed}, and {spare} to bear the loss of one; {found.tasks} are wanted now"),
    ]
    return table("What a task carries", [{"what": what, "seen": seen} for what, seen in rows])


def scaled(account: Account, system: System, found: Look) -> Table:
    """What scaling may do, and what it did."""
    del account, system
    if found.target is None:
        rows = [{"when": "-", "what": "nothing scales the service", "why": "no scalable target is registered"}]
    else:
        still = ", suspended" if found.target.still else ""
        rows = [{"when": "-", "what": f"{found.target.minimum} to {found.target.maximum} tasks{still}", "why": "-"}]
    rows += [
        {"when": f"{one.at:%m-%d %H:%M}", "what": one.description, "why": one.cause} for one in found.activities[:SHOWN]
    ]
    return table("Scaling", rows, ("when", "what", "why"))


def cost(account: Account, system: System, found: Look) -> Table:
    """What the service costs, and what the second environment adds: per release and per month."""
    del account
    spans = _both(found)
    each = capacity.second_environment(system, spans)
    month = len(spans) / found.days * prices.HOURS / 24 if found.days >= 1 else None
    rows = [
        (f"{found.tasks} tasks, a month", f"{prices.tasks(system, found.tasks):.2f} USD"),
        (f"releases in {_days(found.days)}", str(len(spans))),
        ("both environments stood, on average", _mean(spans)),
        ("the second environment, a release", f"{each:.3f} USD"),
        ("the second environment, a month", _monthly(month, each)),
    ]
    title = f"Cost, by the prices of {system.params.prices.as_of}"
    return table(title, [{"what": what, "takes": takes} for what, takes in rows])


def sizes(account: Account, system: System, found: Look) -> Table:
    """Sizes of a task that would carry the peak, the cheapest first."""
    del account
    if found.load is None:
        return table("Sizes that would do", [{"size": "not known", "because": "what a task carries is not known"}])
    now = (found.usage.cpu_units, found.usage.memory_mib)
    rows = [
        {
            "size": f"{one.cpu_units} CPU units, {one.memory_mib} MiB",
            "today's": (one.cpu_units, one.memory_mib) == now,
            "tasks": one.tasks,
            "USD a month": f"{one.usd_month:.2f}",
            "because": one.why,
        }
        for one in capacity.sizes(system, found.usage, found.load)[:SHOWN]
    ]
    return table(
        "Sizes that would do, by CPU and memory alone", rows, ("size", "today's", "tasks", "USD a month", "because")
    )


def _both(found: Look) -> list[tuple[timedelta, int]]:
    """How long both environments stood in each release that is over: from its beginning to its end."""
    over = (one for one in found.releases if one.completed and one.rolls_back is None)
    return [(one.completed - one.created, found.tasks) for one in over if one.completed]


def _monthly(releases: float | None, each: float) -> str:
    if releases is None:
        return f"{each:.3f} USD times the releases: less than a day tells no number of them"
    return f"{releases * each:.2f} USD, at {releases:.0f} releases as in these days"


def _mean(spans: list[tuple[timedelta, int]]) -> str:
    if not spans:
        return "no release is over in these hours"
    return f"{sum(span.total_seconds() for span, _ in spans) / len(spans) / 60:.0f} min"


def _days(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
