"""A served world in a process of its own that can be killed and served again, and a release that is driven in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codedeploy_stage import LINEAR
from pipeline_stage import NAME, buildspec
from release_stage import IMAGE, begin

from runbook_lib.sandbox import connect, save
from runbook_lib.sandbox.remote import RemoteSandbox

SERVE = [sys.executable, "-m", "runbook_lib.sandbox.serving"]
GENTLE = 20  # seconds that a server may take to end


class Served:
    """A server in its own process."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*SERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or "{}")

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    def end(self) -> int:
        """Asks it to end, and gives its exit code."""
        self.process.terminate()
        return self.process.wait(GENTLE)

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(GENTLE)

    def said(self) -> str:
        """What it wrote to its errors; it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()


def lay_down(state: Path, **figures: Any) -> None:
    """Saves a world with a release pipeline whose build sleeps for a while; figures change its settings."""
    stage = begin()
    detail = json.dumps({"ImageURI": IMAGE})
    commands = ("sleep 15", f"printf '%s' '{detail}' > imageDetail.json")
    stage.push("a slow build", buildspec_yml=buildspec(*commands))
    stage.client("codedeploy").update_deployment_group(
        applicationName=NAME, currentDeploymentGroupName=NAME, deploymentConfigName=LINEAR
    )
    stage.world.settings = stage.world.settings.with_(**figures)
    save.save(stage.world, state)


def waiting_approval(world: RemoteSandbox) -> str:
    """The token of the approval that is waited for; "" when none is."""
    stages = world.client("codepipeline").get_pipeline_state(name=NAME)["stageStates"]
    return str(stages[2]["actionStates"][0].get("latestExecution", {}).get("token", ""))


def _deployment(world: RemoteSandbox) -> str:
    deploy = world.client("codedeploy")
    return str(deploy.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"][0])


def advance(seconds: float) -> Callable[[RemoteSandbox], Any]:
    """Lets time pass."""
    return lambda world: json.loads(world.line.ask("advance", {"seconds": seconds}))["now"]


# A release from the commit to the end, with calls of every protocol in between: name -> what is done.
STEPS: dict[str, Callable[[RemoteSandbox], Any]] = {
    "query to moto": lambda w: w.client("sns").create_topic(Name="news"),
    "start": lambda w: w.client("codepipeline").start_pipeline_execution(name=NAME),
    "until it builds": advance(30),
    "REST while a child sleeps": lambda w: w.client("s3").put_object(Bucket="orders-artifacts", Key="k", Body=b"\0z\n"),
    "until the child has ended": advance(120),
    "approve": lambda w: w.client("codepipeline").put_approval_result(
        pipelineName=NAME,
        stageName="Deploy",
        actionName="Approve",
        token=waiting_approval(w),
        result={"status": "Approved", "summary": "seen"},
    ),
    "into the shift": advance(240),
    "metrics": lambda w: w.client("cloudwatch").put_metric_data(
        Namespace="Test", MetricData=[{"MetricName": "Seen", "Value": 1.0}]
    ),
    "stop": lambda w: w.client("codedeploy").stop_deployment(deploymentId=_deployment(w), autoRollbackEnabled=True),
    "keys": lambda w: w.client("kms").create_key(Description="mine"),
    "roles": lambda w: w.client("iam").create_role(RoleName="late", AssumeRolePolicyDocument='{"Statement": []}'),
    "until it is over": advance(3600),
}


def shown(world: RemoteSandbox) -> str:
    """What a world shows of everything that the steps touched, and the ids that it will give next."""
    call = world.client
    deployments = call("codedeploy").list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"]
    told = [
        call("codepipeline").list_pipeline_executions(pipelineName=NAME),
        call("codepipeline").list_action_executions(pipelineName=NAME),
        call("codedeploy").batch_get_deployments(deploymentIds=deployments),
        call("ecs").describe_services(cluster=NAME, services=[NAME]),
        call("logs").describe_log_groups(),
        call("sns").list_topics(),
        call("s3").list_objects_v2(Bucket="orders-artifacts"),
        call("kms").list_keys(),
        call("iam").list_roles(),
        call("ec2").create_vpc(CidrBlock="10.9.0.0/16"),
        call("ecs").create_cluster(clusterName="next"),
        call("codecommit").create_repository(repositoryName="next"),
        {name: value for name, value in world.status().items() if name not in ("calls", "pid")},
    ]
    return json.dumps([plain(each) for each in told], default=lambda value: value.timestamp(), sort_keys=True)


def plain(answer: Any) -> Any:
    """An answer without what says how it came."""
    if not isinstance(answer, dict):
        return answer
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def play(state: Path, *, kill_after: set[str]) -> tuple[dict[str, Any], str]:
    """Drives the release, the server killed after some steps; gives what each step answered and what it came to."""
    answers: dict[str, Any] = {}
    served = Served("--state", str(state))
    for name, do in STEPS.items():
        answers[name] = plain(do(connect(served.url)))
        if name in kill_after:
            served.kill()
            served = Served("--state", str(state))
    told = shown(connect(served.url))
    assert served.end() == 0, served.said()
    return answers, told
