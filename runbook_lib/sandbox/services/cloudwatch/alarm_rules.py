"""What an alarm may be told. Source: CloudWatch API reference, PutMetricAlarm and PutCompositeAlarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import asking, composite, statistics
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, MINUTE
from runbook_lib.sandbox.services.cloudwatch.store import store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

COMPARISONS = (
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
PERIODS = (10, 20, 30)  # seconds, beside the multiples of 60
ACTION_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")
LONGEST_NAME, LONGEST_DESCRIPTION, MOST_ACTIONS, MOST_DIMENSIONS, MOST_METRICS = 255, 1024, 5, 30, 10


def check_metric_alarm(told: Mapping[str, Any]) -> None:
    """Raises AwsError for what CloudWatch refuses, and for what is not simulated."""
    _check_common(told)
    _check_comparison(told)
    _check_evaluation(told)
    if ("Metrics" in told) == ("MetricName" in told):
        raise _refused("Exactly one of the parameters Metrics and MetricName must be given")
    if "Metrics" in told:
        _check_metrics(told["Metrics"])
    else:
        _check_metric(told)


def _check_common(told: Mapping[str, Any]) -> None:
    if not 1 <= len(told["AlarmName"]) <= LONGEST_NAME:
        raise _refused(f"AlarmName must have 1 to {LONGEST_NAME} characters")
    if len(told.get("AlarmDescription", "")) > LONGEST_DESCRIPTION:
        raise _refused(f"AlarmDescription must have at most {LONGEST_DESCRIPTION} characters")
    for name in ACTION_LISTS:
        _check_actions(name, told.get(name, ()))


def _check_actions(name: str, actions: Any) -> None:
    if len(actions) > MOST_ACTIONS:
        raise _refused(f"The collection {name} must not have a size greater than {MOST_ACTIONS}")
    for arn in actions:
        words = arn.split(":")
        if len(words) < 6 or words[0] != "arn":
            raise _refused(f"Invalid arn syntax: {arn}")
        if words[2] not in ("sns", "autoscaling"):
            raise _refused(f"Actions of the service {words[2]} are not simulated: {arn}")


def _check_comparison(told: Mapping[str, Any]) -> None:
    if told["ComparisonOperator"] not in COMPARISONS:
        raise _refused(f"The comparison {told['ComparisonOperator']} is not simulated: anomaly detection is missing")
    if "ThresholdMetricId" in told:
        raise _refused("ThresholdMetricId is not simulated: anomaly detection is missing")
    if "Threshold" not in told:
        raise _refused("The parameter Threshold is required")
    if told.get("TreatMissingData", "missing") not in TREATMENTS:
        raise _refused(f"TreatMissingData must be one of {', '.join(TREATMENTS)}")
    if told.get("EvaluateLowSampleCountPercentile", "evaluate") != "evaluate":
        raise _refused("EvaluateLowSampleCountPercentile: only evaluate is simulated")


def _check_evaluation(told: Mapping[str, Any]) -> None:
    periods = told.get("EvaluationPeriods")
    if periods is None or periods < 1:
        raise _refused("EvaluationPeriods must be at least 1")
    if not 1 <= told.get("DatapointsToAlarm", 1) <= periods:
        raise _refused("DatapointsToAlarm must be at least 1 and less than or equal to EvaluationPeriods")


def _check_metric(told: Mapping[str, Any]) -> None:
    if ("Statistic" in told) == ("ExtendedStatistic" in told):
        raise _refused("Exactly one of Statistic and ExtendedStatistic must be given")
    if told.get("Statistic", "Sum") not in statistics.PLAIN:
        raise _refused(f"The value {told['Statistic']} for parameter Statistic is not valid")
    if "ExtendedStatistic" in told and statistics.asked(told["ExtendedStatistic"]) is None:
        raise _refused(f"The value {told['ExtendedStatistic']} for parameter ExtendedStatistic is not supported")
    if "Namespace" not in told or "Period" not in told:
        raise _refused("The parameters Namespace and Period are required with MetricName")
    if len(told.get("Dimensions", ())) > MOST_DIMENSIONS:
        raise _refused(f"The collection Dimensions must not have a size greater than {MOST_DIMENSIONS}")
    check_span(told["Period"], told["EvaluationPeriods"])


def check_span(period: int, periods: int) -> None:
    """A period of 10, 20, 30 or a multiple of 60 seconds; all of them together a day, with hours seven days."""
    if period not in PERIODS and (period < MINUTE or period % MINUTE):
        raise _refused(f"Period must be 10, 20, 30 or a multiple of {MINUTE}")
    most = 7 * DAY if period >= HOUR else DAY
    if period * periods > most:
        raise _refused(f"Metrics cannot be checked across more than {most // DAY} day(s): EvaluationPeriods * Period")


def _check_metrics(queries: Any) -> None:
    asking.check_queries(queries)
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise _refused("Exactly one element of the metrics list should return data.")
    stats = [query for query in queries if "MetricStat" in query]
    if not 1 <= len(stats) <= MOST_METRICS:
        raise _refused(f"An alarm watches 1 to {MOST_METRICS} metrics, not {len(stats)}")


def check_composite_alarm(world: World, told: Mapping[str, Any]) -> None:
    """Raises AwsError for a rule that cannot be read, or names what is not there or depends on the alarm itself."""
    _check_common(told)
    if "ActionsSuppressor" in told:
        raise _refused("ActionsSuppressor is not simulated")
    composite.holds(told["AlarmRule"], lambda name: None)
    known = store(world).alarms
    unknown = [name for name in composite.watched(told["AlarmRule"]) if name not in known]
    if unknown:
        raise _refused(f"AlarmRule contains an alarm that does not exist: {unknown[0]}")
    if told["AlarmName"] in _behind(world, told["AlarmRule"]):
        raise _refused(f"AlarmRule makes {told['AlarmName']} depend on itself")


def _behind(world: World, rule: str) -> set[str]:
    """All the alarms that a rule depends on, those of the composite alarms in it among them."""
    found: set[str] = set()
    waiting = composite.watched(rule)
    while waiting:
        name = waiting.pop()
        alarm = store(world).alarms[name]
        if name not in found and alarm.composite:
            waiting += [other for other in composite.watched(alarm.told["AlarmRule"]) if other in store(world).alarms]
        found.add(name)
    return found


def _refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)
