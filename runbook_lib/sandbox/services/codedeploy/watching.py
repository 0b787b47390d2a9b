"""What is watched while a deployment runs: the group's alarms and the scaling of the service.

Sources: CodeDeploy user guide, monitoring-create-alarms; API reference, AlarmConfiguration; ECS developer guide,
deployment-type-bluegreen (a scaling event in mid-shift has five minutes to settle).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy import ending, lookup, progress
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

RED_CODE = "ALARM_ACTIVE"
SETTLE_SECONDS = 300.0
RED = (
    "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "
    "and the affected deployments have been stopped. Activated alarms: {names}"
)
UNSETTLED = Failure(
    "TIMEOUT",
    "The deployment timed out while waiting for the Amazon ECS service to reach a steady state after a scaling event. "
    "This time out period is 5 minutes.",
)


def tick(world: World, deployment_id: str) -> None:
    """Handler codedeploy.tick: looks at the alarms and the scaling, once a minute."""
    deployment = lookup.store(world).deployments[deployment_id]
    if deployment.over or stopped_by_alarm(world, deployment) or failed_by_scaling(world, deployment):
        return
    progress.tick_again(world, deployment)


def stopped_by_alarm(world: World, deployment: Deployment) -> bool:
    """Stops the deployment when one of its alarms is in ALARM, or when an alarm cannot be read."""
    config = deployment.plan.alarms
    if not config.get("enabled") or deployment.rolls_back or deployment.started is None or deployment.past_stopping:
        return False
    names = [alarm["name"] for alarm in config["alarms"]]
    failure = deployment.grants.refusal("cloudwatch:DescribeAlarms", "*")
    if failure is None:
        failure = _red(world, names) or _missing(world, names)
    if failure is not None and failure.code != RED_CODE and config.get("ignorePollAlarmFailure"):
        failure = None
    if failure is None:
        return False
    ending.stop_on_alarm(world, deployment, failure)
    return True


def _red(world: World, names: list[str]) -> Failure | None:
    from runbook_lib.sandbox.services import cloudwatch

    red = [f"<{name}>" for name in names if cloudwatch.alarm_state(world, name) == "ALARM"]
    return Failure(RED_CODE, RED.format(names=", ".join(red))) if red else None


def _missing(world: World, names: list[str]) -> Failure | None:
    from runbook_lib.sandbox.services import cloudwatch

    missing = [name for name in names if cloudwatch.alarm_state(world, name) is None]
    if not missing:
        return None
    text = f"The state of the Amazon CloudWatch alarms could not be retrieved. Missing alarms: {', '.join(missing)}"
    return Failure("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", text)


def failed_by_scaling(world: World, deployment: Deployment) -> bool:
    """Fails a deployment whose service was scaled in mid-shift and did not settle within five minutes."""
    if deployment.over or deployment.event_name != "AllowTraffic":
        return False
    from runbook_lib.sandbox.services.codedeploy import sets

    desired = sets.desired(world, deployment)
    if desired != deployment.desired:
        deployment.desired, deployment.scaled_at = desired, world.now
    if deployment.scaled_at is None:
        return False
    if sets.all_steady(world, deployment):
        deployment.scaled_at = None
        return False
    if world.now - deployment.scaled_at < SETTLE_SECONDS:
        return False
    ending.fail(world, deployment, UNSETTLED)
    return True
