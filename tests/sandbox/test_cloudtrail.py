"""The history of calls: who changed what, with which parameters, and what is hidden."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lambda_stage import Stage, fresh, lambda_role

from runbook_lib.sandbox import calls
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World


@pytest.fixture
def stage() -> Stage:
    return fresh()


def events(stage: Stage, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.client("cloudtrail").lookup_events(**asked)["Events"]
    return found


def by(stage: Stage, key: str, value: str) -> list[str]:
    """The names of the events that an attribute finds."""
    return [
        event["EventName"] for event in events(stage, LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])
    ]


def record(stage: Stage, name: str) -> dict[str, Any]:
    """The newest event of a name, read from its JSON."""
    attribute = {"AttributeKey": "EventName", "AttributeValue": name}
    found: dict[str, Any] = json.loads(events(stage, LookupAttributes=[attribute])[0]["CloudTrailEvent"])
    return found


def work(stage: Stage) -> None:
    """Some calls: changes, a look, an error, data."""
    ecs = stage.client("ecs")
    ecs.create_cluster(clusterName="orders")
    stage.wait(10)
    ecs.list_clusters()
    with pytest.raises(ClientError):
        ecs.describe_services(cluster="nowhere", services=["x"])
    stage.client("s3").create_bucket(Bucket="shelf")
    stage.client("s3").put_object(Bucket="shelf", Key="x", Body=b"1")


def test_management_events_are_shown_newest_first(stage: Stage) -> None:
    """What was changed and what was looked at, and nothing of the data in a bucket."""
    work(stage)
    names = [event["EventName"] for event in events(stage)]
    assert names == ["CreateBucket", "DescribeServices", "ListClusters", "CreateCluster"]


def test_an_event_tells_who_did_what(stage: Stage) -> None:
    """In AWS's shape, with parameters and answer."""
    work(stage)
    told = record(stage, "CreateCluster")
    assert (told["eventSource"], told["eventTime"], told["readOnly"]) == (
        "ecs.amazonaws.com",
        "2026-03-02T09:00:00Z",
        False,
    )
    assert told["userIdentity"]["type"] == "IAMUser"
    assert told["userIdentity"]["userName"] == "operator"
    assert told["requestParameters"] == {"clusterName": "orders"}
    assert told["responseElements"]["cluster"]["status"] == "ACTIVE"
    assert told["userAgent"].startswith("Boto3/")


def test_an_error_is_told_with_its_code_and_message(stage: Stage) -> None:
    """A look has no answer in the event."""
    work(stage)
    told = record(stage, "DescribeServices")
    assert (told["errorCode"], told["errorMessage"]) == ("ClusterNotFoundException", "Cluster not found.")
    assert (told["responseElements"], told["readOnly"]) == (None, True)


def test_forms_are_read_as_well_as_json(stage: Stage) -> None:
    """EC2 and IAM speak in forms and XML."""
    role = stage.world.arn("iam", "role/r", regional=False)
    stage.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a", "Value": "1"}])
    stage.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    told = record(stage, "CreateRole")
    assert told["requestParameters"]["tags"] == [{"key": "a", "value": "1"}]
    assert told["responseElements"]["role"]["arn"] == role
    assert record(stage, "CreateVpc")["requestParameters"] == {"cidrBlock": "10.0.0.0/16"}


def test_secrets_and_values_of_variables_are_hidden(stage: Stage) -> None:
    """Wherever AWS's models say so, and in environments."""
    stage.client("secretsmanager").create_secret(Name="s", SecretString="top-secret")
    stage.client("ssm").put_parameter(Name="p", Value="top-secret", Type="SecureString")
    stage.client("iam").create_user(UserName="u")
    key = stage.client("iam").create_access_key(UserName="u")["AccessKey"]["SecretAccessKey"]
    variables = [{"name": "PASSWORD", "value": "top-secret"}]
    container = {"name": "a", "image": "i", "memory": 64, "environment": variables}
    stage.client("ecs").register_task_definition(family="f", containerDefinitions=[container])
    stage.function("", Environment={"Variables": {"PASSWORD": "top-secret"}})
    text = "".join(event["CloudTrailEvent"] for event in events(stage))
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in text
    assert "top-secret" not in text
    assert key not in text
    assert record(stage, "CreateFunction20150331")["requestParameters"]["environment"] == {}


ATTRIBUTES = [
    ("EventName", "CreateCluster", ["CreateCluster"]),
    ("EventSource", "s3.amazonaws.com", ["CreateBucket"]),
    ("ReadOnly", "true", ["DescribeServices", "ListClusters"]),
    ("ResourceName", "orders", ["CreateCluster"]),
    ("ResourceType", "AWS::S3::Bucket", ["CreateBucket"]),
    ("Username", "nobody", []),
]


@pytest.mark.parametrize(("key", "value", "names"), ATTRIBUTES, ids=[key for key, *_ in ATTRIBUTES])
def test_an_attribute_narrows_the_history(stage: Stage, key: str, value: str, names: list[str]) -> None:
    """One at a time."""
    work(stage)
    assert by(stage, key, value) == names


def test_an_event_is_found_by_its_id_and_by_the_key_that_signed_it(stage: Stage) -> None:
    """The ids are the same each time."""
    work(stage)
    last = events(stage)[0]
    assert by(stage, "EventId", last["EventId"]) == ["CreateBucket"]
    assert by(stage, "AccessKeyId", last["AccessKeyId"])[-1] == "CreateCluster"


def test_pages_do_not_move_when_more_happens(stage: Stage) -> None:
    """The second page goes on where the first ended."""
    work(stage)
    first = stage.client("cloudtrail").lookup_events(MaxResults=2)
    stage.client("ecs").create_cluster(clusterName="later")
    second = stage.client("cloudtrail").lookup_events(MaxResults=2, NextToken=first["NextToken"])
    names = [[event["EventName"] for event in page["Events"]] for page in (first, second)]
    assert names == [["CreateBucket", "DescribeServices"], ["ListClusters", "CreateCluster"]]
    assert "NextToken" not in second


def test_a_time_narrows_the_history(stage: Stage) -> None:
    """Both ends belong to it."""
    work(stage)
    start = stage.world.datetime(stage.world.settings.start)
    assert [event["EventName"] for event in events(stage, EndTime=start)] == ["CreateCluster"]
    assert len(events(stage, StartTime=start + timedelta(seconds=10))) == 4


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException", "between 1 and 50"),
        ({"NextToken": "x"}, "InvalidNextTokenException", "The token is not valid"),
        ({"StartTime": 2, "EndTime": 1}, "InvalidTimeRangeException", "start time must be before the end time"),
        (
            {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "true"}] * 2},
            "InvalidLookupAttributesException",
            "only specify one lookup attribute",
        ),
    ],
)
def test_what_aws_refuses_is_refused(stage: Stage, asked: dict[str, Any], code: str, message: str) -> None:
    """With its code."""
    work(stage)
    with pytest.raises(ClientError, match=message) as refused:
        events(stage, **asked)
    assert refused.value.response["Error"]["Code"] == code


def test_an_event_is_seen_after_some_minutes() -> None:
    """As on AWS, where it takes about five."""
    stage = Stage(World(Settings()))
    stage.client("s3").create_bucket(Bucket="shelf")
    assert events(stage) == []
    stage.wait(300)
    assert events(stage)[-1]["EventName"] == "CreateBucket"


def test_what_a_functions_role_may_not_do_is_in_the_history(stage: Stage) -> None:
    """Under the name of its session."""
    code = """
        import boto3
        def handler(event, context):
            try: boto3.client("ecs").create_cluster(clusterName="mine")
            except Exception as error: return str(error)
        """
    stage.function(code)
    stage.invoke()
    told = record(stage, "CreateCluster")
    assert told["errorCode"] == "AccessDeniedException"
    assert "not authorized to perform: ecs:CreateCluster" in told["errorMessage"]
    identity = told["userIdentity"]
    assert (identity["type"], identity["sessionContext"]["sessionIssuer"]["userName"]) == ("AssumedRole", "f")
    assert told["requestParameters"] == {"clusterName": "mine"}


def test_the_history_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number of calls and by ninety days; what a service does for AWS itself is not in it."""
    monkeypatch.setattr(calls, "PACK", 4)
    monkeypatch.setattr(calls, "MOST_PACKS", 2)
    for _ in range(30):
        stage.client("ecs").list_clusters()
    assert [call.number for call in stage.world.calls] == list(range(17, 31))
    stage.wait(120 * 86400)
    lambda_role(stage.world, "quiet")
    for _ in range(4):
        stage.client("ecs").list_clusters()
    assert {call.operation for call in stage.world.calls if call.time > stage.world.now - 1} == {"ListClusters"}
    assert [pack for pack in stage.world.calls.packs if pack.newest < stage.world.now - 90 * 86400] == []


def test_packed_calls_are_found_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page through all of them, newest first, with their parameters."""
    monkeypatch.setattr(calls, "PACK", 4)
    for number in range(20):
        stage.client("ecs").create_cluster(clusterName=f"c{number}")
    stage.wait(600)
    paginator = stage.client("cloudtrail").get_paginator("lookup_events")
    asked = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateCluster"}]}
    pages = list(paginator.paginate(**asked, PaginationConfig={"PageSize": 7}))
    told = [json.loads(one["CloudTrailEvent"])["requestParameters"] for page in pages for one in page["Events"]]
    assert told == [{"clusterName": f"c{number}"} for number in reversed(range(20))]


def test_trails_are_kept(stage: Stage) -> None:
    """By moto."""
    stage.client("s3").create_bucket(Bucket="trail")
    stage.client("cloudtrail").create_trail(Name="all", S3BucketName="trail")
    assert [one["Name"] for one in stage.client("cloudtrail").list_trails()["Trails"]] == ["all"]
