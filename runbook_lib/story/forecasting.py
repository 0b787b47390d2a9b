"""The forecast of a release from what is known today: its traffic, its health checks, its shift and its waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median

from runbook_lib import analysis, balancer, cost, deployment, forecast, metric, network, service
from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, Verdict, checks, unknown
from runbook_lib.deployment import Deployment
from runbook_lib.forecast import Forecast, Power
from runbook_lib.metric import Minute
from runbook_lib.story.tracking import LAG
from runbook_lib.system import System
from runbook_lib.table import Table, table

PAST = timedelta(hours=1)  # of traffic, from which the forecast is made
TASK_START = 1.0  # minutes until a task of Fargate runs, where no deployment says it: a usual figure, not AWS's
MOST_STEPS = 4  # of a shift that are shown one by one
ALARM_LAG = LAG.total_seconds()


@dataclass(frozen=True)
class Outlook:
    """What is known of a release before it begins; `forecast` is None without traffic: then nothing can be told."""

    forecast: Forecast | None
    minutes: int  # of traffic that it is made from
    tasks: int  # of the second environment
    hours: float  # that both stand
    waits: float  # hours of them that blue waits for its termination
    size: cost.TaskSize  # of the live revision, which the next one is taken to have
    usd: float
    addresses: int  # free ones in the subnets of the tasks
    inconclusive: str  # what the parameters chose for a verdict that cannot be told


def read_outlook(account: Account, system: System) -> Outlook:
    """Today's traffic, the last deployment's times and the parameters, put together."""
    found = service.read_service(account, system, system.service)
    minutes = _minutes(account, system)
    waits = _waits(account, system)
    shift = shift_of(system)
    hours = (waits.start + waits.hooks + waits.ready + shift.compared_minutes + waits.termination) / 60
    desired = found.desired if found else system.params.service.desired_count
    traffic = traffic_of(minutes)
    size = (cost.read_size(account, found.live) if found else None) or cost.of_parameters(system)
    return Outlook(
        forecast=_forecast(system, traffic, shift, waits) if traffic else None,
        minutes=len(minutes),
        tasks=desired,
        hours=hours,
        waits=waits.termination / 60,
        size=size,
        usd=cost.tasks(system, desired, hours, size=size),
        addresses=sum(network.read_free_addresses(account, found.subnets if found else ()).values()),
        inconclusive=system.params.release.when_inconclusive,
    )


def timeline(account: Account, system: System, outlook: Outlook) -> Table:
    """The release stage by stage, in minutes since the deployment began, and until when going back is instant."""
    del account, system
    if outlook.forecast is None:
        return table("The release, stage by stage", [])
    rows = [
        {
            "stage": stage.name,
            "from": _at(stage.start),
            "until": _at(stage.end),
            "going back": "in seconds" if stage.instant_back else "a full deployment",
        }
        for stage in _merged(outlook.forecast)
    ]
    after = {"stage": "blue is gone", "from": _at(outlook.forecast.instant_until)}
    rows.append({**after, "going back": "a full deployment"})
    return table("The release, stage by stage", rows)


def power(account: Account, system: System, outlook: Outlook) -> Table:
    """What this traffic and this shift can show: the smallest rise that is seen in time, how soon, at what price."""
    del account
    found = outlook.forecast
    if found is None:
        return table("What can be seen", [])
    rows = [_power_row(found.errors), _power_row(found.latency)]
    limits = system.params.alarms
    rows.append(
        {
            "question": f"alarm at {limits.error_percent:g} %",
            "seen in time": None if found.alarm.expected is None else f"{found.alarm.share or 0:.0%} on green by then",
            "acts after": _after(found.alarm.expected),
            "smallest": f"{limits.error_percent:g} %",
        }
    )
    per = f"{found.traffic.requests_per_second:.0f} requests a second, {found.traffic.error_rate:.2%} failed"
    headings = ("question", "today", "demanded", "seen in time", "smallest", "acts after", "hurt until then")
    return table(f"What can be seen with {per}", rows, headings)


def second_environment(account: Account, system: System, outlook: Outlook) -> Table:
    """What the second environment of the next release takes while both stand, by the waits of the parameters."""
    del account
    wait = f"{60 * outlook.waits:.0f} of them blue's termination wait"
    rows = [
        ("tasks", f"{outlook.tasks} more of {outlook.size}"),
        ("both stand", f"{60 * outlook.hours:.0f} min, {wait}"),
        ("cost", f"{cost.usd(outlook.usd)}, by {cost.basis(system, outlook.size)}"),
        ("addresses", f"{outlook.tasks} of {outlook.addresses} free ones"),
    ]
    title = "The second environment of the next release"
    return table(title, [{"what": what, "takes": takes} for what, takes in rows])


def check_forecast(account: Account, system: System, outlook: Outlook) -> Checks:
    """Can this release be judged?  A shift that is too short is refused; what cannot be seen does what was chosen."""
    del account
    answers = [_addresses(outlook)]
    if system.params.release.judge == "off":
        return checks("Forecast", [*answers, _off()])
    found = outlook.forecast
    if found is None:
        traffic = unknown(
            "Is there traffic to judge by?",
            seen=f"no requests in {outlook.minutes} measured minutes",
            wanted="requests in the last hour",
            remedy="release at a time with traffic, or set release.judge to off",
        )
        return checks("Forecast", [*answers, _accepted(traffic, outlook)])
    return checks("Forecast", [*answers, *(_accepted(answer, outlook) for answer in found.checks().answers)])


def shift_of(system: System) -> forecast.Shift:
    """How the parameters let the traffic move."""
    release = system.params.release
    return forecast.Shift(release.traffic, release.step_percent, release.step_minutes)


def traffic_of(minutes: tuple[Minute, ...]) -> forecast.Traffic | None:
    """Today's traffic from the measured minutes of all groups; None without requests or latencies."""
    whole = sum(minute.requests or 0 for minute in minutes)
    number = len({minute.at for minute in minutes})
    p50 = [minute.p50 for minute in minutes if minute.p50]
    p95 = [minute.p95 for minute in minutes if minute.p95]
    if not whole or not p50 or not p95:
        return None
    middle = 1000 * median(p50)
    return forecast.Traffic(
        requests_per_second=whole / (60 * number),
        error_rate=min(0.999, sum(minute.failed or 0 for minute in minutes) / whole),
        p50_ms=middle,
        p95_ms=max(1000 * median(p95), middle * 1.01),  # the model wants the two apart
    )


def _merged(found: Forecast) -> list[forecast.Stage]:
    """The stages, with the many steps of a linear shift as one."""
    steps = [stage for stage in found.stages if 0 < stage.share < 1]
    if len(steps) <= MOST_STEPS:
        return list(found.stages)
    first, last = steps[0], steps[-1]
    name = f"{first.share:.0%} to {last.share:.0%} on green, a step every {found.shift.minutes} min"
    one = forecast.Stage(name, first.start, last.end, last.share, True)
    return [one if stage is first else stage for stage in found.stages if stage is first or stage not in steps]


def _forecast(system: System, traffic: forecast.Traffic, shift: forecast.Shift, waits: forecast.Waits) -> Forecast:
    limits, wanted = system.params.alarms, system.params.objective
    return forecast.forecast(
        traffic,
        shift,
        waits,
        alarm=forecast.AlarmRule(
            rate=limits.error_percent / 100,
            breaching=limits.breaching_minutes,
            evaluated=limits.evaluation_minutes,
            least_requests=limits.minimum_requests,
            lag_seconds=ALARM_LAG,
        ),
        source=analysis.METRICS,
        objective=forecast.Objective(wanted.error_rise_percent / 100, wanted.latency_factor, wanted.chance),
    )


def _minutes(account: Account, system: System) -> tuple[Minute, ...]:
    lb, end = balancer.read_pair(account, system), metric.closed(account.clock.now(), lag=LAG)
    return metric.read_metrics(account, lb, sorted(system.target_groups), start=end - PAST, end=end).minutes


def _waits(account: Account, system: System) -> forecast.Waits:
    """The waits of the parameters, and until green is healthy as long as it took the last time."""
    release = system.params.release
    past = [found for found in deployment.read_deployments(account, system, most=5) if found.status == "Succeeded"]
    last = deployment.read_deployment(account, system, past[0].id) if past else None
    return forecast.Waits(
        start=start_minutes(account, system, [last] if last else []),
        hooks=_lasted(last, ("AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic", "BeforeAllowTraffic")),
        ready=float(release.ready_wait_minutes),
        termination=float(release.termination_wait_minutes),
    )


def start_minutes(account: Account, system: System, past: Iterable[Deployment]) -> float:
    """Minutes until new tasks are healthy: as long as the last deployment that succeeded took, else a usual figure."""
    del account
    last = next((found for found in past if found.status == "Succeeded"), None)
    health = system.params.balancer.health
    usual = TASK_START + health.healthy_threshold * health.interval_seconds / 60
    return _lasted(last, ("BeforeInstall", "Install")) or usual


def _lasted(found: Deployment | None, events: tuple[str, ...]) -> float:
    """Minutes that these events took in a deployment."""
    spans = [e.end - e.start for e in (found.events if found else ()) if e.name in events and e.start and e.end]
    return sum(span.total_seconds() for span in spans) / 60


def _accepted(answer: Check, outlook: Outlook) -> Check:
    """What cannot be told goes on where the parameters chose so beforehand; a refusal stays one."""
    if answer.verdict != Verdict.INCONCLUSIVE or outlook.inconclusive != "go_on":
        return answer
    seen = f"{answer.seen}; goes on: release.when_inconclusive. {answer.remedy}".strip(". ")
    return replace(answer, verdict=Verdict.SKIP, seen=seen, remedy="")


def _addresses(outlook: Outlook) -> Check:
    good = outlook.addresses >= outlook.tasks
    return Check(
        "Are there addresses for the second environment?",
        Verdict.OK if good else Verdict.FAIL,
        f"{outlook.addresses} free",
        f"at least {outlook.tasks}",
        "" if good else "stop tasks that are not needed, or give the service larger subnets",
    )


def _off() -> Check:
    return Check("Can this release be judged?", Verdict.SKIP, "release.judge is off", "not asked")


def _power_row(found: Power) -> dict[str, str | None]:
    smallest = None if found.smallest is None else f"{found.smallest:.2%}"
    if found.smallest_factor is not None:
        smallest = f"{smallest} (x {found.smallest_factor:.2f})"
    return {
        "question": found.question,
        "today": f"{found.base:.2%}",
        "demanded": f"{found.demanded:.2%}",
        "seen in time": f"{found.chance:.0%} ({found.chance_low:.0%} to {found.chance_high:.0%})",
        "smallest": smallest,
        "acts after": _after(found.acted),
        "hurt until then": f"{found.hurt:.0f} requests",
    }


def _after(minutes: float | None) -> str | None:
    return None if minutes is None else f"{minutes:.1f} min"


def _at(minutes: float) -> str:
    seconds = round(minutes * 60)
    return f"T+{seconds // 60:02d}:{seconds % 60:02d}"
