"""Finds what a call names, or refuses it with CodeDeploy's error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy.store import (
    Application,
    CodeDeployStore,
    Deployment,
    DeploymentConfig,
    Group,
)

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
DEPLOYMENT_ID = re.compile(r"d-[A-Z0-9]{9}")
PAGE = 100


def store(world: World) -> CodeDeployStore:
    """The service's state."""
    found: CodeDeployStore = world.store("codedeploy")
    return found


def named(params: dict[str, Any], key: str, noun: str) -> str:
    """The name under that key, checked; noun is the one in the error codes, such as Application."""
    name: str = params.get(key) or ""
    if not name:
        raise AwsError(f"{noun}NameRequiredException", f"{noun} name is required.")
    if not NAME.fullmatch(name):
        raise AwsError(f"Invalid{noun}NameException", f"The {noun} name {name!r} was specified in an invalid format.")
    return name


def application(world: World, params: dict[str, Any], key: str = "applicationName") -> Application:
    """The application that the call names."""
    name = named(params, key, "Application")
    found = store(world).applications.get(name)
    if found is None:
        raise AwsError("ApplicationDoesNotExistException", f"No application found for name: {name}")
    return found


def group(world: World, params: dict[str, Any], key: str = "deploymentGroupName") -> tuple[Application, Group]:
    """The deployment group that the call names, with its application."""
    app = application(world, params)
    name = named(params, key, "DeploymentGroup")
    if name not in app.groups:
        raise AwsError("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")
    return app, app.groups[name]


def config(world: World, name: str) -> DeploymentConfig:
    """The deployment configuration of that name, stock or custom."""
    from runbook_lib.sandbox.services.codedeploy.configs import stock

    found = store(world).configs.get(name) or stock(world).get(name)
    if found is None:
        raise AwsError("DeploymentConfigDoesNotExistException", f"No deployment configuration found for name: {name}")
    return found


def deployment(world: World, params: dict[str, Any]) -> Deployment:
    """The deployment that the call names."""
    wanted: str = params.get("deploymentId") or ""
    if not wanted:
        raise AwsError("DeploymentIdRequiredException", "Deployment id is required.")
    if not DEPLOYMENT_ID.fullmatch(wanted):
        raise AwsError("InvalidDeploymentIdException", f"Specified DeploymentId is not in the valid format: {wanted}")
    found = store(world).deployments.get(wanted)
    if found is None:
        raise AwsError("DeploymentDoesNotExistException", f"The deployment {wanted} could not be found")
    return found


def page(items: Sequence[Any], params: dict[str, Any], key: str) -> dict[str, Any]:
    """One page of a list under the answer's key, with nextToken where there is more."""
    token = params.get("nextToken") or "0"
    if not token.isdigit() or int(token) > len(items):
        raise AwsError("InvalidNextTokenException", f"The next token {token!r} was specified in an invalid format.")
    start = int(token)
    answer: dict[str, Any] = {key: list(items[start : start + PAGE])}
    if start + PAGE < len(items):
        answer["nextToken"] = str(start + PAGE)
    return answer
