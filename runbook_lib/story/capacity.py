"""Capacity and cost: load against what the tasks can carry, the second environment's price, and sizes that would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runbook_lib import balancer, capacity, deployment, metric, scaling, service
from runbook_lib import cost as prices
from runbook_lib.account import Account
from runbook_lib.capacity import Load, Usage
from runbook_lib.cost import TaskSize
from runbook_lib.deployment import Deployment
from runbook_lib.errors import BadInput, CheckFailed
from runbook_lib.scaling import Activity, Target
from runbook_lib.story.tracking import LAG
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.views import capacity as drawing
from runbook_lib.views import charts

LONGEST = 14 * 24  # hours: points of a minute are kept for 15 days
SHOWN = 5
UNKNOWN = f"fewer than {capacity.FEW} minutes with traffic, or CPU did not rise with the requests beyond doubt"


@dataclass(frozen=True)
class Look:
    """What was measured of the service in the last hours, and what follows from it."""

    usage: Usage
    load: Load | None  # None: the minutes do not tell
    start: datetime
    end: datetime
    tasks: int  # that are wanted now
    revision: str  # that is live: its size is the one of `usage`
    target: Target | None  # None: nothing scales the service
    activities: tuple[Activity, ...]
    releases: tuple[Deployment, ...]  # in those hours, oldest first

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400

    @property
    def stretch(self) -> str:
        """The measured stretch in words."""
        return f"{self.start:%Y-%m-%d %H:%M} to {_until(self.start, self.end)} UTC"


def read(account: Account, system: System, hours: int) -> Look:
    """Read the last hours; raises BadInput for more than CloudWatch keeps by the minute, CheckFailed without a service
    or a load balancer.
    """
    if not 1 <= hours <= LONGEST:
        raise BadInput(where="hours", seen=str(hours), wanted=f"1 to {LONGEST}", next_step="correct hours")
    found = service.read_service(account, system, system.service)
    lb = balancer.read_balancer(account, system)
    if found is None or lb.arn is None:
        missing = f"service {system.service}" if found is None else f"load balancer {system.balancer}"
        raise CheckFailed(
            where="70_capacity_and_cost",
            seen=f"no {missing}",
            wanted="a service behind CodeDeploy with its load balancer",
            next_step="run 10_provision and 15_move_service, or name the right service in the parameter file",
        )
    end = metric.closed(account.clock.now(), lag=LAG)
    start = end - timedelta(hours=hours)
    size = prices.read_size(account, found.live) or prices.of_parameters(system)
    past = deployment.read_deployments_since(account, system, start)
    usage = capacity.read_usage(account, system, lb, size, start=start, end=end)
    usage = replace(usage, sized=_sized(account, system, past, size, start))
    return Look(
        usage=usage,
        load=capacity.load(usage),
        start=usage.minutes[0].at if usage.minutes else start,
        end=end,
        tasks=found.desired,
        revision=found.live,
        target=scaling.read_target(account, system),
        activities=scaling.read_activities(account, system, since=start),
        releases=tuple(reversed(past)),
    )


def usage(account: Account, system: System, found: Look) -> Table:
    """Peaks and usual values of requests, tasks, CPU and memory."""
    del account, system
    used = found.usage
    cpu, memory = f"% of {used.size.cpu_units} CPU units", f"% of {used.size.memory_mib} MiB"
    units = {
        "requests": ("requests", "a minute, of both environments", "RequestCount"),
        "tasks": ("tasks", "that live, of both environments", "LiveTaskCount"),
        "cpu": ("CPU", f"{cpu}, mean of the tasks", "CPUUtilization"),
        "memory": ("memory", f"{memory}, the task that used most", "MemoryUtilization"),
    }
    rows = [
        {
            "what": what,
            "usual": _number(used.usual(name)),
            "peak": _number(used.peak(name)),
            "unit": unit,
            "from": whence,
        }
        for name, (what, unit, whence) in units.items()
    ]
    where = f"{len(used.minutes)} minutes of CloudWatch, {found.stretch}" if used.minutes else _unmeasured(found)
    of_size = f"; CPU and memory since {used.sized:%m-%d %H:%M}: tasks had another size before" if used.sized else ""
    return table(f"{where}{of_size}", rows)


def chart(account: Account, system: System, found: Look) -> charts.Chart:
    """The requests a second, and what the tasks that take them could carry."""
    del account, system
    return drawing.load(found.usage, found.load, [(one.created, one.completed) for one in found.releases])


def carried(account: Account, system: System, found: Look) -> Table:
    """What a task carries, and how many are needed for the peak, and with one lost."""
    del account, system
    title = f"What a task of {found.usage.size} carries ({found.revision})"
    if found.load is None:
        return table(title, [{"what": "not known", "seen": UNKNOWN}])
    peak = (found.usage.peak("requests") or 0) / 60
    rows = [
        ("CPU at rest", f"{found.load.idle_percent:.1f} %"),
        ("CPU for each request a second", f"{found.load.percent_per_rps:.2f} %"),
        (f"requests a second until {capacity.BUSY:.0f} % CPU", f"{found.load.rps_per_task:.0f} a task"),
        ("highest minute", f"{peak:.0f} requests a second"),
        ("tasks needed for it", _needed(found.load, peak, found)),
    ]
    return table(title, [{"what": what, "seen": seen} for what, seen in rows])


def scaled(account: Account, system: System, found: Look) -> Table:
    """What scaling may do, and what it did."""
    del account, system
    if found.target is None:
        rows = [{"when": "now", "what": "nothing scales the service", "why": "no scalable target is registered"}]
    else:
        still = f"; suspended: {', '.join(found.target.held)}" if found.target.held else ""
        bounds = f"may have {found.target.minimum} to {found.target.maximum} tasks{still}"
        rows = [{"when": "now", "what": bounds, "why": _too_few(found) or "the bounds of the scalable target"}]
    shown = found.activities[:SHOWN]
    rows += [{"when": f"{one.at:%m-%d %H:%M}", "what": one.description, "why": one.cause} for one in shown]
    many = len(found.activities)
    newest = f", the newest {len(shown)} are shown" if many > len(shown) else ""
    title = f"Scaling: {_count(many, 'activity', 'activities')}{newest}, {found.stretch}"
    return table(title, rows, ("when", "what", "why"))


def cost(account: Account, system: System, found: Look) -> Table:
    """What the service costs, and what the second environment of past releases added: each, and per month."""
    del account
    size, planned, spans = found.usage.size, prices.of_parameters(system), _both(found)
    each = capacity.second_environment(system, size, spans)
    rows = [(f"{_tasks(found.tasks)} of {size} ({found.revision}), a month", _month(system, found.tasks, size))]
    if (size.cpu_units, size.memory_mib) != (planned.cpu_units, planned.memory_mib):
        rows.append((f"the same with {planned}, as the parameters say", _month(system, found.tasks, planned)))
    rows += [
        (f"releases that ended in {_days(found.days)}", str(len(spans))),
        ("both environments stood, on average", _mean(spans)),
        (f"the second environment of one, {_tasks(found.tasks)} for so long", _each(each)),
        ("the second environments of a month", _monthly(found, len(spans), each)),
    ]
    return table(f"Cost, by {prices.basis(system, size)}", [{"what": what, "takes": takes} for what, takes in rows])


def sizes(account: Account, system: System, found: Look) -> Table:
    """Sizes of a task that would carry the peak, the cheapest first, and today's."""
    del account
    title = "Sizes that would do, by CPU and memory alone"
    if found.load is None:
        return table(title, [{"size": "not known", "because": f"what a task carries is not known: {UNKNOWN}"}])
    options = capacity.sizes(system, found.usage, found.load)
    if not options:
        return table(title, [{"size": "not known", "because": "how much memory the tasks use was not measured"}])
    shown = [one for place, one in enumerate(options) if place < SHOWN or one.size == found.usage.size]
    rows = [
        {
            "size": str(one.size),
            "today's": one.size == found.usage.size,
            "tasks": one.tasks,
            "USD a month": None if one.usd_month is None else f"{one.usd_month:.2f}",
            "because": one.why,
        }
        for one in shown
    ]
    peak = (found.usage.peak("requests") or 0) / 60
    return table(
        f"{title}, for {peak:.0f} requests a second", rows, ("size", "today's", "tasks", "USD a month", "because")
    )


def _sized(
    account: Account, system: System, past: Sequence[Deployment], now: TaskSize, start: datetime
) -> datetime | None:
    """Since when tasks have the size of now, None: for the whole stretch; `past` are its deployments, newest first."""
    before = deployment.read_deployments(account, system)
    went_well = [
        one
        for one in dict.fromkeys((*past, *(one for one in before if one.created < start)))
        if one.status == "Succeeded" and one.rolls_back is None
    ]
    since: datetime | None = None
    for one in went_well:
        revision = deployment.read_task_definition_of(account, system, one)
        size = prices.read_size(account, revision) if revision else None
        if size is not None and (size.cpu_units, size.memory_mib) != (now.cpu_units, now.memory_mib):
            return since
        if one.created < start:
            break  # it served when the stretch began
        since = one.completed
    return None


def _needed(load: Load, peak: float, found: Look) -> str:
    """How many tasks the highest minute needs, with one lost, and how many there are."""
    needed, spare = (capacity.tasks_for(load, peak + more) for more in (0.0, load.rps_per_task))
    wanted = f"{found.tasks} {'is' if found.tasks == 1 else 'are'} wanted now"
    if needed is None or spare is None:
        return f"no number of them: at rest they are above {capacity.BUSY:.0f} % already; {wanted}"
    short = ", which is too few" if found.tasks < needed else ""
    return f"{needed}, and {spare} to bear the loss of one; {wanted}{short}"


def _too_few(found: Look) -> str:
    """Where scaling must stop below what the highest minute needs."""
    if found.load is None or found.target is None:
        return ""
    needed = capacity.tasks_for(found.load, (found.usage.peak("requests") or 0) / 60)
    short = needed is not None and found.target.maximum < needed
    return f"too few: the highest minute needs {needed}" if short else ""


def _both(found: Look) -> list[tuple[timedelta, int]]:
    """How long both environments stood in each release that is over: from its beginning to its end."""
    over = (one for one in found.releases if one.completed and one.rolls_back is None)
    return [(one.completed - one.created, found.tasks) for one in over if one.completed]


def _month(system: System, count: int, size: TaskSize) -> str:
    return prices.usd(prices.tasks(system, count, size=size))


def _each(each: float | None) -> str:
    return "not known: no release is over in these hours" if each is None else prices.usd(each)


def _monthly(found: Look, many: int, each: float | None) -> str:
    if each is None:
        return "not known: no release is over in these hours"
    if found.days < 1:
        return f"{prices.usd(each)} times the releases: less than a day tells no number of them"
    month = many / found.days * prices.HOURS / 24
    return f"{prices.usd(month * each)}, at {month:.0f} releases as in these days"


def _mean(spans: list[tuple[timedelta, int]]) -> str:
    if not spans:
        return "no release is over in these hours"
    return (
        f"{sum(span.total_seconds() for span, _ in spans) / len(spans) / 60:.0f} min, their termination waits included"
    )


def _unmeasured(found: Look) -> str:
    return f"CloudWatch has measured nothing, {found.stretch}"


def _until(start: datetime, end: datetime) -> str:
    return f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"


def _days(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"


def _tasks(many: int) -> str:
    return _count(many, "task", "tasks")


def _count(many: int, one: str, more: str) -> str:
    return f"{many} {one if many == 1 else more}"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
