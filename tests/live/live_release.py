"""A served world with live traffic and a service behind CodeDeploy, in which versions are released under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import codedeploy_stage
import pytest
from codedeploy_stage import LINEAR, NAME
from served_stage import Served

from runbook_lib.sandbox import connect, save
from runbook_lib.sandbox.remote import RemoteSandbox
from tests.live.live_stage import orders, settings
from tests.sandbox import ecs_stage

RATE = 100.0
OVER = ("Succeeded", "Failed", "Stopped")
PATIENCE = 90.0  # seconds of the wall


@dataclass
class Release:
    """A served world and what was released in it; `images` are the revisions by version."""

    state: Path
    stage: codedeploy_stage.Stage
    served: Served = field(init=False)

    def __post_init__(self) -> None:
        self.serve()

    def serve(self) -> None:
        """Serve the state file, from here on."""
        self.served = Served("--state", str(self.state))

    @property
    def world(self) -> RemoteSandbox:
        return connect(self.served.url)

    def client(self, service: str) -> Any:
        return self.world.client(service)

    def start(self, version: int, *, config: str = LINEAR) -> str:
        """Start a deployment of a version; its id."""
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": self.stage.appspec(version)}}
        made: str = self.client("codedeploy").create_deployment(
            applicationName=NAME, deploymentGroupName=NAME, revision=revision, deploymentConfigName=config
        )["deploymentId"]
        return made

    def info(self, deployment: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]
        return found

    def until_over(self, deployment: str) -> str:
        """Wait until a deployment is over; its status."""
        self.until(lambda: self.info(deployment)["status"] in OVER)
        return str(self.info(deployment)["status"])

    def until(self, true: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until something is so; what it was."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.1)
        return pytest.fail(f"it did not come to pass within {patience} s; {self.load()}")

    def load(self) -> dict[str, Any]:
        """What came of the load."""
        found: dict[str, Any] = self.world.traffic()["load"]
        return found

    def until_quiet(self) -> None:
        """Wait until no alarm is on: what failed before the first task came has gone by."""
        watch = self.client("cloudwatch")
        self.until(lambda: not watch.describe_alarms(StateValue="ALARM")["MetricAlarms"] and self.load()["versions"])
        self.world.clock.sleep(180)
        self.until(lambda: not watch.describe_alarms(StateValue="ALARM")["MetricAlarms"])

    def until_answered(self, version: str) -> dict[str, Any]:
        """Wait until a version has answered users; what came of the load until then."""
        self.until(lambda: self.load()["versions"].get(version))
        return self.load()

    def weights(self) -> dict[str, int]:
        """The weights of the production listener, by the group's name."""
        shown = self.client("elbv2").describe_listeners(ListenerArns=[self.stage.production])["Listeners"][0]
        groups = shown["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        return {one["TargetGroupArn"].split("/")[-2]: one["Weight"] for one in groups}

    def kill(self) -> None:
        """End the server without a word."""
        self.served.kill()


def lay_down(state: Path, *versions: Mapping[str, str], scale: float = 30.0) -> codedeploy_stage.Stage:
    """Save a world whose service of two tasks begins with version 1; the others behave as their environment says.

    Alarms watch failed and slow requests, and CodeDeploy rolls back by them.
    """
    stage = ecs_stage._build(settings(scale=scale, requests_per_second=RATE))
    world, image = stage.world, orders(stage.world)
    environments: list[Mapping[str, str]] = [{}, *versions]
    revisions = [
        stage.define(image, None, APP_VERSION=str(number), **environment)
        for number, environment in enumerate(environments, 1)
    ]
    for group in (stage.blue, stage.green):
        stage.elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
    stage.serve(taskDefinition=revisions[0], healthCheckGracePeriodSeconds=60)
    made = codedeploy_stage.Stage(
        world,
        stage.blue,
        stage.green,
        stage.production,
        stage.test,
        role=codedeploy_stage.make_role(world, "codedeploy"),
        definitions=revisions,
        subnets=stage.subnets,
    )
    made.deploy.create_application(applicationName=NAME, computePlatform="ECS")
    for name, alarm in _alarms(stage).items():
        world.client("cloudwatch").put_metric_alarm(AlarmName=name, **alarm)
    made.make_group(alarmConfiguration={"enabled": True, "alarms": [{"name": name} for name in _alarms(stage)]})
    save.save(world, state)
    return made


def _alarms(stage: ecs_stage.Stage) -> dict[str, dict[str, Any]]:
    """Failed requests of green's tasks, of the load balancer itself, and how slow green is."""
    balancer = {"Name": "LoadBalancer", "Value": stage.balancer.partition(":loadbalancer/")[2]}
    green = {"Name": "TargetGroup", "Value": stage.green.rpartition(":")[2]}
    return {
        "green-errors": _alarm("HTTPCode_Target_5XX_Count", balancer, green, Statistic="Sum", Threshold=3),
        "unanswered": _alarm("HTTPCode_ELB_5XX_Count", balancer, Statistic="Sum", Threshold=3),
        "green-slow": _alarm("TargetResponseTime", balancer, green, ExtendedStatistic="p99", Threshold=1),
    }


def _alarm(metric: str, *dimensions: dict[str, str], **how: Any) -> dict[str, Any]:
    return {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": metric,
        "Dimensions": list(dimensions),
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **how,
    }
