"""Tasks as the API describes them.

Source: ECS API reference, Task, Container and Attachment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.ecs import readiness, tags
from runbook_lib.sandbox.services.ecs.store import Container, Task, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

TIMES = {
    "connectivityAt": "connected",
    "createdAt": "created",
    "pullStartedAt": "pull_started",
    "pullStoppedAt": "pull_stopped",
    "startedAt": "started_at",
    "stoppingAt": "stopping",
    "executionStoppedAt": "execution_stopped",
    "stoppedAt": "stopped",
}
DEFAULT_STORAGE = {"sizeInGiB": 20}


def described(world: World, task: Task, include: Sequence[str] = ()) -> dict[str, Any]:
    """A task as DescribeTasks shows it; what has not come yet is absent."""
    definition = store(world).task_definitions[task.task_definition_arn]
    architecture = definition.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64").lower()
    answer: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster,
        "taskDefinitionArn": task.task_definition_arn,
        "lastStatus": task.status,
        "desiredStatus": task.desired,
        "group": task.group,
        "startedBy": task.started_by,
        "launchType": "FARGATE" if task.platform_version else "EC2",
        "cpu": definition.get("cpu", ""),
        "memory": definition.get("memory", ""),
        "availabilityZone": task.zone,
        "healthStatus": readiness.health_status(world, task),
        "attachments": _attachments(world, task),
        "attributes": [{"name": "ecs.cpu-architecture", "value": architecture}],
        "containers": [_container(world, task, one) for one in task.containers],
        "overrides": {"containerOverrides": [{"name": one.name} for one in task.containers], **task.overrides},
        "enableExecuteCommand": False,
        "ephemeralStorage": definition.get("ephemeralStorage", DEFAULT_STORAGE),
        "tags": tags.of(world, task.arn) if "TAGS" in include else [],
        "version": _version(task),
    }
    if task.platform_version:
        answer |= {"platformVersion": task.platform_version, "platformFamily": "Linux"}
    if task.connected is not None:
        answer["connectivity"] = "DISCONNECTED" if task.status == "STOPPED" else "CONNECTED"
    if task.stopped_reason:
        answer |= {"stopCode": task.stop_code, "stoppedReason": task.stopped_reason}
    return answer | _times(world, task)


def _times(world: World, task: Task) -> dict[str, Any]:
    times = {key: getattr(task, name) for key, name in TIMES.items()}
    return {key: world.datetime(time) for key, time in times.items() if time is not None}


def _version(task: Task) -> int:
    """It grows with every change that ECS tells of: the times that have come."""
    return 1 + sum(getattr(task, name) is not None for name in TIMES.values())


def _attachments(world: World, task: Task) -> list[dict[str, Any]]:
    if task.network is None:
        return []
    status = "ATTACHED" if task.interface else "PRECREATED"
    found = {"subnetId": task.network.subnets[0]}
    if task.interface:
        found = {
            "subnetId": task.interface.subnet,
            "networkInterfaceId": task.interface.id,
            "macAddress": task.interface.mac,
            "privateDnsName": f"ip-{task.ip.replace('.', '-')}.ec2.internal",
            "privateIPv4Address": task.ip,
        }
    return [
        {
            "id": task.attachment,
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if task.status == "STOPPED" else status,
            "details": [{"name": name, "value": value} for name, value in found.items()],
        }
    ]


def _container(world: World, task: Task, container: Container) -> dict[str, Any]:
    declared = next(
        one
        for one in store(world).task_definitions[task.task_definition_arn]["containerDefinitions"]
        if one["name"] == container.name
    )
    answer: dict[str, Any] = {
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.status,
        "networkBindings": [],
        "networkInterfaces": [{"attachmentId": task.attachment, "privateIpv4Address": task.ip}] if task.ip else [],
        "healthStatus": container.health,
        "cpu": str(declared["cpu"]),
    }
    optional = {
        "imageDigest": container.digest,
        "runtimeId": container.runtime_id,
        "exitCode": container.exit_code,
        "reason": container.reason or None,
        "memory": str(declared["memory"]) if "memory" in declared else None,
    }
    return answer | {key: value for key, value in optional.items() if value is not None}
