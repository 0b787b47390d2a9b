"""What reaches the targets of rules and the subscribers of topics, and what their policies keep out."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from lambda_stage import ARN, Stage

from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

RULE = "arn:aws:events:us-east-1:123456789012:rule/sold"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:heard"
SHOW = "import json\ndef handler(event, context): print(json.dumps(event))"


@pytest.fixture
def stage() -> Stage:
    """A world with everything that hurts, and a rule."""
    stage = Stage(World(Settings()))
    stage.client("events").put_rule(Name="sold", EventPattern='{"source": ["shop"]}')
    return stage


def policy(service: str, action: str, resource: str, source: str) -> str:
    """A resource's policy that lets a service in."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def target(stage: Stage, arn: str, **more: Any) -> None:
    stage.client("events").put_targets(Rule="sold", Targets=[{"Id": "one", "Arn": arn, **more}])


def sell(stage: Stage) -> None:
    """An event of the shop, and the time until everybody has heard of it."""
    entry = {"Source": "shop", "DetailType": "Sold", "Detail": '{"item": "hat"}'}
    stage.client("events").put_events(Entries=[entry])
    stage.wait(5)


def queue(stage: Stage, name: str = "heard", **attributes: str) -> str:
    made: str = stage.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return made


def received(stage: Stage, url: str) -> list[dict[str, Any]]:
    asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    found: list[dict[str, Any]] = stage.client("sqs").receive_message(QueueUrl=url, **asked).get("Messages", [])
    return found


def counted(stage: Stage, *names: str) -> list[float]:
    """What metrics of the rule have counted in the last eight minutes; they are visible some minutes later."""
    stage.wait(300)
    watch, dimension = stage.client("cloudwatch"), {"Name": "RuleName", "Value": "sold"}
    end = stage.world.datetime()
    span = {"StartTime": stage.world.datetime(stage.world.now - 480), "EndTime": end, "Period": 60}
    asked = {"Namespace": "AWS/Events", "Dimensions": [dimension], "Statistics": ["Sum"], **span}
    found = [watch.get_metric_statistics(MetricName=name, **asked)["Datapoints"] for name in names]
    return [sum(point["Sum"] for point in points) for points in found]


# ---- rules


def test_a_queue_hears_only_what_its_policy_lets_in(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Without it the event is lost: counted, and told in the sandbox's log."""
    url = queue(stage)
    target(stage, QUEUE)
    with caplog.at_level(logging.WARNING):
        sell(stage)
    assert received(stage, url) == []
    assert f"no policy of {QUEUE} allows events.amazonaws.com to sqs:SendMessage" in caplog.text
    allowed = policy("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE)
    stage.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": allowed})
    sell(stage)
    assert len(received(stage, url)) == 1
    assert counted(stage, "TriggeredRules", "Invocations", "FailedInvocations") == [2, 2, 1]


def test_a_fifo_queue_keeps_the_group_of_a_target(stage: Stage) -> None:
    """The id of the event keeps it from coming twice."""
    arn = f"{QUEUE}.fifo"
    url = queue(
        stage, "heard.fifo", FifoQueue="true", Policy=policy("events.amazonaws.com", "sqs:SendMessage", arn, RULE)
    )
    target(stage, arn, SqsParameters={"MessageGroupId": "shop"})
    sell(stage)
    assert [message["Attributes"]["MessageGroupId"] for message in received(stage, url)] == ["shop"]


def test_what_is_lost_goes_to_the_dead_letter_queue(stage: Stage) -> None:
    """With the reason in its attributes."""
    dead = f"{QUEUE}-dead"
    url = queue(stage, "heard-dead", Policy=policy("events.amazonaws.com", "sqs:SendMessage", dead, RULE))
    target(stage, f"{ARN}nobody", DeadLetterConfig={"Arn": dead})
    sell(stage)
    (message,) = received(stage, url)
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["TARGET_ARN"]) == ("RESOURCE_NOT_FOUND", f"{ARN}nobody")
    assert json.loads(message["Body"])["detail"] == {"item": "hat"}


def test_a_function_hears_only_of_rules_that_its_policy_lets_in(stage: Stage) -> None:
    """AddPermission with another rule's ARN is of no use."""
    stage.world.settings = Settings(realism=False)  # the role is known at once
    stage.function(SHOW)
    target(stage, f"{ARN}f")
    for name, source in (("other", f"{RULE}-not"), ("own", RULE)):
        sell(stage)
        assert stage.client("logs").describe_log_groups()["logGroups"] == []
        stage.client("lambda").add_permission(
            FunctionName="f",
            StatementId=name,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=source,
        )
    sell(stage)
    assert json.loads(stage.logged()[1])["detail"] == {"item": "hat"}


def test_a_topic_and_a_log_group_hear_what_their_policies_let_in(stage: Stage) -> None:
    """A topic's own policy lets no service in, a log group has none."""
    topic = stage.client("sns").create_topic(Name="t")["TopicArn"]
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/sold"
    stage.client("logs").create_log_group(logGroupName="/aws/events/sold")
    for arn in (topic, group):
        target(stage, arn)
        sell(stage)
    assert counted(stage, "FailedInvocations") == [2]
    stage.client("logs").put_resource_policy(
        policyName="events", policyDocument=policy("events.amazonaws.com", "logs:*", f"{group}:*", RULE)
    )
    stage.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=policy("events.amazonaws.com", "sns:Publish", topic, RULE),
    )
    for arn in (topic, group):
        target(stage, arn)
        sell(stage)
    assert counted(stage, "FailedInvocations") == [0]
    assert len(stage.client("logs").filter_log_events(logGroupName="/aws/events/sold")["events"]) == 1


def test_a_schedule_by_cron_tells_its_targets(stage: Stage) -> None:
    """At the times that it says, in UTC."""
    url = queue(stage, Policy=policy("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE))
    stage.client("events").put_rule(Name="sold", ScheduleExpression="cron(10/30 9 * * ? *)")
    target(stage, QUEUE)
    stage.wait(86400)
    times = sorted(json.loads(message["Body"])["time"] for message in received(stage, url))
    assert times == ["2026-03-02T09:10:00Z", "2026-03-02T09:40:00Z"]


# ---- topics


def test_a_topic_tells_a_queue_that_lets_it_in(stage: Stage) -> None:
    """In its envelope, without a word of this machine."""
    sns = stage.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    url = queue(stage)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)
    sns.publish(TopicArn=topic, Message="lost")
    allowed = policy("sns.amazonaws.com", "sqs:SendMessage", QUEUE, topic)
    stage.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": allowed})
    sns.publish(TopicArn=topic, Message="heard", Subject="news")
    (message,) = received(stage, url)
    told = json.loads(message["Body"])
    assert (told["Type"], told["Message"], told["Subject"], told["TopicArn"]) == (
        "Notification",
        "heard",
        "news",
        topic,
    )
    assert told["Timestamp"] == "2026-03-02T09:00:00.000Z"


def test_a_topic_invokes_a_function_that_lets_it_in(stage: Stage) -> None:
    """With the record that AWS makes, and only with the function's permission."""
    stage.world.settings = Settings(realism=False)
    stage.function(SHOW)
    sns = stage.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"{ARN}f")
    sns.publish(TopicArn=topic, Message="lost")
    stage.client("lambda").add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.publish(TopicArn=topic, Message="heard", Subject="news")
    stage.wait(5)
    (line,) = [line for line in stage.logged() if line.startswith("{")]
    record = json.loads(line)["Records"][0]
    assert (record["EventSource"], record["Sns"]["Message"], record["Sns"]["Subject"]) == ("aws:sns", "heard", "news")


def test_nothing_is_posted_to_the_internet(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscriber by HTTPS hears nothing."""
    import requests

    monkeypatch.setattr(requests, "post", lambda *_, **__: pytest.fail("a request left the sandbox"))
    sns = stage.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://example.com/hook")
    assert sns.publish(TopicArn=topic, Message="x")["MessageId"]
