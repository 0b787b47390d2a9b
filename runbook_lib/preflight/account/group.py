"""What CodeDeploy says of the deployment group: as it is or as it is wished for, and what it deploys just now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.preflight.live import Deployment, Group, Names

if TYPE_CHECKING:
    from runbook_lib.account import Account

ACTIVE = ["Created", "Queued", "InProgress", "Baking", "Ready"]


def read_group(account: Account, names: Names, wished: Mapping[str, Any] | None) -> Group:
    """The group that is wished for, else the one that is there; either way its application is."""
    client = account.client("codedeploy")
    application = client.get_application(applicationName=names.application)["application"]
    if wished:
        return _group(wished, application)
    found = client.get_deployment_group(applicationName=names.application, deploymentGroupName=names.group)
    return _group(found["deploymentGroupInfo"], application)


def _group(one: Mapping[str, Any], application: Mapping[str, Any]) -> Group:
    """A group as GetDeploymentGroup shows it, or as CreateDeploymentGroup is asked for it."""
    pairs = one.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    pair = pairs[0] if pairs else {}
    waits = one.get("blueGreenDeploymentConfiguration", {})
    ready, ending = waits.get("deploymentReadyOption", {}), waits.get("terminateBlueInstancesOnDeploymentSuccess", {})
    alarms, rollback = one.get("alarmConfiguration", {}), one.get("autoRollbackConfiguration", {})
    return Group(
        name=one.get("deploymentGroupName", ""),
        platform=application.get("computePlatform", "Server"),
        kind=one.get("deploymentStyle", {}).get("deploymentType", ""),
        option=one.get("deploymentStyle", {}).get("deploymentOption", ""),
        config=one.get("deploymentConfigName", ""),
        ready_action=ready.get("actionOnTimeout", "CONTINUE_DEPLOYMENT"),
        ready_wait=ready.get("waitTimeInMinutes", 0),
        ending=ending.get("action", ""),
        termination_wait=ending.get("terminationWaitTimeInMinutes", 0),
        pair=tuple(group["name"] for group in pair.get("targetGroups", ())),
        production=tuple(pair.get("prodTrafficRoute", {}).get("listenerArns", ())),
        test=tuple(pair.get("testTrafficRoute", {}).get("listenerArns", ())),
        alarms=tuple(alarm["name"] for alarm in alarms.get("alarms", ())),
        watches_alarms=alarms.get("enabled", False),
        ignores_unread_alarms=alarms.get("ignorePollAlarmFailure", False),
        rollback=frozenset(rollback.get("events", ())) if rollback.get("enabled") else frozenset(),
        role=one.get("serviceRoleArn", ""),
        services=tuple(f"{service['clusterName']}/{service['serviceName']}" for service in one.get("ecsServices", ())),
    )


def read_active(account: Account, names: Names) -> tuple[Deployment, ...]:
    """The deployments of the group that are under way."""
    client = account.client("codedeploy")
    ids = client.list_deployments(
        applicationName=names.application, deploymentGroupName=names.group, includeOnlyStatuses=ACTIVE
    )["deployments"]
    found = (client.get_deployment(deploymentId=id)["deploymentInfo"] for id in ids)
    return tuple(Deployment(one["deploymentId"], one["status"]) for one in found)
