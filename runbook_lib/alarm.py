"""The alarms that stop a release: errors and latency over both target groups, for their roles swap at every release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook_lib import metric
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.check import Check, Verdict
from runbook_lib.inventory import Item
from runbook_lib.planning import make
from runbook_lib.step import Made, Step, Until
from runbook_lib.system import System, tag_list


@dataclass(frozen=True)
class Alarm:
    """An alarm as it stands: OK, ALARM or INSUFFICIENT_DATA, with CloudWatch's reason."""

    name: str
    state: str
    reason: str


def read_alarms(account: Account, names: Iterable[str]) -> tuple[Alarm, ...]:
    """The alarms of these names that exist."""
    found = account.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return tuple(Alarm(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateReason", "")) for alarm in found)


def plan_rolling_alarm(system: System, balancer: Balancer, alarms: tuple[Alarm, ...], items: Iterable[Item]) -> Step:
    """The step that makes the error alarm of the rolling service."""
    name, groups = f"{system.name}-rolling-errors", (system.rolling_target_group,)
    return _make(system, alarms, items, name, _errors(system, balancer, groups))


def plan_release_alarms(
    system: System, balancer: Balancer, alarms: tuple[Alarm, ...], items: Iterable[Item]
) -> tuple[Step, ...]:
    """The steps that make the two alarms of a release, each over both target groups, missing data not breaching."""
    errors, latency = system.own_alarms
    items = tuple(items)
    return (
        _make(system, alarms, items, errors, _errors(system, balancer, system.target_groups)),
        _make(system, alarms, items, latency, _latency(system, balancer, system.target_groups)),
    )


def check_alarms(alarms: tuple[Alarm, ...], names: Iterable[str]) -> tuple[Check, ...]:
    """Is every alarm OK? One in ALARM would stop the release at once; one without data says nothing yet."""
    states = {alarm.name: alarm for alarm in alarms}
    return tuple(_check(name, states.get(name)) for name in names)


def _check(name: str, alarm: Alarm | None) -> Check:
    question = f"Is the alarm {name} quiet?"
    if alarm is None:
        return Check(question, Verdict.FAIL, "no such alarm", "OK", "provision the alarms: 15_move_service makes them")
    if alarm.state == "INSUFFICIENT_DATA":
        return Check(question, Verdict.INCONCLUSIVE, alarm.state, "OK", "wait for the first minutes with traffic")
    good = alarm.state == "OK"
    return Check(question, Verdict.OK if good else Verdict.FAIL, alarm.state, "OK", "" if good else alarm.reason)


def _make(
    system: System, alarms: tuple[Alarm, ...], items: Iterable[Item], name: str, metrics: list[dict[str, Any]]
) -> Step:
    limits = system.params.alarms
    errors = "errors" in name
    threshold = limits.error_percent if errors else limits.latency_p99_seconds
    return make(
        f"alarm.{name}",
        f"Make the alarm {name}: above {threshold:g} {'percent' if errors else 'seconds'}",
        "cloudwatch:put_metric_alarm",
        {
            "AlarmName": name,
            "AlarmDescription": f"Stops a release of {system.name}; made by the runbooks",
            "Metrics": metrics,
            "EvaluationPeriods": limits.evaluation_minutes,
            "DatapointsToAlarm": limits.breaching_minutes,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            # A colour without traffic has no data: that is no reason to stop.
            "TreatMissingData": "notBreaching",
            "Tags": tag_list(system.tags),
        },
        made=Made("cloudwatch:alarm", name),
        found={} if any(alarm.name == name for alarm in alarms) else None,
        items=items,
        until=Until(f"{name} is quiet", _Quiet(name)),
    )


def _errors(system: System, balancer: Balancer, groups: tuple[str, ...]) -> list[dict[str, Any]]:
    """The worst share of requests without a good answer of any of the groups, in percent, once there is enough traffic.

    A crashing target answers nothing: the load balancer's own 5xx have no target group, so answers that the targets
    did not give are counted as requests minus target answers (ELB user guide, load-balancer-cloudwatch-metrics).
    """
    metrics: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        requests, answers = f"r{number}", [f"a{number}{code}" for code in (2, 3, 4)]
        metrics.append(_stat(requests, "RequestCount", "Sum", balancer, group))
        metrics += [
            _stat(name, f"HTTPCode_Target_{code}XX_Count", "Sum", balancer, group)
            for name, code in zip(answers, (2, 3, 4), strict=True)
        ]
        # No FILL: a missing value counts as 0 where the other series has a point, and a filler could hide a minute.
        good = "+".join(answers)
        enough = system.params.alarms.minimum_requests
        share = f"IF({requests}>={enough},100*({requests}-({good}))/{requests},0)"
        metrics.append({"Id": f"share{number}", "Expression": share, "ReturnData": False})
    names = ",".join(f"share{number}" for number in range(len(groups)))
    return [*metrics, {"Id": "worst", "Expression": f"MAX([{names}])", "Label": "failed, percent", "ReturnData": True}]


def _latency(system: System, balancer: Balancer, groups: tuple[str, ...]) -> list[dict[str, Any]]:
    metrics = [_stat(f"p{n}", "TargetResponseTime", "p99", balancer, group) for n, group in enumerate(groups)]
    names = ",".join(f"p{number}" for number in range(len(groups)))
    return [*metrics, {"Id": "worst", "Expression": f"MAX([{names}])", "Label": "p99, seconds", "ReturnData": True}]


def _stat(id: str, name: str, stat: str, balancer: Balancer, group: str) -> dict[str, Any]:
    return metric.query(id, name, stat, metric.of_group(balancer, group), returned=False)


@dataclass(frozen=True)
class _Quiet:
    """Says what an alarm still lacks; a new one has no data for its first minutes, which is waited for."""

    name: str

    def __call__(self, account: Account, answer: Any) -> str | None:
        del answer
        alarms = read_alarms(account, [self.name])
        if not alarms:
            return "it does not exist"
        return None if alarms[0].state == "OK" else f"it is {alarms[0].state}"
