"""Applications: the outermost box of CodeDeploy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import lookup
from runbook_lib.sandbox.services.codedeploy.configs import platform_of
from runbook_lib.sandbox.services.codedeploy.store import Application
from runbook_lib.sandbox.services.codedeploy.tags import from_list

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

BATCH = 100


def create(call: Call) -> dict[str, Any]:
    """CreateApplication."""
    name = lookup.named(call.params, "applicationName", "Application")
    _must_be_free(call.world, name)
    made = Application(
        name=name,
        id=call.world.ids.uuid("application"),
        platform=platform_of(call.params),
        created=call.world.now,
        tags=from_list(call.params.get("tags", [])),
    )
    lookup.store(call.world).applications[name] = made
    return {"applicationId": made.id}


def _must_be_free(world: World, name: str) -> None:
    if name in lookup.store(world).applications:
        raise AwsError("ApplicationAlreadyExistsException", f"Application already exists: {name}")


def _info(world: World, application: Application) -> dict[str, Any]:
    return {
        "applicationId": application.id,
        "applicationName": application.name,
        "createTime": world.datetime(application.created),
        "linkedToGitHub": False,
        "computePlatform": application.platform,
    }


def get(call: Call) -> dict[str, Any]:
    """GetApplication."""
    return {"application": _info(call.world, lookup.application(call.world, call.params))}


def batch_get(call: Call) -> dict[str, Any]:
    """BatchGetApplications."""
    names = call.params["applicationNames"]
    if len(names) > BATCH:
        raise AwsError("BatchLimitExceededException", f"At most {BATCH} application names can be asked for at once.")
    found = [lookup.application(call.world, {"applicationName": name}) for name in names]
    return {"applicationsInfo": [_info(call.world, application) for application in found]}


def list_(call: Call) -> dict[str, Any]:
    """ListApplications."""
    return lookup.page(sorted(lookup.store(call.world).applications), call.params, "applications")


def update(call: Call) -> dict[str, Any]:
    """UpdateApplication: gives the application a new name, in its deployments too."""
    application = lookup.application(call.world, call.params)
    name = lookup.named(call.params, "newApplicationName", "Application")
    _must_be_free(call.world, name)
    store = lookup.store(call.world)
    store.applications[name] = store.applications.pop(application.name)
    for deployment in store.deployments.values():
        if deployment.plan.application == application.name:
            deployment.plan = replace(deployment.plan, application=name)
    application.name = name
    return {}


def delete(call: Call) -> dict[str, Any]:
    """DeleteApplication: its groups and revisions go with it; an unknown name is no error."""
    name = lookup.named(call.params, "applicationName", "Application")
    lookup.store(call.world).applications.pop(name, None)
    return {}


OPERATIONS = {
    "CreateApplication": create,
    "GetApplication": get,
    "BatchGetApplications": batch_get,
    "ListApplications": list_,
    "UpdateApplication": update,
    "DeleteApplication": delete,
}
