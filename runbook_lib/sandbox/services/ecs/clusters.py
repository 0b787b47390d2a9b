"""Clusters.

Sources: ECS API reference, CreateCluster, DescribeClusters and DeleteCluster.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import lookup, tags
from runbook_lib.sandbox.services.ecs.store import Cluster, store
from runbook_lib.sandbox.services.elbv2 import linked_role

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
BATCH = 100
ROLE_TOO_NEW = AwsError(
    "InvalidParameterException",
    "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
)
SETTINGS = {"containerInsights": ("enabled", "enhanced", "disabled")}


def require_linked_role(world: World) -> None:
    """The first use of ECS in an account makes its role, and fails meanwhile."""
    linked_role.require(world, "ecs.amazonaws.com", ROLE_TOO_NEW)


def create(call: Call) -> dict[str, Any]:
    """CreateCluster; one of the same name that exists is answered as it is."""
    world, params = call.world, call.params
    name = params.get("clusterName", lookup.DEFAULT_CLUSTER)
    if not NAME.fullmatch(name):
        raise AwsError("InvalidParameterException", "Cluster names can have at most 255 letters, digits, _ and -.")
    existing = lookup.find_cluster(world, name)
    if existing:
        return {"cluster": _described(world, existing, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}
    require_linked_role(world)
    made = Cluster(
        arn=lookup.cluster_arn(world, name),
        name=name,
        status="ACTIVE",
        settings=_settings(params.get("settings", ())),
        configuration=params.get("configuration", {}),
        capacity_providers=tuple(params.get("capacityProviders", ())),
        default_strategy=tuple(params.get("defaultCapacityProviderStrategy", ())),
    )
    store(world).clusters[made.arn] = made
    tags.keep(world, made.arn, tags.read(params.get("tags", ())))
    return {"cluster": _described(world, made, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}


def _settings(wanted: Any) -> tuple[dict[str, str], ...]:
    given = {item["name"]: item["value"] for item in wanted}
    for name, value in given.items():
        if value not in SETTINGS.get(name, ()):
            raise AwsError(
                "InvalidParameterException", f"'{value}' is not a valid value for the cluster setting '{name}'."
            )
    return tuple({"name": name, "value": value} for name, value in {"containerInsights": "disabled", **given}.items())


def describe(call: Call) -> dict[str, Any]:
    """DescribeClusters; a cluster that never was is a failure with the reason MISSING."""
    world, names = call.world, call.params.get("clusters", [lookup.DEFAULT_CLUSTER])
    if len(names) > BATCH:
        raise AwsError("InvalidParameterException", f"Clusters cannot be more than {BATCH}.")
    kept, include = store(world).clusters, set(call.params.get("include", ()))
    arns = [lookup.cluster_arn(world, name) for name in names]
    return {
        "clusters": [_described(world, kept[arn], include) for arn in arns if arn in kept],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in kept],
    }


def _described(world: World, cluster: Cluster, include: set[str]) -> dict[str, Any]:
    kept = store(world)
    tasks = [task for task in kept.tasks.values() if task.cluster == cluster.arn]
    services = [one for one in kept.services.values() if one.cluster == cluster.arn and one.status == "ACTIVE"]
    answer: dict[str, Any] = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": sum(task.counts_as_running for task in tasks),
        "pendingTasksCount": sum(task.counts_as_pending for task in tasks),
        "activeServicesCount": len(services),
        "statistics": [],
        "tags": tags.of(world, cluster.arn) if "TAGS" in include else [],
        "settings": list(cluster.settings) if "SETTINGS" in include else [],
        "capacityProviders": list(cluster.capacity_providers),
        "defaultCapacityProviderStrategy": list(cluster.default_strategy),
    }
    if cluster.configuration and "CONFIGURATIONS" in include:
        answer["configuration"] = dict(cluster.configuration)
    return answer


def list_(call: Call) -> dict[str, Any]:
    """ListClusters."""
    arns = [cluster.arn for cluster in store(call.world).clusters.values() if cluster.status == "ACTIVE"]
    return lookup.page(arns, call.params, "clusterArns")


def update(call: Call) -> dict[str, Any]:
    """UpdateCluster and UpdateClusterSettings."""
    world = call.world
    old = lookup.cluster(world, call.params["cluster"])
    new = {item["name"]: item["value"] for item in call.params.get("settings", ())}
    known = {item["name"]: item["value"] for item in old.settings}
    settings = _settings([{"name": name, "value": value} for name, value in {**known, **new}.items()])
    configuration = call.params.get("configuration", old.configuration)
    changed = replace(old, settings=settings, configuration=configuration)
    store(world).clusters[old.arn] = changed
    return {"cluster": _described(world, changed, {"SETTINGS", "CONFIGURATIONS", "TAGS"})}


def put_capacity_providers(call: Call) -> dict[str, Any]:
    """PutClusterCapacityProviders: kept and answered; tasks run on Fargate whatever it says."""
    world, params = call.world, call.params
    old = lookup.cluster(world, params["cluster"])
    changed = replace(
        old,
        capacity_providers=tuple(params["capacityProviders"]),
        default_strategy=tuple(params["defaultCapacityProviderStrategy"]),
    )
    store(world).clusters[old.arn] = changed
    return {"cluster": _described(world, changed, set())}


def delete(call: Call) -> dict[str, Any]:
    """DeleteCluster, once nothing is in it; it can be described as INACTIVE afterwards."""
    world = call.world
    found = lookup.cluster(world, call.params["cluster"])
    kept = store(world)
    if any(one.cluster == found.arn and one.status == "ACTIVE" for one in kept.services.values()):
        raise AwsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(task.cluster == found.arn and task.status != "STOPPED" for task in kept.tasks.values()):
        raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    gone = replace(found, status="INACTIVE")
    kept.clusters[found.arn] = gone
    return {"cluster": _described(world, gone, set())}


OPERATIONS = {
    "CreateCluster": create,
    "DescribeClusters": describe,
    "ListClusters": list_,
    "UpdateCluster": update,
    "UpdateClusterSettings": update,
    "PutClusterCapacityProviders": put_capacity_providers,
    "DeleteCluster": delete,
}
