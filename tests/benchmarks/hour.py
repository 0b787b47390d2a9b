"""Play one hour of a linear deployment (a tenth every six minutes) on the virtual clock; print the wall's seconds."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from runbook_lib import begin, service
from runbook_lib.runbook import Runbook

CONFIG = "BenchLinear10PercentEvery6Minutes"
ROUTING = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 6}}


def main(rate: str) -> float:
    """Bring a world to blue/green, start a deployment of the live revision, let an hour pass."""
    overrides = {"sandbox.requests_per_second": float(rate), "sandbox.clock": "virtual"}
    run = begin("benchmark", "sandbox", overrides, world="bluegreen")
    start(run)
    began = time.perf_counter()
    run.account.clock.sleep(3600)
    return time.perf_counter() - began


def start(run: Runbook) -> None:
    """A deployment of the revision that is live already: only the traffic matters here."""
    deploy, system = run.account.client("codedeploy"), run.system
    deploy.create_deployment_config(deploymentConfigName=CONFIG, computePlatform="ECS", trafficRoutingConfig=ROUTING)
    found: Any = service.read_service(run.account, system, system.service)
    balancer = {"ContainerName": system.container, "ContainerPort": system.port}
    target = {
        "TaskDefinition": system.arn("ecs", f"task-definition/{found.primary.revision}"),
        "LoadBalancerInfo": balancer,
    }
    appspec = {"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": target}}]}
    deploy.create_deployment(
        applicationName=system.deploy_application,
        deploymentGroupName=system.deploy_group,
        deploymentConfigName=CONFIG,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(appspec)}},
    )


if __name__ == "__main__":
    quiet, sys.stdout = sys.stdout, sys.stderr
    taken = main(sys.argv[1])
    sys.stdout = quiet
    print(taken)
