"""Smithy's RPC v2 with CBOR, spoken by boto3 that is told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import codedeploy_stage
import pipeline_stage
import pytest
from abroad import ClientOf
from botocore.exceptions import ClientError

from runbook_lib.sandbox import Sandbox, cbor
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.world import World

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def plain(world: World, service: str) -> Any:
    """A client that speaks what boto3 speaks by itself."""
    return world.gateway.client(service, caller=world.operator)


def told(call: Callable[..., Any], **params: Any) -> Any:
    """What a call answers, or with which error, without its metadata."""
    try:
        answer = call(**params)
    except ClientError as error:
        return error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    answer.pop("ResponseMetadata")
    return answer


def test_a_deployment_is_driven_from_start_to_end(in_cbor: ClientOf) -> None:
    """With times, lists, nested structures and blobs of JSON on the way."""
    stage = codedeploy_stage.fresh()
    stage.make_group(deploymentConfigName=codedeploy_stage.ALL_AT_ONCE)
    deploy = in_cbor(stage.world, "codedeploy")
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": stage.appspec(2)}}
    names = {"applicationName": codedeploy_stage.NAME, "deploymentGroupName": codedeploy_stage.NAME}
    made = deploy.create_deployment(**names, revision=revision)["deploymentId"]
    assert stage.until_over(made) == "Succeeded"
    info = deploy.get_deployment(deploymentId=made)["deploymentInfo"]
    assert info == stage.info(made)
    assert info["createTime"] > START


def test_codedeploy_answers_the_same_in_both_protocols(in_cbor: ClientOf) -> None:
    """Answers and errors alike, to the microsecond."""
    stage = codedeploy_stage.fresh()
    stage.make_group()
    made = stage.start()
    stage.wait(100.25)
    both = plain(stage.world, "codedeploy"), in_cbor(stage.world, "codedeploy")
    target = {"deploymentId": made, "targetIds": ["orders:orders"]}
    calls = {
        "get_deployment": {"deploymentId": made},
        "batch_get_deployment_targets": target,
        "list_deployments": {},
        "get_deployment_group": {"applicationName": "orders", "deploymentGroupName": "orders"},
        "get_application": {"applicationName": "nobody"},
    }
    for name, params in calls.items():
        in_json, in_cbor_ = (told(getattr(client, name), **params) for client in both)
        assert in_json == in_cbor_, name


def test_pipelines_and_builds_answer_the_same_in_both_protocols(in_cbor: ClientOf) -> None:
    """The state of a run that has built, its history, and the build."""
    stage = pipeline_stage.fresh()
    stage.create(pipeline_stage.source(), pipeline_stage.build())
    stage.settle()
    build = stage.client("codebuild").list_builds()["ids"]
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("codepipeline", "get_pipeline_state", {"name": "orders"}),
        ("codepipeline", "list_action_executions", {"pipelineName": "orders"}),
        ("codepipeline", "get_pipeline", {"name": "nobody"}),
        ("codebuild", "batch_get_builds", {"ids": build}),
        ("codebuild", "batch_get_projects", {"names": ["orders", "nobody"]}),
        ("codeconnections", "list_connections", {}),
    ]
    for service, name, params in calls:
        answers = [told(getattr(make(stage.world, service), name), **params) for make in (plain, in_cbor)]
        assert answers[0] == answers[1], name


def test_metrics_of_all_kinds_of_numbers_arrive(fresh: Sandbox, in_cbor: ClientOf) -> None:
    """Whole, broken, negative, huge and exact at the millisecond."""
    watch = in_cbor(fresh.world, "cloudwatch")
    points = [0, 1, 23, 24, 255, 256, 65536, 2**40, -1, -500, 0.25, 1e-9, 1e100]
    for number, value in enumerate(points):
        point = {"MetricName": f"m{number}", "Value": value, "Timestamp": START}
        watch.put_metric_data(Namespace="n", MetricData=[point])
    fresh.clock.sleep(600)
    window = {"StartTime": START, "EndTime": fresh.clock.now(), "Period": 60, "Statistics": ["Sum"]}
    seen = [
        watch.get_metric_statistics(Namespace="n", MetricName=f"m{number}", **window)["Datapoints"][0]
        for number in range(len(points))
    ]
    assert [point["Sum"] for point in seen] == points
    assert {point["Timestamp"] for point in seen} == {START}


def test_what_moto_serves_is_translated(fresh: Sandbox, in_cbor: ClientOf) -> None:
    """A dashboard is text in moto, and its error keeps its code."""
    watch = in_cbor(fresh.world, "cloudwatch")
    watch.put_dashboard(DashboardName="d", DashboardBody='{"widgets": []}')
    assert watch.get_dashboard(DashboardName="d")["DashboardBody"] == '{"widgets": []}'
    error, status = told(watch.get_dashboard, DashboardName="missing")
    assert (error["Code"], status) == ("ResourceNotFound", 404)
    assert [call.operation for call in fresh.world.calls][:2] == ["PutDashboard", "GetDashboard"]


def test_a_service_that_is_motos_alone_is_translated(fresh: Sandbox, in_cbor: ClientOf) -> None:
    """The tags of everything."""
    fresh.client("sns").create_topic(Name="t", Tags=[{"Key": "team", "Value": "orders"}])
    tagging = in_cbor(fresh.world, "resourcegroupstaggingapi")
    assert tagging.get_tag_keys()["TagKeys"] == ["team"]


def test_an_operation_that_nobody_serves_is_named_in_cbor(fresh: Sandbox, in_cbor: ClientOf) -> None:
    """501 with the operation's name, as boto3 reads it."""
    error, status = told(in_cbor(fresh.world, "cloudwatch").list_metric_streams)
    assert (error["Code"], status) == ("NotImplemented", 501)
    assert "cloudwatch.ListMetricStreams" in error["Message"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a0", {}),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),  # a map and a list without a length
        ("7f62616261636164ff", "abcd"[:2] + "cd"),  # a text in pieces
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),  # bytes in pieces
        ("c249010000000000000000", 2**64),
        ("c349010000000000000000", -1 - 2**64),
        ("1bffffffffffffffff", 2**64 - 1),
        ("c1fb41da695000000000", datetime.fromtimestamp(0x69A54000, UTC)),
        ("f93c00", 1.0),
        ("f6", None),
    ],
)
def test_every_way_to_write_a_thing_is_read(written: str, read: Any) -> None:
    """RFC 8949, appendix A: lengths that come last, integers beyond 64 bits, times."""
    assert cbor.decode(bytes.fromhex(written)) == read


@pytest.mark.parametrize("written", ["", "61", "bf6161", "ff", "a1", "a0a0", "62c328", "c4820001", "1c", "a1a00000"])
def test_a_body_that_is_no_item_is_refused(written: str) -> None:
    """Cut short, too long, no text, an unknown tag: said in AWS's words."""
    with pytest.raises(AwsError, match="SerializationException: The body of the request is not what CBOR allows"):
        cbor.decode(bytes.fromhex(written))
