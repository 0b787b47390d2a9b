"""The task sets of the service that is deployed to: the only place where CodeDeploy speaks to Amazon ECS.

Source: ECS developer guide, deployment-type-bluegreen and deployment-type-external; ECS API reference, TaskSet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment, Side

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

REFUSED = "The Amazon ECS service could not be updated due to the following error: {reason}"


@dataclass(frozen=True)
class TaskSet:
    """A task set as a deployment sees it."""

    id: str
    status: str
    target_group: str
    desired: int
    pending: int
    running: int
    steady: bool


def service_arn(world: World, cluster: str, service: str) -> str:
    """The ARN of a service."""
    return world.arn("ecs", f"service/{cluster}/{service}")


def controller(world: World, cluster: str, service: str) -> str | None:
    """The deployment controller of an active service, None where there is none."""
    from runbook_lib.sandbox.services import ecs

    try:
        found = ecs.service(world, cluster, service)
    except AwsError:
        return None
    return found.controller if found.status == "ACTIVE" else None


def all_(world: World, deployment: Deployment) -> list[TaskSet]:
    """The task sets that the service has now."""
    from runbook_lib.sandbox.services import ecs

    plan = deployment.plan
    if controller(world, plan.cluster, plan.service) is None:
        return []
    return [
        TaskSet(
            id=found.id,
            status=found.status,
            target_group=found.group or "",
            desired=ecs.computed_desired(world, found),
            pending=ecs.pending_count(world, found),
            running=ecs.running_count(world, found),
            steady=found.steady,
        )
        for found in ecs.task_sets(world, plan.cluster, plan.service)
    ]


def find(world: World, deployment: Deployment, side: Side | None) -> TaskSet | None:
    """The task set of that side, None before it is made and after it is gone."""
    wanted = side.task_set if side else ""
    return next((found for found in all_(world, deployment) if found.id == wanted), None)


def primary(world: World, deployment: Deployment) -> Side | None:
    """The side that serves production."""
    found = [one for one in all_(world, deployment) if one.status == "PRIMARY"]
    return Side(found[0].id, found[0].target_group) if found else None


def desired(world: World, deployment: Deployment) -> int:
    """The number of tasks that the service wants."""
    from runbook_lib.sandbox.services import ecs

    return int(ecs.service(world, deployment.plan.cluster, deployment.plan.service).desired)


def all_steady(world: World, deployment: Deployment) -> bool:
    """Whether every task set that is not on its way out runs what it should."""
    return all(found.steady for found in all_(world, deployment) if found.status != "DRAINING")


def ready(world: World, deployment: Deployment) -> bool:
    """Whether green is steady; where a load balancer checks its target group this includes healthy targets."""
    green = find(world, deployment, deployment.green)
    return green is not None and green.steady


def group_name(world: World, target_group: str) -> str:
    """The name in a target group's ARN."""
    return target_group.split(":", 5)[5].split("/")[1]


def denied(world: World, deployment: Deployment) -> Failure | None:
    """Why the service role cannot make a task set: of its own accord, or because it cannot pass a role to the tasks."""
    from runbook_lib.sandbox.services import ecs

    plan, grants = deployment.plan, deployment.grants
    wanted = {"ecs:CreateTaskSet": [world.arn("ecs", f"task-set/{plan.cluster}/{plan.service}/*")], "iam:PassRole": []}
    if deployment.appspec is not None:
        definition = ecs.find_definition(world, deployment.appspec.task_definition) or {}
        wanted["iam:PassRole"] = [definition[key] for key in ("taskRoleArn", "executionRoleArn") if definition.get(key)]
    refusals = (grants.refusal(action, arn) for action, arns in wanted.items() for arn in arns)
    return next((failure for failure in refusals if failure), None)


def create(world: World, deployment: Deployment, target_group: str) -> str:
    """Makes the task set of the AppSpec on that target group and gives its id; raises what Amazon ECS answers."""
    from runbook_lib.sandbox.services import ecs

    plan, spec = deployment.plan, deployment.appspec
    if spec is None:
        raise ValueError(f"deployment {deployment.id} has no AppSpec yet")
    made: str = ecs.create_task_set(
        world,
        cluster=plan.cluster,
        service=plan.service,
        task_definition=spec.task_definition,
        target_group_arn=target_group,
        container=spec.container,
        port=spec.port,
        external_id=deployment.id,
        network=spec.network,
        platform_version=spec.platform_version,
        capacity=spec.capacity_providers,
    )
    return made


def remove_leftovers(world: World, deployment: Deployment) -> None:
    """Deletes what an earlier deployment that was not rolled back left beside the primary."""
    for found in all_(world, deployment):
        if found.status == "ACTIVE":
            remove(world, deployment, Side(found.id, found.target_group))


def remove(world: World, deployment: Deployment, side: Side | None) -> None:
    """Drains and deletes the task set of that side, if there is one."""
    from runbook_lib.sandbox.services import ecs

    found = find(world, deployment, side)
    if found is not None and found.status != "DRAINING":
        plan = deployment.plan
        ecs.delete_task_set(world, cluster=plan.cluster, service=plan.service, task_set_id=found.id)


def promote(world: World, deployment: Deployment, side: Side | None) -> Failure | None:
    """Makes that side primary; gives the failure where Amazon ECS refuses."""
    from runbook_lib.sandbox.services import ecs

    found = find(world, deployment, side)
    if found is None or found.status == "PRIMARY":
        return None
    plan = deployment.plan
    try:
        ecs.set_primary(world, cluster=plan.cluster, service=plan.service, task_set_id=found.id)
    except AwsError as refused:
        return Failure("ECS_UPDATE_ERROR", REFUSED.format(reason=refused.message))
    return None
