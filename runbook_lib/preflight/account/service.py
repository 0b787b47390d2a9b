"""What ECS says of the service: as it runs or as it is wished for, its task definition, and how it is scaled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.preflight.live import Definition, Names, Scaling, Service, TaskSet

if TYPE_CHECKING:
    from runbook_lib.account import Account

MOST_EVENTS = 20  # the newest, of the 100 that ECS keeps


def read_service(account: Account, names: Names, wished: Mapping[str, Any] | None) -> Service | None:
    """The service that is wished for, else the one that is there; None when there is none."""
    if wished:
        return _service(wished)
    found = account.client("ecs").describe_services(cluster=names.cluster, services=[names.service])["services"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    return _service(found[0])


def _service(one: Mapping[str, Any]) -> Service:
    """A service as DescribeServices shows it, or as CreateService is asked for it."""
    balancers = one.get("loadBalancers", ())
    network = one.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    deployments = one.get("deployments", ())
    return Service(
        name=one["serviceName"],
        controller=one.get("deploymentController", {}).get("type", "ECS"),
        scheduling=one.get("schedulingStrategy", "REPLICA"),
        desired=one.get("desiredCount", 0),
        running=one.get("runningCount", 0),
        revision=one.get("taskDefinition", ""),
        target_groups=tuple(balancer["targetGroupArn"] for balancer in balancers),
        container=balancers[0]["containerName"] if balancers else "",
        port=balancers[0]["containerPort"] if balancers else 0,
        capacity=tuple(provider["capacityProvider"] for provider in one.get("capacityProviderStrategy", ())),
        subnets=tuple(network.get("subnets", ())),
        public_ip=network.get("assignPublicIp") == "ENABLED",
        grace=one.get("healthCheckGracePeriodSeconds"),
        connects=any(made.get("serviceConnectConfiguration", {}).get("enabled") for made in (one, *deployments)),
        task_sets=tuple(_task_set(task_set) for task_set in one.get("taskSets", ())),
        events=tuple(event["message"] for event in one.get("events", ())[:MOST_EVENTS]),
    )


def _task_set(found: Mapping[str, Any]) -> TaskSet:
    balancers = found.get("loadBalancers", ())
    return TaskSet(found["id"], found["status"], balancers[0]["targetGroupArn"] if balancers else "")


def read_definition(account: Account, arn: str) -> Definition:
    """A revision of a task definition."""
    found = account.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return Definition(
        arn=found["taskDefinitionArn"],
        status=found["status"],
        images=tuple(container["image"] for container in found["containerDefinitions"]),
        architecture=found.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64"),
        cpu=found.get("cpu", ""),
        memory=found.get("memory", ""),
        roles=tuple(found[key] for key in ("executionRoleArn", "taskRoleArn") if found.get(key)),
        execution_role=found.get("executionRoleArn", ""),
        log_groups=tuple(dict.fromkeys(_log_groups(found["containerDefinitions"]))),
        secrets=tuple(one["valueFrom"] for container in found["containerDefinitions"] for one in _secrets(container)),
    )


def _log_groups(containers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        told = container.get("logConfiguration", {})
        if told.get("logDriver") == "awslogs":
            yield told.get("options", {}).get("awslogs-group", "")


def _secrets(container: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Those of the environment and those of the log driver."""
    return [*container.get("secrets", ()), *container.get("logConfiguration", {}).get("secretOptions", ())]


def read_scaling(account: Account, names: Names) -> Scaling | None:
    """The scalable target of the service; None when it has none."""
    found = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[f"service/{names.cluster}/{names.service}"]
    )["ScalableTargets"]
    if not found:
        return None
    state = found[0].get("SuspendedState", {})
    return Scaling(found[0]["MinCapacity"], found[0]["MaxCapacity"], bool(state) and all(state.values()))
