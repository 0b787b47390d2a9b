"""Tells EventBridge and the group's Amazon SNS topics how a deployment fares.

What the role may not publish costs the notice, not the deployment (AWSCodeDeployRoleForECSLimited allows only topics
whose names begin with CodeDeployTopic_).
Sources: CodeDeploy user guide, monitoring-cloudwatch-events and monitoring-sns-event-notifications-json-format.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from runbook_lib.sandbox.services.codedeploy.store import Deployment
from runbook_lib.sandbox.services.codedeploy.tags import arn

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

LOG = logging.getLogger(__name__)
DETAIL_TYPE = "CodeDeploy Deployment State-change Notification"
TRIGGERS = {
    "START": "DeploymentStart",
    "SUCCESS": "DeploymentSuccess",
    "FAILURE": "DeploymentFailure",
    "STOP": "DeploymentStop",
    "READY": "DeploymentReady",
}


def announce(world: World, deployment: Deployment, state: str) -> None:
    """Emits the event for START, SUCCESS, FAILURE, STOP or READY and publishes to the topics that asked for it."""
    from runbook_lib.sandbox.services import events

    plan = deployment.plan
    events.emit(
        world,
        source="aws.codedeploy",
        detail_type=DETAIL_TYPE,
        resources=[
            arn(world, "application", plan.application),
            arn(world, "deploymentgroup", f"{plan.application}/{plan.group}"),
        ],
        detail={
            "instanceGroupId": plan.group_id,
            "region": world.settings.region,
            "application": plan.application,
            "deploymentId": deployment.id,
            "state": state,
            "deploymentGroup": plan.group,
        },
    )
    _publish(world, deployment, TRIGGERS[state])
    if state == "START" and deployment.rolls_back:
        _publish(world, deployment, "DeploymentRollback")


def _publish(world: World, deployment: Deployment, event: str) -> None:
    from botocore.exceptions import ClientError

    for trigger in deployment.plan.triggers:
        topic = trigger["triggerTargetArn"]
        if event not in trigger["triggerEvents"]:
            continue
        if not deployment.grants.allow("sns:Publish", topic):
            LOG.warning("CodeDeploy: role %s does not allow sns:Publish on %s", deployment.plan.role, topic)
            continue
        message = _message(world, deployment, trigger["triggerName"])
        subject = f"{deployment.status.upper()}: AWS CodeDeploy {deployment.id} in {world.settings.region}"
        try:
            world.client("sns").publish(TopicArn=topic, Subject=subject, Message=message)
        except ClientError as refused:
            # A topic that is gone costs the notice, not the deployment.
            if refused.response["Error"]["Code"] not in ("NotFound", "NotFoundException"):
                raise


def _message(world: World, deployment: Deployment, trigger: str) -> str:
    from runbook_lib.sandbox.services.codedeploy.targets import overview

    body = {
        "region": world.settings.region,
        "accountId": world.settings.account,
        "eventTriggerName": trigger,
        "applicationName": deployment.plan.application,
        "deploymentId": deployment.id,
        "deploymentGroupName": deployment.plan.group,
        "createTime": f"{deployment.created:.3f}",
        "deploymentOverview": {state: str(count) for state, count in overview(deployment).items()},
        "status": deployment.status,
    }
    if deployment.completed is not None:
        body["completeTime"] = f"{deployment.completed:.3f}"
    if deployment.error is not None:
        body["errorInformation"] = {"ErrorCode": deployment.error.code, "ErrorMessage": deployment.error.message}
    return json.dumps(body)
