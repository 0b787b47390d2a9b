"""Finding what a caller names: by short name, by family and revision, or by ARN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs.store import Cluster, Service, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

DEFAULT_CLUSTER = "default"


def tail(name: str, kind: str) -> str:
    """What stands behind the kind in an ARN (task/...), or the name itself."""
    return name.split(f":{kind}/", 1)[1] if name.startswith("arn:") and f":{kind}/" in name else name


def find_cluster(world: World, name: str | None) -> Cluster | None:
    """An active cluster by its name or ARN; the one called default when none is named."""
    arn = cluster_arn(world, name)
    found = store(world).clusters.get(arn)
    return found if found and found.status == "ACTIVE" else None


def cluster_arn(world: World, name: str | None) -> str:
    """The ARN that a cluster of this name has."""
    return world.arn("ecs", f"cluster/{tail(name or DEFAULT_CLUSTER, 'cluster')}")


def cluster(world: World, name: str | None) -> Cluster:
    """An active cluster; raises ClusterNotFoundException."""
    found = find_cluster(world, name)
    if found is None:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return found


def find_service(world: World, cluster_name: str | None, name: str) -> Service | None:
    """A service that was not deleted too long ago, by its name or ARN."""
    arn = f"{cluster_arn(world, cluster_name).replace(':cluster/', ':service/')}/{tail(name, 'service').split('/')[-1]}"
    return store(world).services.get(arn)


def service(world: World, cluster_name: str | None, name: str) -> Service:
    """A service that is active; raises ServiceNotFoundException or ServiceNotActiveException."""
    found = find_service(world, cluster(world, cluster_name).arn, name)
    if found is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    if found.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    return found


def find_definition(world: World, name: str) -> dict[str, Any] | None:
    """A task definition by ARN, family:revision or family (its newest active revision)."""
    wanted = tail(name, "task-definition")
    known = store(world).task_definitions
    if ":" in wanted:
        return known.get(world.arn("ecs", f"task-definition/{wanted}"))
    active = [one for one in known.values() if one["family"] == wanted and one["status"] == "ACTIVE"]
    return max(active, key=lambda one: one["revision"], default=None)


def startable_definition(world: World, name: str) -> dict[str, Any]:
    """A task definition from which tasks can be started; raises ClientException."""
    found = find_definition(world, name)
    if found is None:
        raise AwsError("ClientException", "TaskDefinition not found.")
    if found["status"] != "ACTIVE":
        raise AwsError("ClientException", "TaskDefinition is inactive")
    return found


def page(found: Sequence[Any], params: Mapping[str, Any], key: str, *, size: int = 100) -> dict[str, Any]:
    """The part of `found` that the call asks for, with a token to the next."""
    size, token = params.get("maxResults", size), params.get("nextToken", "0")
    if not token.isdigit():
        raise AwsError("InvalidParameterException", "Invalid token.")
    start = int(token)
    answer: dict[str, Any] = {key: list(found[start : start + size])}
    if start + size < len(found):
        answer["nextToken"] = str(start + size)
    return answer
