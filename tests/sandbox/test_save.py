"""A world saved in the middle of things and loaded again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pipeline_stage import Stage
from release_stage import begin

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import Sandbox, save

TRUST = '{"Version": "2012-10-17", "Statement": []}'

OPEN = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}})
# What a process says of a saved world after two more minutes: moto's part, ours, ids to come, and the time.
GO_ON = """
import json, sys
from runbook_lib.sandbox import Sandbox, Settings
sandbox = Sandbox.new(Settings())
sandbox.load(sys.argv[1])
"""
TELL = """
sandbox.clock.sleep(120)
c = sandbox.client
told = [
    c("elbv2").describe_load_balancers(), c("ec2").describe_subnets(), c("ec2").create_vpc(CidrBlock="10.9.0.0/16"),
    c("s3").list_objects_v2(Bucket="kept"), c("s3").get_object(Bucket="kept", Key="k")["Body"].read().decode(),
    c("kms").list_keys(), c("ssm").get_parameter(Name="/p"), c("iam").get_role(RoleName="r"),
    c("logs").get_log_events(logGroupName="g", logStreamName="s"), c("secretsmanager").get_secret_value(SecretId="s"),
    c("sqs").receive_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/123456789012/q"), c("sns").list_topics(),
    c("lambda").list_functions(), c("scheduler").list_schedules(), c("ecs").describe_clusters(clusters=["main"]),
    sandbox.world.ids.uuid("x"), sandbox.clock.now().isoformat(), [repr(call) for call in sandbox.world.calls],
]
print(json.dumps(told, default=lambda value: value.timestamp(), sort_keys=True))
"""


def _furnish(sandbox: Sandbox) -> None:
    """Something of everything: what moto keeps, and a load balancer that is about to become active."""
    c = sandbox.client
    c("s3").create_bucket(Bucket="kept")
    c("s3").put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    c("s3").put_object(Bucket="kept", Key="k", Body=b"content")
    c("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    c("kms").create_key()
    c("ssm").put_parameter(Name="/p", Value="v", Type="String")
    c("secretsmanager").create_secret(Name="s", SecretString="x")
    c("sqs").create_queue(QueueName="q", Attributes={"Policy": OPEN})
    c("sns").create_topic(Name="t")
    c("sns").subscribe(
        TopicArn="arn:aws:sns:us-east-1:123456789012:t",
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:123456789012:q",
    )
    c("sns").publish(TopicArn="arn:aws:sns:us-east-1:123456789012:t", Message="m")
    c("logs").create_log_group(logGroupName="g")
    c("logs").create_log_stream(logGroupName="g", logStreamName="s")
    now = int(sandbox.clock.now().timestamp() * 1000)
    c("logs").put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "m"}])
    c("iam").create_service_linked_role(AWSServiceName="elasticloadbalancing.amazonaws.com")
    c("iam").create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    sandbox.clock.sleep(30)
    subnets = [each["SubnetId"] for each in c("ec2").describe_subnets()["Subnets"][:2]]
    gateway = c("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc = c("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    c("ec2").attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    c("elbv2").create_load_balancer(Name="alb", Subnets=subnets)
    c("ecs").create_cluster(clusterName="main")
    sandbox.clock.sleep(60)


def _go_on(script: str, path: Path) -> str:
    """What a script says in another process, which hashes differently, of the world in a file."""
    return subprocess.run(
        [sys.executable, "-c", GO_ON + script, str(path)],
        env={**os.environ, "PYTHONHASHSEED": "3"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _until(world: Stage, moment: str) -> None:
    """Lets the release go on until that action runs; the approval is given on the way."""
    if moment == "BlueGreen":
        world.settle()
        world.answer(stage="Deploy")
    world.until_at(moment)


def test_a_loaded_world_goes_on_as_the_saved_one_would_have(
    fresh: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte, in another process, with a load balancer that becomes active in between."""
    _furnish(fresh)
    before = fresh.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["State"]["Code"]
    fresh.save(tmp_path / "world")
    exec(TELL, {"sandbox": fresh, "json": json})
    here = capsys.readouterr().out
    assert here == _go_on(TELL, tmp_path / "world")
    told = json.loads(here)
    assert (before, told[0]["LoadBalancers"][0]["State"]["Code"]) == ("provisioning", "active")


# What a process makes of a saved release: the approval if it is asked for, and the way to the end.
RELEASE = """
def client(name): return sandbox.client(name)
def waiting():
    stages = client("codepipeline").get_pipeline_state(name="orders")["stageStates"]
    return stages[2]["actionStates"][0].get("latestExecution", {}).get("token")
sandbox.clock.sleep(120)
if waiting():
    client("codepipeline").put_approval_result(
        pipelineName="orders", stageName="Deploy", actionName="Approve", token=waiting(),
        result={"status": "Approved", "summary": "seen"},
    )
sandbox.clock.sleep(7200)
deployments = client("codedeploy").list_deployments(applicationName="orders", deploymentGroupName="orders")
told = [
    client("codepipeline").list_pipeline_executions(pipelineName="orders"),
    client("codepipeline").list_action_executions(pipelineName="orders"),
    client("codedeploy").batch_get_deployments(deploymentIds=deployments["deployments"]),
    client("ecs").describe_services(cluster="orders", services=["orders"]),
    client("logs").describe_log_groups(), sandbox.world.store("events").emitted, sandbox.world.ids.uuid("x"),
]
print(json.dumps(told, default=lambda value: value.timestamp(), sort_keys=True))
"""


@pytest.mark.parametrize(
    ("moment", "seconds"), [("Checkout", 0), ("DockerBuild", 30), ("Approve", 0), ("BlueGreen", 100)]
)
def test_a_release_goes_on_in_another_process(
    moment: str, seconds: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Saved while it fetches, builds, waits for somebody, or deploys, it ends byte for byte as it would have."""
    world = begin()
    _until(world, moment)
    world.wait(seconds)
    sandbox = Sandbox(world.world)
    sandbox.save(tmp_path / "world")
    exec(RELEASE, {"sandbox": sandbox, "json": json})
    here = capsys.readouterr().out
    assert here == _go_on(RELEASE, tmp_path / "world")
    assert json.loads(here)[0]["pipelineExecutionSummaries"][0]["status"] == "Succeeded"


def test_a_world_can_be_loaded_in_the_process_that_saved_it(fresh: Sandbox, tmp_path: Path) -> None:
    """What happened since is gone; the sandbox goes on in the loaded world."""
    fresh.client("sns").create_topic(Name="kept")
    fresh.save(tmp_path / "world")
    fresh.client("sns").create_topic(Name="later")
    fresh.clock.sleep(60)
    fresh.load(tmp_path / "world")
    assert [t["TopicArn"].rsplit(":", 1)[1] for t in fresh.client("sns").list_topics()["Topics"]] == ["kept"]
    assert fresh.clock.now().isoformat() == "2026-03-02T09:00:00+00:00"


def test_saving_changes_nothing(fresh: Sandbox, tmp_path: Path) -> None:
    """Two files of the same moment are the same."""
    fresh.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    fresh.save(tmp_path / "one")
    fresh.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_save_that_fails_leaves_the_former_file(fresh: Sandbox, tmp_path: Path, monkeypatch: Any) -> None:
    """A state file is whole, or it is the one from before; no half file is left."""
    fresh.save(tmp_path / "world")
    before = (tmp_path / "world").read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        fresh.save(tmp_path / "world")
    assert (tmp_path / "world").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["world"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda data: b"", "it begins with b''"),
        (lambda data: b"PK" + data, "it begins with b'PK"),
        (lambda data: data.replace(b"moto ", b"moto 1", 1), "it begins with"),
        (lambda data: data[:-1], "it is damaged"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "it is damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_by_name(fresh: Sandbox, tmp_path: Path, change: Any, seen: str) -> None:
    """Before anything in it is run."""
    fresh.save(tmp_path / "world")
    (tmp_path / "world").write_bytes(change((tmp_path / "world").read_bytes()))
    with pytest.raises(BadInput, match=seen) as raised:
        save.load(tmp_path / "world")
    assert str(tmp_path / "world") in str(raised.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    """And so is a directory."""
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(BadInput, match=str(path)):
            save.load(path)


def test_a_file_of_somebody_else_is_refused(fresh: Sandbox, tmp_path: Path, monkeypatch: Any) -> None:
    """Loading runs what is in it."""
    fresh.save(tmp_path / "world")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(BadInput, match="belongs to user"):
        save.load(tmp_path / "world")
