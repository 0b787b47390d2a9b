"""The Amazon ECS service of a deployment group: one, on the CODE_DEPLOY controller, in no other group.

Sources: ECS developer guide, deployment-type-bluegreen; CodeDeploy user guide, limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup, role, sets
from runbook_lib.sandbox.services.codedeploy.store import Application
from runbook_lib.sandbox.services.sts import session_arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

INVALID = "InvalidECSServiceException"
WRONG_CONTROLLER = "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller."


def check(world: World, application: Application, name: str, settings: dict[str, Any]) -> None:
    """Refuses services that the group of that name cannot deploy to."""
    services = settings.get("ecsServices") or []
    if len(services) != 1 or not services[0].get("clusterName") or not services[0].get("serviceName"):
        raise AwsError(INVALID, "For ECS deployment group, exactly one ECS service must be specified")
    cluster, service = services[0]["clusterName"], services[0]["serviceName"]
    where = f"Could not load ECS service information for cluster {cluster} and service {service}"
    grants = role.grants(world, settings["serviceRoleArn"])
    if not grants.allow("ecs:DescribeServices", sets.service_arn(world, cluster, service)):
        session = session_arn(settings["serviceRoleArn"], "codedeploy")
        raise AwsError(INVALID, f"{where}: User: {session} is not authorized to perform: ecs:DescribeServices")
    controller = sets.controller(world, cluster, service)
    if controller is None:
        raise AwsError(INVALID, f"{where}: the service was not found or is not active")
    if controller != "CODE_DEPLOY":
        raise AwsError(INVALID, WRONG_CONTROLLER)
    _in_no_other_group(world, application, name, services[0])


def _in_no_other_group(world: World, application: Application, name: str, service: dict[str, str]) -> None:
    for app in lookup.store(world).applications.values():
        for group in app.groups.values():
            same = app is application and group.name == name
            if not same and group.settings.get("ecsServices") == [service]:
                raise AwsError(
                    "ECSServiceMappingLimitExceededException",
                    f"The ECS service {service['clusterName']}:{service['serviceName']} is already associated with "
                    f"deployment group {group.name} of application {app.name}; it can be in one group only.",
                )
