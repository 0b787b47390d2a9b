"""Where a deployment's traffic is steered: the listeners of its group and those of their rules that use the pair.

Sources: CodeDeploy user guide, troubleshooting-ecs (the primary task set's group must be behind the listener) and
deployment-groups-create-load-balancer-for-ecs; since 2022 the idle group stays behind the listener at weight 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codedeploy.failure import Failure
from runbook_lib.sandbox.services.codedeploy.store import Deployment, Side

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

REFUSED = "The ELB could not be updated due to the following error: {reason}"
NOT_BEHIND = "Primary taskset target group must be behind listener"
INVALID = "ELASTIC_LOAD_BALANCING_INVALID"


def pair(world: World, deployment: Deployment) -> tuple[str, ...]:
    """The ARNs of the group's two target groups."""
    from runbook_lib.sandbox.services import elbv2

    return tuple(elbv2.target_group(world, name).arn for name in deployment.plan.target_groups)


def of(world: World, deployment: Deployment, listener: str) -> list[str]:
    """The listener and its rules, as far as they forward to one of the pair."""
    from runbook_lib.sandbox.services import elbv2

    groups = set(pair(world, deployment))
    found = elbv2.listener(world, listener)
    actions = {found.arn: found.actions} | {rule.arn: rule.actions for rule in elbv2.rules_of(world, found.arn)}
    return [arn for arn, steps in actions.items() if groups & set(elbv2.groups_in(steps))]


def misplaced(world: World, deployment: Deployment, blue: Side) -> Failure | None:
    """Why the deployment cannot begin: a listener or rule that sends nothing to the primary's target group."""
    from runbook_lib.sandbox.services import elbv2

    try:
        for listener in _listeners(deployment):
            found = of(world, deployment, listener)
            if not found or any(not elbv2.weights(world, arn).get(blue.target_group) for arn in found):
                return Failure(INVALID, REFUSED.format(reason=NOT_BEHIND))
    except AwsError as refused:
        return Failure(INVALID, REFUSED.format(reason=refused.message))
    return None


def _listeners(deployment: Deployment) -> list[str]:
    plan = deployment.plan
    return [plan.production, plan.test] if plan.test else [plan.production]


def steer(world: World, deployment: Deployment, listener: str, green_percent: int) -> Failure | None:
    """Sets green's share on a listener and its rules; the other group keeps the rest, be it 0."""
    from runbook_lib.sandbox.services import elbv2

    blue, green = deployment.blue, deployment.green
    if blue is None or green is None:
        return None
    denied = deployment.grants.refusal("elasticloadbalancing:ModifyListener", listener)
    if denied:
        return denied
    try:
        for arn in of(world, deployment, listener):
            elbv2.set_weights(world, arn, {blue.target_group: 100 - green_percent, green.target_group: green_percent})
            if arn not in deployment.changed_routes:
                deployment.changed_routes.append(arn)
    except AwsError as refused:
        return Failure(INVALID, REFUSED.format(reason=refused.message))
    return None


def uses_green(world: World, deployment: Deployment) -> bool:
    """Whether green's target group stands behind the production listener or one of its rules."""
    from runbook_lib.sandbox.services import elbv2

    green = deployment.green.target_group if deployment.green else ""
    return any(green in elbv2.weights(world, arn) for arn in of(world, deployment, deployment.plan.production))


def steer_back(world: World, deployment: Deployment) -> Failure | None:
    """Gives blue all traffic again on every listener and rule that the deployment had changed."""
    from runbook_lib.sandbox.services import elbv2

    blue, green = deployment.blue, deployment.green
    if blue is None or green is None:
        return None
    try:
        for arn in deployment.changed_routes:
            elbv2.set_weights(world, arn, {blue.target_group: 100, green.target_group: 0})
    except AwsError as refused:
        return Failure(INVALID, REFUSED.format(reason=refused.message))
    return None


def share(world: World, deployment: Deployment, target_group: str) -> float:
    """The percentage of production traffic that a target group is given."""
    from runbook_lib.sandbox.services import elbv2

    try:
        found = of(world, deployment, deployment.plan.production)
    except AwsError:
        # The listener was deleted by hand: nothing is sent anywhere.
        return 0.0
    weights = elbv2.weights(world, found[0]) if found else {}
    total = sum(weights.values())
    return 100.0 * weights.get(target_group, 0) / total if total else 0.0
