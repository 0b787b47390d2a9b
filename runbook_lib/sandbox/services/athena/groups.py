"""Work groups: moto keeps them; what Athena refuses is refused here (API reference, WorkGroupConfiguration)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PRIMARY = "primary"
LEAST_CUTOFF = 10_000_000  # API reference, BytesScannedCutoffPerQuery


def invalid(message: str) -> AwsError:
    """Athena's error for nearly everything."""
    return AwsError("InvalidRequestException", message)


def create(call: Call) -> dict[str, Any]:
    """CreateWorkGroup."""
    name, told = call.params["Name"], call.params.get("Configuration", {})
    if told.get("BytesScannedCutoffPerQuery", LEAST_CUTOFF) < LEAST_CUTOFF:
        raise invalid(f"BytesScannedCutoffPerQuery must be at least {LEAST_CUTOFF}")
    if _find(call.world, name) is not None:
        raise invalid(f"WorkGroup {name} is already created")
    call.moto()
    return {}


def get(call: Call) -> dict[str, Any]:
    """GetWorkGroup."""
    return {"WorkGroup": found(call.world, call.params["WorkGroup"])}


def update(call: Call) -> dict[str, Any]:
    """UpdateWorkGroup: what is named in the updates, the rest stays (API reference, WorkGroupConfigurationUpdates)."""
    name, client = call.params["WorkGroup"], call.world.gateway.client("athena", moto_only=True)
    before = found(call.world, name)
    told = dict(call.params.get("ConfigurationUpdates", {}))
    if set(told) - {"BytesScannedCutoffPerQuery", "RemoveBytesScannedCutoffPerQuery", "EnforceWorkGroupConfiguration"}:
        raise not_simulated(f"athena: UpdateWorkGroup with {', '.join(sorted(told))}")
    if told.get("BytesScannedCutoffPerQuery", LEAST_CUTOFF) < LEAST_CUTOFF:
        raise invalid(f"BytesScannedCutoffPerQuery must be at least {LEAST_CUTOFF}")
    removed = told.pop("RemoveBytesScannedCutoffPerQuery", False)
    configuration = {**before["Configuration"], **told}
    if removed:
        configuration.pop("BytesScannedCutoffPerQuery", None)
    client.delete_work_group(WorkGroup=name)
    description = call.params.get("Description", before.get("Description", ""))
    client.create_work_group(Name=name, Description=description, Configuration=configuration)
    return {}


def delete(call: Call) -> dict[str, Any]:
    """DeleteWorkGroup: one that was used is only deleted with what it remembers."""
    name = call.params["WorkGroup"]
    if name == PRIMARY:
        raise invalid("The primary workgroup cannot be deleted")
    found(call.world, name)
    store = call.world.store("athena")
    used = [one.id for one in store.executions.values() if one.group == name]
    if used and not call.params.get("RecursiveDeleteOption"):
        raise invalid(f"WorkGroup {name} is not empty")
    for id in used:
        del store.executions[id]
    store.tokens = {token: id for token, id in store.tokens.items() if id not in used}
    call.moto()
    return {}


def found(world: World, name: str) -> dict[str, Any]:
    """A work group as GetWorkGroup shows it; refused when there is none."""
    group = _find(world, name)
    if group is None:
        raise invalid(f"WorkGroup {name} is not found.")
    return group


def _find(world: World, name: str) -> dict[str, Any] | None:
    client = world.gateway.client("athena", moto_only=True)
    group: dict[str, Any] | None = client.get_work_group(WorkGroup=name).get("WorkGroup")
    return group


OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "CreateWorkGroup": create,
    "GetWorkGroup": get,
    "UpdateWorkGroup": update,
    "DeleteWorkGroup": delete,
}
