"""What is checked when a deployment starts, seconds after it was created: the world may have changed meanwhile.

Sources: CodeDeploy API reference, ErrorInformation; user guide, error-codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy import (
    appspec,
    ending,
    lookup,
    notices,
    progress,
    rerouting,
    revisions,
    role,
    routes,
    sets,
    watching,
)
from runbook_lib.sandbox.services.codedeploy.balancer_rules import NO_PAIR
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.service_rules import WRONG_CONTROLLER
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

BAD_APPSPEC = (
    "The deployment failed because the AppSpec file that specifies the deployment configuration is missing "
    "or has an invalid configuration. {reason}"
)


def start(world: World, deployment: Deployment) -> None:
    """Step: the deployment begins, unless something it needs is gone or an alarm is red."""
    deployment.started, deployment.status = world.now, "InProgress"
    failure = _group_gone(world, deployment) or _read_appspec(world, deployment) or _service_gone(world, deployment)
    if failure:
        ending.fail(world, deployment, failure)
        return
    deployment.grants = role.grants(world, deployment.plan.role)
    notices.announce(world, deployment, "START")
    if deployment.rolls_back:
        rerouting.reroute(world, deployment)
    elif not watching.stopped_by_alarm(world, deployment):
        progress.wait(world, deployment, progress.PAUSE_SECONDS, "begin")


def _group_gone(world: World, deployment: Deployment) -> Failure | None:
    plan = deployment.plan
    application = lookup.store(world).applications.get(plan.application)
    if application is None:
        return Failure("APPLICATION_MISSING", f"The application {plan.application} was deleted.")
    if plan.group not in application.groups:
        return Failure("DEPLOYMENT_GROUP_MISSING", f"The deployment group {plan.group} was deleted.")
    return role.missing(world, plan.role)


def _read_appspec(world: World, deployment: Deployment) -> Failure | None:
    if deployment.rolls_back:
        return None
    revision = lookup.store(world).applications[deployment.plan.application].revisions[deployment.revision]
    try:
        deployment.appspec = appspec.parse(revisions.text(world, revision))
    except LookupError as gone:
        return Failure("REVISION_MISSING", f"The revision could not be found: {gone}")
    except appspec.AppSpecError as wrong:
        missing = str(wrong) == revisions.MISSING_FILE
        return Failure("INVALID_REVISION", str(wrong) if missing else BAD_APPSPEC.format(reason=wrong))
    return None


def _service_gone(world: World, deployment: Deployment) -> Failure | None:
    plan = deployment.plan
    controller = sets.controller(world, plan.cluster, plan.service)
    if controller is None:
        text = f"The Amazon ECS service {plan.service} in cluster {plan.cluster} was not found or is not active."
        return Failure("INVALID_ECS_SERVICE", text)
    if controller != "CODE_DEPLOY":
        return Failure("INVALID_ECS_SERVICE", WRONG_CONTROLLER)
    try:
        routes.pair(world, deployment)
    except AwsError as gone:
        return Failure(routes.INVALID, f"{NO_PAIR} {gone.message}")
    return None
