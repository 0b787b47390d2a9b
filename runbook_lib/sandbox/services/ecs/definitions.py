"""Task definitions: registered, described, listed, deregistered and deleted.

Sources: ECS API reference, RegisterTaskDefinition, DescribeTaskDefinition, ListTaskDefinitions and
DeleteTaskDefinitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import clients
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.ecs import definition_rules, lookup, tags
from runbook_lib.sandbox.services.ecs.store import forget_old_tasks, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 10


def register_task_definition(world: World, definition: Mapping[str, Any], *, by: str = "") -> str:
    """Register a revision and answer with its ARN; raises AwsError as RegisterTaskDefinition does.

    The definition is checked against the API's shape too, for it may come from a file in a repository.
    """
    complaint = _shape_complaint(definition)
    if complaint:
        raise AwsError("InvalidParameterException", complaint)
    kept = definition_rules.kept(definition)
    known, family = store(world), kept["family"]
    known.revisions[family] = revision = known.revisions.get(family, 0) + 1
    arn = world.arn("ecs", f"task-definition/{family}:{revision}")
    known.task_definitions[arn] = {
        **kept,
        "taskDefinitionArn": arn,
        "revision": revision,
        "status": "ACTIVE",
        "requiresAttributes": definition_rules.required_attributes(kept),
        "compatibilities": definition_rules.compatibilities(kept),
        "registeredAt": world.now,
        "registeredBy": by or world.arn("iam", "root", regional=False),
    }
    tags.keep(world, arn, tags.read(definition.get("tags", ())))
    return arn


def _shape_complaint(definition: Mapping[str, Any]) -> str:
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(dict(definition), _shape())
    return str(report.generate_report()) if report.has_errors() else ""


@cache
def _shape() -> Any:
    return clients.session()._session.get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape


def accepted_keys() -> frozenset[str]:
    """The keys of a task definition that RegisterTaskDefinition accepts."""
    return frozenset(_shape().members)


def task_definition(world: World, arn_or_family: str) -> dict[str, Any]:
    """What describe_task_definition answers under taskDefinition; raises ClientException."""
    found = lookup.find_definition(world, arn_or_family)
    if found is None:
        raise AwsError("ClientException", "Unable to describe task definition.")
    times = ("registeredAt", "deregisteredAt", "deleteRequestedAt")
    return {key: world.datetime(value) if key in times else value for key, value in found.items()}


def register(call: Call) -> dict[str, Any]:
    """RegisterTaskDefinition."""
    arn = register_task_definition(call.world, call.params, by=call.caller)
    return {"taskDefinition": task_definition(call.world, arn), "tags": tags.of(call.world, arn)}


def describe(call: Call) -> dict[str, Any]:
    """DescribeTaskDefinition; tags only when they are asked for."""
    found = task_definition(call.world, call.params["taskDefinition"])
    wanted = "TAGS" in call.params.get("include", ())
    return {"taskDefinition": found, "tags": tags.of(call.world, found["taskDefinitionArn"]) if wanted else []}


def list_(call: Call) -> dict[str, Any]:
    """ListTaskDefinitions: by family and revision; the active ones unless asked otherwise."""
    forget_deleted(call.world)
    status, family = call.params.get("status", "ACTIVE"), call.params.get("familyPrefix")
    found = [
        one for one in _sorted(call.world) if one["status"] == status and one["family"] == (family or one["family"])
    ]
    if call.params.get("sort") == "DESC":
        found.reverse()
    return lookup.page([one["taskDefinitionArn"] for one in found], call.params, "taskDefinitionArns")


def list_families(call: Call) -> dict[str, Any]:
    """ListTaskDefinitionFamilies."""
    prefix, status = call.params.get("familyPrefix", ""), call.params.get("status", "ACTIVE")
    active = {one["family"] for one in _sorted(call.world) if one["status"] == "ACTIVE"}
    every = {one["family"] for one in _sorted(call.world)}
    chosen = {"ACTIVE": active, "INACTIVE": every - active, "ALL": every}[status]
    return lookup.page(sorted(name for name in chosen if name.startswith(prefix)), call.params, "families")


def _sorted(world: World) -> list[dict[str, Any]]:
    return sorted(store(world).task_definitions.values(), key=lambda one: (one["family"], one["revision"]))


def deregister(call: Call) -> dict[str, Any]:
    """DeregisterTaskDefinition: no task starts from it any more; what runs goes on."""
    world, name = call.world, lookup.tail(call.params["taskDefinition"], "task-definition")
    found = lookup.find_definition(world, name) if ":" in name else None
    if found is None:
        raise AwsError("ClientException", "Unable to describe task definition.")
    if found["status"] != "ACTIVE":
        raise AwsError(
            "InvalidParameterException",
            "The specified task definition is inactive. You must specify an active task definition and try again.",
        )
    found |= {"status": "INACTIVE", "deregisteredAt": world.now}
    return {"taskDefinition": task_definition(world, found["taskDefinitionArn"])}


def delete(call: Call) -> dict[str, Any]:
    """DeleteTaskDefinitions: inactive ones only; gone at once, or when nothing runs from them any more."""
    world, names = call.world, call.params["taskDefinitions"]
    if len(names) > BATCH:
        raise AwsError("InvalidParameterException", f"At most {BATCH} task definitions can be deleted at once.")
    deleted, failures = [], []
    for name in names:
        found = lookup.find_definition(world, name)
        if found is None or found["status"] == "ACTIVE":
            reason = (
                "The specified task definition does not exist."
                if found is None
                else (
                    "The specified task definition is still in ACTIVE status. Please deregister the target and try "
                    "again."
                )
            )
            failures.append({"arn": name, "reason": reason})
        else:
            deleted.append(_deleted(world, found))
    return {"taskDefinitions": deleted, "failures": failures}


def _deleted(world: World, found: dict[str, Any]) -> dict[str, Any]:
    arn = found["taskDefinitionArn"]
    found |= {"status": "DELETE_IN_PROGRESS", "deleteRequestedAt": world.now}
    answer = task_definition(world, arn)
    forget_deleted(world)
    return answer


def forget_deleted(world: World) -> None:
    """Forget the deleted revisions of which no task and no task set is shown any more."""
    kept = store(world)
    forget_old_tasks(world)
    used = {task.task_definition_arn for task in kept.tasks.values()} | {
        one.task_definition for one in kept.task_sets.values()
    }
    gone = [
        arn for arn, one in kept.task_definitions.items() if one["status"] == "DELETE_IN_PROGRESS" and arn not in used
    ]
    for arn in gone:
        del kept.task_definitions[arn]
        kept.tags.pop(arn, None)


OPERATIONS = {
    "RegisterTaskDefinition": register,
    "DescribeTaskDefinition": describe,
    "ListTaskDefinitions": list_,
    "ListTaskDefinitionFamilies": list_families,
    "DeregisterTaskDefinition": deregister,
    "DeleteTaskDefinitions": delete,
}
