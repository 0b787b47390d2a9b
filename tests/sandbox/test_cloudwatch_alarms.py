"""Alarms: when they go off, what follows from it, and how they are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudwatch_stage import NAMESPACE, Stage, case, expression, fresh, metric, points
from ecs_stage import refusal

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import composite
from runbook_lib.sandbox.services.cloudwatch.evaluation import verdict

TABLE = case("missing_data.json")["rows"]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@pytest.fixture
def stage() -> Stage:
    return fresh()


# ---- missing data


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['points']} of {row['needed']}")
def test_the_truth_table_of_missing_data(row: dict[str, Any], treatment: str) -> None:
    """Every row of the user guide's table with every treatment; keep stays in whatever state the alarm was."""
    for now in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        found = verdict(points(row["points"]), needed=row["needed"], of=3, missing=treatment, now=now)
        assert found == (now if row[treatment] == "keep" else row[treatment])


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['points']} of {row['needed']}")
def test_an_alarm_follows_the_truth_table(stage: Stage, row: dict[str, Any], treatment: str) -> None:
    """The same rows as points of a metric, seen by an alarm at its evaluation."""
    stage.put("Sold", *({"X": 9.0, "0": 0.0, "-": None}[mark] for mark in row["points"].split()))
    stage.until(4, 30)
    stage.alarm(EvaluationPeriods=3, DatapointsToAlarm=row["needed"], TreatMissingData=treatment)
    stage.until(5)
    assert stage.state() == ("INSUFFICIENT_DATA" if row[treatment] == "keep" else row[treatment])


# ---- evaluation


def test_a_new_alarm_has_insufficient_data(stage: Stage) -> None:
    """Until it is evaluated for the first time; the reason says so."""
    stage.alarm()
    shown = stage.shown()
    assert (shown["StateValue"], shown["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")


def test_an_alarm_goes_off_and_calms_down(stage: Stage) -> None:
    """With the points, the limit and how many of them were wanted in the reason, in words and as figures."""
    stage.alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    stage.put("Sold", 0, 5, 5, 0, 0)
    stage.until(3)
    shown = stage.shown()
    assert shown["StateValue"] == "ALARM"
    assert shown["StateReason"] == (
        "Threshold Crossed: 2 out of the last 3 datapoints [5.0 (02/03/26 09:02:00), 5.0 (02/03/26 09:01:00)] "
        "were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert json.loads(shown["StateReasonData"])["recentDatapoints"] == [0, 5, 5]
    stage.until(5)
    assert stage.state() == "OK"


def test_an_update_keeps_the_state(stage: Stage) -> None:
    """Only the next evaluation changes it (PutMetricAlarm)."""
    stage.alarm()
    stage.set("red", "ALARM")
    stage.alarm(Threshold=5)
    assert stage.state() == "ALARM"


def test_the_window_of_a_long_period_slides_with_the_minutes(stage: Stage) -> None:
    """Five minutes are the last five, not those of the clock (alarm-evaluation)."""
    stage.alarm(Period=300, Threshold=9)
    stage.put("Sold", 0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0)
    states = []
    for minute in (7, 8, 9):
        stage.until(minute)
        states.append(stage.state())
    assert states == ["OK", "ALARM", "OK"]


def test_a_short_period_is_evaluated_every_ten_seconds(stage: Stage) -> None:
    """With points every second an alarm need not wait for the minute."""
    stage.alarm(Period=10)
    at = stage.world.datetime(stage.start + 61)
    data = [{"MetricName": "Sold", "Value": 9, "Timestamp": at, "StorageResolution": 1}]
    stage.watch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
    stage.until(1, 5)
    assert stage.state() == "INSUFFICIENT_DATA"
    stage.until(1, 10)
    assert stage.state() == "ALARM"


def test_an_alarm_watches_an_expression(stage: Stage) -> None:
    """No errors in a minute with requests are 0 percent, and no requests are no point."""
    hidden = {"ReturnData": False}
    share = [metric("Errors", **hidden), metric("Requests", id="m2", **hidden), expression("100*m1/m2")]
    own = ("Namespace", "MetricName", "Statistic", "Period")
    stage.alarm(Metrics=share, TreatMissingData="notBreaching", **dict.fromkeys(own))
    stage.put("Requests", 50, 50)
    stage.put("Errors", None, 5)
    states = []
    for minute in (1, 2, 5):
        stage.until(minute)
        states.append(stage.state())
    assert states == ["OK", "ALARM", "OK"]


def test_an_alarm_of_a_percentile(stage: Stage) -> None:
    """ExtendedStatistic instead of Statistic."""
    stage.alarm(Statistic=None, ExtendedStatistic="p90")
    stage.watch.put_metric_data(
        Namespace=NAMESPACE, MetricData=[{"MetricName": "Sold", "Values": [0, 9], "Counts": [80, 20]}]
    )
    stage.until(1)
    assert stage.state() == "ALARM"


def test_what_was_set_by_hand_lasts_until_the_next_evaluation(stage: Stage) -> None:
    """SetAlarmState does not stop an alarm from looking."""
    stage.alarm(TreatMissingData="notBreaching")
    stage.set("red", "ALARM")
    assert stage.state() == "ALARM"
    stage.until(1)
    assert stage.state() == "OK"


def test_a_deleted_alarm_is_evaluated_no_more(stage: Stage) -> None:
    """When none is left nothing is left to happen."""
    stage.alarm()
    stage.watch.delete_alarms(AlarmNames=["red"])
    stage.until(2)
    assert stage.world.next_event_time() is None


# ---- what follows


def topic(stage: Stage) -> tuple[str, str]:
    """A topic that a queue hears; the ARN and the queue's URL."""
    arn: str = stage.world.client("sns").create_topic(Name="told")["TopicArn"]
    url: str = stage.world.client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    queue = stage.world.arn("sqs", "heard")
    stage.world.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return arn, url


def heard(stage: Stage, url: str) -> list[dict[str, Any]]:
    """What the queue was told, and takes away."""
    sqs = stage.world.client("sqs")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [json.loads(one["Body"]) for one in found]


def test_an_alarm_tells_its_topic(stage: Stage) -> None:
    """With the subject and the JSON that CloudWatch sends."""
    arn, url = topic(stage)
    stage.alarm(AlarmActions=[arn], AlarmDescription="too much")
    stage.set("red", "ALARM")
    (told,) = heard(stage, url)
    message = json.loads(told["Message"])
    assert told["Subject"] == 'ALARM: "red" in US East (N. Virginia)'
    assert (message["NewStateValue"], message["OldStateValue"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert (message["Trigger"]["MetricName"], message["AlarmDescription"]) == ("Sold", "too much")


def test_actions_that_are_switched_off_tell_nobody(stage: Stage) -> None:
    """The state still changes."""
    arn, url = topic(stage)
    stage.alarm(AlarmActions=[arn])
    stage.watch.disable_alarm_actions(AlarmNames=["red"])
    stage.set("red", "ALARM")
    assert (heard(stage, url), stage.state()) == ([], "ALARM")
    stage.watch.enable_alarm_actions(AlarmNames=["red"])
    stage.set("red", "OK")
    stage.set("red", "ALARM")
    assert len(heard(stage, url)) == 1


def test_a_topic_that_is_not_there_is_told_of_in_the_history(stage: Stage) -> None:
    """The alarm goes off all the same."""
    stage.alarm(AlarmActions=[stage.world.arn("sns", "nobody")])
    stage.set("red", "ALARM")
    failed = stage.history(AlarmName="red", HistoryItemType="Action")[0]
    assert failed["HistorySummary"].startswith("Failed to execute action arn:aws:sns:us-east-1:123456789012:nobody")
    assert "NotFound" in failed["HistorySummary"]


def test_event_bridge_hears_of_every_change(stage: Stage) -> None:
    """The state, the former one and what is watched stand in the event."""
    stage.alarm()
    stage.set("red", "ALARM")
    event = stage.world.store("events").emitted[-1]
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert event["detail"]["state"] == {
        "value": "ALARM",
        "reason": "by hand",
        "timestamp": "2026-03-02T09:00:00.000+0000",
    }
    assert event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Sold"


def test_the_history_tells_what_happened_newest_first(stage: Stage) -> None:
    """Made, changed its state, told somebody, deleted; by kind when asked."""
    arn, _ = topic(stage)
    stage.alarm(AlarmActions=[arn])
    stage.set("red", "ALARM")
    stage.watch.delete_alarms(AlarmNames=["red"])
    assert [item["HistorySummary"] for item in stage.history(AlarmName="red")] == [
        'Alarm "red" deleted',
        f"Successfully executed action {arn}",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        'Alarm "red" created',
    ]
    update = json.loads(stage.history(HistoryItemType="StateUpdate")[0]["HistoryData"])
    assert update["newState"] == {"stateValue": "ALARM", "stateReason": "by hand"}


def test_the_history_comes_in_pages_and_by_dates(stage: Stage) -> None:
    """Oldest first when asked."""
    stage.alarm()
    stage.until(1, 0)
    stage.set("red", "ALARM")
    first = stage.watch.describe_alarm_history(MaxRecords=1, ScanBy="TimestampAscending")
    rest = stage.watch.describe_alarm_history(MaxRecords=1, ScanBy="TimestampAscending", NextToken=first["NextToken"])
    kinds = [page["AlarmHistoryItems"][0]["HistoryItemType"] for page in (first, rest)]
    assert kinds == ["ConfigurationUpdate", "StateUpdate"]
    assert len(stage.history(StartDate=stage.world.datetime())) == 1


# ---- composite alarms


@pytest.mark.parametrize("one", case("rules.json"), ids=lambda one: one["rule"])
def test_a_rule_follows_the_states_in_it(one: dict[str, Any]) -> None:
    """Each case: a rule, the alarms in ALARM (the others are OK), and whether it holds."""
    assert composite.holds(one["rule"], lambda name: "ALARM" if name in one["alarm"] else "OK") is one["true"]


@pytest.mark.parametrize("rule", case("rules_malformed.json"))
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    """When it is put, not when it is evaluated."""
    with pytest.raises(AwsError, match="must be a valid rule"):
        composite.holds(rule, lambda name: "OK")


def test_a_composite_alarm_follows_at_once(stage: Stage) -> None:
    """It does not wait for its own evaluation."""
    stage.alarm("red")
    stage.alarm("hot")
    stage.watch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(red) AND ALARM(hot)")
    stage.set("red", "ALARM")
    assert stage.state("both") == "OK"
    stage.set("hot", "ALARM")
    assert stage.state("both") == "ALARM"
    assert "red is ALARM, hot is ALARM" in stage.shown("both")["StateReason"]


def test_a_composite_alarm_cannot_depend_on_itself(stage: Stage) -> None:
    """Over others either."""
    stage.alarm("red")
    stage.watch.put_composite_alarm(AlarmName="a", AlarmRule="ALARM(red)")
    stage.watch.put_composite_alarm(AlarmName="b", AlarmRule="ALARM(a)")
    code, message = refusal(stage.watch.put_composite_alarm, AlarmName="a", AlarmRule="NOT ALARM(b)")
    assert (code, message) == ("ValidationError", "AlarmRule makes a depend on itself")


def test_the_kinds_of_alarms_are_shown_apart(stage: Stage) -> None:
    """Without a kind only metric alarms are, even by name (DescribeAlarms); a family can be asked for."""
    stage.alarm("red")
    stage.watch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(red)")
    plain = stage.watch.describe_alarms(AlarmNames=["red", "both"])
    assert ([one["AlarmName"] for one in plain["MetricAlarms"]], plain["CompositeAlarms"]) == (["red"], [])
    children = stage.watch.describe_alarms(ChildrenOfAlarmName="both")["MetricAlarms"]
    parents = stage.watch.describe_alarms(ParentsOfAlarmName="red", AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [one["AlarmName"] for one in (*children, *parents)] == ["red", "both"]


# ---- looking


def test_alarms_come_in_pages(stage: Stage) -> None:
    """By name; narrowed by prefix and state."""
    for number in range(3):
        stage.alarm(f"red{number}")
    pages = list(stage.watch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2}))
    assert [[one["AlarmName"] for one in page["MetricAlarms"]] for page in pages] == [["red0", "red1"], ["red2"]]
    stage.set("red1", "ALARM")
    found = stage.watch.describe_alarms(AlarmNamePrefix="red", StateValue="ALARM")["MetricAlarms"]
    assert [one["AlarmName"] for one in found] == ["red1"]


def test_alarms_of_a_metric_are_found(stage: Stage) -> None:
    """By its very dimensions."""
    stage.alarm("red", Dimensions=[{"Name": "Item", "Value": "hat"}])
    asked = {"MetricName": "Sold", "Namespace": NAMESPACE}
    of = lambda **more: stage.watch.describe_alarms_for_metric(**asked, **more)["MetricAlarms"]  # noqa: E731
    assert [one["AlarmName"] for one in of(Dimensions=[{"Name": "Item", "Value": "hat"}])] == ["red"]
    assert of() == []


def test_alarms_survive_in_a_saved_world(stage: Stage) -> None:
    """The next evaluation comes in the loaded world."""
    stage.alarm(TreatMissingData="breaching")
    loaded = Stage(moto_state.load(moto_state.dump(stage.world)))
    loaded.until(1)
    assert loaded.state() == "ALARM"
