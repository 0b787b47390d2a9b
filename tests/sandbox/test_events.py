"""EventBridge: rules, targets, what reaches them, and what AWS refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import NAME, Stage, approval, fresh, make_role, refusal, source

SHOP = {"Source": "shop", "DetailType": "Sold", "Detail": '{"item": "hat", "price": 7}'}
PATTERN = json.dumps({"source": ["shop"]})


@pytest.fixture
def world() -> Stage:
    return fresh()


@pytest.fixture
def events(world: Stage) -> Any:
    return world.client("events")


def cases() -> list[Any]:
    """The refusals, one a file."""
    files = sorted((Path(__file__).parents[1] / "cases/events/refused").glob("*.json"))
    return [pytest.param(json.loads(file.read_text(encoding="utf-8")), id=file.stem) for file in files]


def queue(world: Stage, *, pattern: str = PATTERN, **target: Any) -> str:
    """A rule that tells a queue; the queue's URL."""
    url: str = world.client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    events = world.client("events")
    events.put_rule(Name="sold", EventPattern=pattern)
    events.put_targets(Rule="sold", Targets=[{"Id": "queue", "Arn": world.world.arn("sqs", "heard"), **target}])
    return url


def heard(world: Stage, url: str) -> list[str]:
    """What the queue was told since it was last asked."""
    world.settle()
    sqs = world.client("sqs")
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in got]


def put(world: Stage, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.client("events").put_events(Entries=[SHOP | changes])
    return answer


# ---- rules


def test_a_rule_is_shown_as_it_was_made(events: Any) -> None:
    """With its ARN and state, on the default bus."""
    arn = events.put_rule(Name="sold", EventPattern=PATTERN, Description="hats")["RuleArn"]
    found = events.describe_rule(Name="sold")
    assert arn == found["Arn"] == "arn:aws:events:us-east-1:123456789012:rule/sold"
    assert (found["State"], found["EventBusName"], found["EventPattern"]) == ("ENABLED", "default", PATTERN)
    assert found["Description"] == "hats"


def test_a_rule_without_targets_lists_none(events: Any) -> None:
    """An empty list, although the model of a list of targets, shared with PutTargets, wants one."""
    events.put_rule(Name="bare", EventPattern=json.dumps({"source": ["shop"]}))
    assert events.list_targets_by_rule(Rule="bare")["Targets"] == []


def test_what_is_not_given_again_is_gone(events: Any) -> None:
    """PutRule takes the place of what was there; the targets and the tags stay."""
    events.put_rule(Name="sold", EventPattern=PATTERN, Description="hats", Tags=[{"Key": "a", "Value": "1"}])
    arn = events.put_rule(Name="sold", EventPattern=PATTERN, State="DISABLED", Tags=[{"Key": "b", "Value": "2"}])
    found = events.describe_rule(Name="sold")
    assert (found["State"], "Description" in found) == ("DISABLED", False)
    assert events.list_tags_for_resource(ResourceARN=arn["RuleArn"])["Tags"] == [{"Key": "a", "Value": "1"}]


def test_rules_are_listed_by_name_in_pages(events: Any) -> None:
    """Narrowed by the beginning of their names."""
    for name in ("b", "a2", "a1"):
        events.put_rule(Name=name, EventPattern=PATTERN)
    pages = events.get_paginator("list_rules").paginate(PaginationConfig={"PageSize": 2})
    assert [[rule["Name"] for rule in page["Rules"]] for page in pages] == [["a1", "a2"], ["b"]]
    assert [rule["Name"] for rule in events.list_rules(NamePrefix="b")["Rules"]] == ["b"]


def test_a_rule_can_be_tagged_by_its_arn(events: Any) -> None:
    """And an ARN of nothing is refused."""
    arn = events.put_rule(Name="sold", EventPattern=PATTERN)["RuleArn"]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    code, message = refusal(events.list_tags_for_resource, ResourceARN=arn + "x")
    assert (code, message) == ("ResourceNotFoundException", "Rule soldx does not exist on EventBus default.")


def test_a_rule_with_targets_is_not_deleted(events: Any, world: Stage) -> None:
    """Without them it is, and a second time is no error."""
    queue(world)
    code, message = refusal(events.delete_rule, Name="sold")
    assert (code, message) == ("ValidationException", "Rule can't be deleted since it has targets.")
    events.remove_targets(Rule="sold", Ids=["queue", "nothing"])
    events.delete_rule(Name="sold")
    events.delete_rule(Name="sold")
    assert events.list_rules()["Rules"] == []


@pytest.mark.parametrize("case", cases())
def test_what_aws_refuses_is_refused_in_its_words(events: Any, case: dict[str, Any]) -> None:
    """Each case is a file: an operation, its parameters, the code and a part of the message."""
    events.put_rule(Name="sold", EventPattern=PATTERN)
    code, message = refusal(getattr(events, case["operation"]), **case["params"])
    assert (code, case["message"] in message) == (case["code"], True), message


def test_a_rule_has_at_most_five_targets(events: Any) -> None:
    """The sixth is refused, and the five stay; the same id again takes the place of one."""
    events.put_rule(Name="sold", EventPattern=PATTERN)
    targets = [{"Id": str(n), "Arn": f"arn:aws:sqs:us-east-1:123456789012:q{n}"} for n in range(6)]
    events.put_targets(Rule="sold", Targets=targets[:5])
    events.put_targets(Rule="sold", Targets=[targets[0] | {"Arn": targets[5]["Arn"]}])
    assert refusal(events.put_targets, Rule="sold", Targets=targets[5:])[0] == "LimitExceededException"
    assert [one["Id"] for one in events.list_targets_by_rule(Rule="sold")["Targets"]] == ["0", "1", "2", "3", "4"]
    assert events.list_rule_names_by_target(TargetArn=targets[5]["Arn"])["RuleNames"] == ["sold"]


# ---- events in


def test_an_own_event_reaches_a_queue_in_its_envelope(world: Stage) -> None:
    """A second later, with who sent it, when and where."""
    url = queue(world)
    answer = put(world, Resources=["hat-7"])
    told = json.loads(heard(world, url)[0])
    assert told == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "Sold",
        "source": "shop",
        "account": "123456789012",
        "time": "2026-03-02T09:00:00Z",
        "region": "us-east-1",
        "resources": ["hat-7"],
        "detail": {"item": "hat", "price": 7},
    }


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"Source": ""}, "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."),
        ({"Detail": ""}, "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."),
        ({"Detail": "{"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": "[]"}, "MalformedDetail", "Detail is malformed."),
        ({"Source": "aws.ecs"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
    ],
)
def test_an_entry_that_is_refused_does_not_keep_the_others_back(
    world: Stage, changes: dict[str, str], code: str, message: str
) -> None:
    """The answer says which, and the call itself goes well."""
    url = queue(world)
    answer = world.client("events").put_events(Entries=[SHOP | changes, SHOP])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0] == {"ErrorCode": code, "ErrorMessage": message}
    assert len(heard(world, url)) == 1


def test_a_disabled_rule_is_silent(world: Stage) -> None:
    """Until it is enabled again."""
    url, events = queue(world), world.client("events")
    events.disable_rule(Name="sold")
    put(world)
    assert heard(world, url) == []
    events.enable_rule(Name="sold")
    put(world)
    assert len(heard(world, url)) == 1


def test_a_rule_on_a_schedule_tells_its_targets_again_and_again(world: Stage) -> None:
    """And never keeps the world from coming to rest."""
    url, events = queue(world), world.client("events")
    events.put_rule(Name="sold", ScheduleExpression="rate(5 minutes)")
    assert world.world.idle()
    world.wait(620)
    told = [json.loads(text) for text in heard(world, url)]
    assert [one["detail-type"] for one in told] == ["Scheduled Event", "Scheduled Event"]
    events.put_rule(Name="sold", ScheduleExpression="rate(1 hour)")
    world.wait(3500)
    assert heard(world, url) == []


# ---- what a target is told


TOLD: dict[str, tuple[dict[str, Any], str]] = {
    "a_part": ({"InputPath": "$.detail"}, '{"item": "hat", "price": 7}'),
    "an_element": ({"InputPath": "$.resources[0]"}, '"hat-7"'),
    "no_element": ({"InputPath": "$.resources[7]"}, "null"),
    "a_constant": ({"Input": '{"fixed": true}'}, '{"fixed": true}'),
    "a_sentence": (
        {"InputTransformer": {"InputPathsMap": {"item": "$.detail.item"}, "InputTemplate": '"Sold: <item>."'}},
        '"Sold: hat."',
    ),
    "an_object": (
        {
            "InputTransformer": {
                "InputPathsMap": {"price": "$.detail.price", "item": "$.detail.item", "none": "$.detail.none"},
                "InputTemplate": '{"price": <price>, "item": <item>, "none": <none>, "rule": "<aws.events.rule-name>"}',
            }
        },
        '{"price": 7, "item": "hat", "none": null, "rule": "sold"}',
    ),
}


@pytest.mark.parametrize("case", TOLD.values(), ids=TOLD)
def test_a_target_is_told_what_it_asked_for(world: Stage, case: tuple[dict[str, Any], str]) -> None:
    """A part of the event, a constant, or a template with parts of it."""
    target, text = case
    url = queue(world, **target)
    put(world, Resources=["hat-7"])
    assert heard(world, url) == [text]


def test_a_topic_tells_its_subscribers(world: Stage) -> None:
    """The message is the event."""
    sns, url = world.client("sns"), world.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=world.world.arn("sqs", "q"))
    world.client("events").put_rule(Name="sold", EventPattern=PATTERN)
    world.client("events").put_targets(Rule="sold", Targets=[{"Id": "topic", "Arn": topic}])
    put(world)
    assert json.loads(json.loads(heard(world, url)[0])["Message"])["detail"]["item"] == "hat"


def test_a_log_group_keeps_events(world: Stage) -> None:
    """One line for each, at the time of its coming."""
    logs, group = world.client("logs"), "/aws/events/sold"
    logs.create_log_group(logGroupName=group)
    world.client("events").put_rule(Name="sold", EventPattern=PATTERN)
    target = {"Id": "logs", "Arn": world.world.arn("logs", f"log-group:{group}")}
    world.client("events").put_targets(Rule="sold", Targets=[target])
    put(world)
    world.settle()
    lines = logs.filter_log_events(logGroupName=group)["events"]
    assert [json.loads(line["message"])["detail"]["item"] for line in lines] == ["hat"]


def test_a_target_that_is_gone_hears_nothing(world: Stage) -> None:
    """Nobody is told of that, and the world goes on."""
    url = queue(world)
    world.client("sqs").delete_queue(QueueUrl=url)
    put(world)
    world.settle()
    assert world.world.idle()


# ---- a pipeline as the target


def start_by(world: Stage, role: str) -> None:
    """Lets a rule start the pipeline with a role, and sends what it takes."""
    arns = {
        "Arn": world.world.arn("codepipeline", NAME),
        "RoleArn": world.world.arn("iam", f"role/{role}", regional=False),
    }
    world.client("events").put_rule(Name="sold", EventPattern=PATTERN)
    world.client("events").put_targets(Rule="sold", Targets=[{"Id": "pipeline", **arns}])
    put(world)
    world.settle()


def test_a_pipeline_is_started_with_the_role_of_the_target(world: Stage) -> None:
    """The run names the rule."""
    world.create(source(), approval())
    start_by(world, "events")
    trigger = {"triggerType": "CloudWatchEvent", "triggerDetail": "arn:aws:events:us-east-1:123456789012:rule/sold"}
    assert world.runs()[0]["trigger"] == trigger


@pytest.mark.parametrize("role", ["nobody", "pipeline", "powerless", "elsewhere"])
def test_a_role_that_does_not_do_starts_nothing(world: Stage, role: str) -> None:
    """One that is not there, trusts another, allows nothing, or allows another pipeline: nobody is told of it."""
    other = {"Effect": "Allow", "Action": "codepipeline:*", "Resource": world.world.arn("codepipeline", "other")}
    make_role(world.world, "powerless", "events.amazonaws.com")
    make_role(world.world, "elsewhere", "events.amazonaws.com", other)
    world.create(source(), approval())
    start_by(world, role)
    assert len(world.runs()) == 1


def test_a_pipeline_that_is_gone_is_not_started(world: Stage) -> None:
    """And the world goes on."""
    start_by(world, "events")
    assert world.pipe.list_pipelines()["pipelines"] == []


def test_a_build_can_be_the_target(world: Stage) -> None:
    """With a role that allows it."""
    allowed = {"Effect": "Allow", "Action": "codebuild:StartBuild", "Resource": "*"}
    role = make_role(world.world, "builder", "events.amazonaws.com", allowed)
    world.client("codebuild").update_project(
        name=NAME,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}"},
        artifacts={"type": "NO_ARTIFACTS"},
    )
    arn = world.world.arn("codebuild", f"project/{NAME}")
    world.client("events").put_rule(Name="sold", EventPattern=PATTERN)
    world.client("events").put_targets(Rule="sold", Targets=[{"Id": "build", "Arn": arn, "RoleArn": role}])
    put(world)
    world.settle()
    ids = world.client("codebuild").list_builds()["ids"]
    assert [build["buildStatus"] for build in world.client("codebuild").batch_get_builds(ids=ids)["builds"]] == [
        "SUCCEEDED"
    ]
