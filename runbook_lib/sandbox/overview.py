"""What goes on in a world, for somebody who looks at it from outside; asked of the services as any client would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

UNDER_WAY = ["Created", "Queued", "InProgress", "Baking", "Ready"]  # CodeDeploy API reference, ListDeployments
AT_ONCE = 25  # BatchGetDeployments takes so many


def overview_of(world: World) -> dict[str, list[dict[str, Any]]]:
    """What is under way, by kind; a kind whose service nobody has used is empty."""
    return {kind: list(look(world)) if world.has(service) else [] for kind, (service, look) in KINDS.items()}


def _deployments(world: World) -> Iterator[dict[str, Any]]:
    deploy = world.client("codedeploy")
    ids = deploy.list_deployments(includeOnlyStatuses=UNDER_WAY)["deployments"][:AT_ONCE]
    found = deploy.batch_get_deployments(deploymentIds=ids)["deploymentsInfo"] if ids else []
    for one in found:
        yield {
            "id": one["deploymentId"],
            "group": f"{one['applicationName']}/{one['deploymentGroupName']}",
            "status": one["status"],
            "since": one["createTime"].timestamp(),
        }


def _pipelines(world: World) -> Iterator[dict[str, Any]]:
    pipeline = world.client("codepipeline")
    for one in pipeline.list_pipelines()["pipelines"]:
        state = pipeline.get_pipeline_state(name=one["name"])
        for stage in state["stageStates"]:
            for action in stage["actionStates"]:
                if action.get("latestExecution", {}).get("status") == "InProgress":
                    yield {"name": one["name"], "stage": stage["stageName"], "action": action["actionName"]}


def _builds(world: World) -> Iterator[dict[str, Any]]:
    build = world.client("codebuild")
    ids = build.list_builds()["ids"]
    for one in build.batch_get_builds(ids=ids)["builds"] if ids else []:
        if one["buildStatus"] == "IN_PROGRESS":
            yield {"id": one["id"], "phase": one["currentPhase"]}


def _services(world: World) -> Iterator[dict[str, Any]]:
    ecs = world.client("ecs")
    for cluster in ecs.list_clusters()["clusterArns"]:
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        for one in ecs.describe_services(cluster=cluster, services=arns)["services"] if arns else []:
            yield {
                "name": f"{cluster.rpartition('/')[2]}/{one['serviceName']}",
                "status": one["status"],
                "running": one["runningCount"],
                "desired": one["desiredCount"],
            }


def _alarms(world: World) -> Iterator[dict[str, Any]]:
    found = world.client("cloudwatch").describe_alarms(StateValue="ALARM")
    for one in [*found["MetricAlarms"], *found["CompositeAlarms"]]:
        yield {"name": one["AlarmName"], "since": one["StateUpdatedTimestamp"].timestamp()}


KINDS: dict[str, tuple[str, Callable[[World], Iterator[dict[str, Any]]]]] = {
    "deployments": ("codedeploy", _deployments),
    "pipelines": ("codepipeline", _pipelines),
    "builds": ("codebuild", _builds),
    "services": ("ecs", _services),
    "alarms": ("cloudwatch", _alarms),
}
