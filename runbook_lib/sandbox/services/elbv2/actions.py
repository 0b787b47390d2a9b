"""Actions of listeners and rules: checked as AWS checks them, and kept as AWS answers them.

Sources: ELB guide, rule-action-types and load-balancer-limits; ELB API reference, ForwardActionConfig.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.elbv2.store import Action, store, usage

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

MOST_GROUPS = 5
MOST_WEIGHT = 999
CONFIGS = {
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
    "fixed-response": "FixedResponseConfig",
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
ROUTING = ("forward", "redirect", "fixed-response")
REDIRECT = {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}", "Query": "#{query}"}


def normalised(world: World, load_balancer: str, wanted: Sequence[Action]) -> tuple[Action, ...]:
    """The actions as AWS answers them; raises AwsError where they break a rule."""
    ordered = sorted(wanted, key=lambda action: action.get("Order", len(wanted)))
    kinds = [action["Type"] for action in ordered]
    if sum(kind in ROUTING for kind in kinds) != 1 or kinds[-1] not in ROUTING:
        _invalid("There must be exactly one forward, redirect or fixed-response action, and it must be performed last")
    return tuple(_normal(world, load_balancer, action) for action in ordered)


def _normal(world: World, load_balancer: str, action: Action) -> Action:
    kind = action["Type"]
    others = [name for other, name in CONFIGS.items() if other != kind and name in action]
    if others:
        _invalid(f"An action of type '{kind}' cannot have a {others[0]}")
    order = {"Order": action["Order"]} if "Order" in action else {}
    return {"Type": kind, **order, **FORMS.get(kind, _as_given)(world, load_balancer, action)}


def _as_given(world: World, load_balancer: str, action: Action) -> dict[str, Any]:
    name = CONFIGS[action["Type"]]
    if name not in action:
        raise AwsError("ValidationError", f"An action of type '{action['Type']}' needs a {name}")
    return {name: dict(action[name])}


def _redirect(world: World, load_balancer: str, action: Action) -> dict[str, Any]:
    given = _as_given(world, load_balancer, action)["RedirectConfig"]
    if given.get("StatusCode") not in ("HTTP_301", "HTTP_302"):
        raise AwsError("ValidationError", f"'{given.get('StatusCode')}' is not a valid redirect status code")
    return {"RedirectConfig": {**REDIRECT, **given}}


def _forward(world: World, load_balancer: str, action: Action) -> dict[str, Any]:
    config = action.get("ForwardConfig") or {"TargetGroups": [{"TargetGroupArn": action.get("TargetGroupArn")}]}
    groups = [_group(world, load_balancer, group) for group in config.get("TargetGroups", ())]
    arns = [group["TargetGroupArn"] for group in groups]
    if not 1 <= len(groups) <= MOST_GROUPS:
        _invalid(f"A forward action needs 1 to {MOST_GROUPS} target groups; {len(groups)} were given")
    if len(set(arns)) != len(arns):
        raise AwsError("ValidationError", "A target group was specified more than once in an action")
    if action.get("TargetGroupArn") not in (None, *(arns if len(arns) == 1 else ())):
        raise AwsError("ValidationError", "TargetGroupArn must match the one target group of the ForwardConfig")
    stickiness = _stickiness(config.get("TargetGroupStickinessConfig", {}))
    forward = {"ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness}}
    # The group is repeated beside its configuration only where it is the only one.
    return {**forward, "TargetGroupArn": arns[0]} if len(arns) == 1 else forward


def _group(world: World, load_balancer: str, group: Mapping[str, Any]) -> dict[str, Any]:
    arn, weight = group.get("TargetGroupArn"), group.get("Weight", 1)
    if not arn:
        raise AwsError("ValidationError", "A target group ARN must be specified")
    if arn not in store(world).target_groups:
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    if not 0 <= weight <= MOST_WEIGHT:
        raise AwsError("ValidationError", f"Weight '{weight}' must be between 0 and {MOST_WEIGHT}")
    if any(other != load_balancer for other in usage(world).get(arn, [])):
        message = f"The following target groups cannot be associated with more than one load balancer: {arn}"
        raise AwsError("TargetGroupAssociationLimit", message)
    _check_fit(world, load_balancer, arn)
    return {"TargetGroupArn": arn, "Weight": weight}


def _check_fit(world: World, load_balancer: str, arn: str) -> None:
    balancer, group = store(world).load_balancers[load_balancer], store(world).target_groups[arn]
    if balancer.kind == "application" and group.protocol not in ("HTTP", "HTTPS"):
        message = (
            f"The protocol '{group.protocol}' of target group '{arn}' is not supported by an application load balancer"
        )
        raise AwsError("IncompatibleProtocols", message)
    if group.vpc and group.vpc != balancer.vpc:
        message = f"The target group '{arn}' and the load balancer '{load_balancer}' are in different VPCs"
        raise AwsError("InvalidConfigurationRequest", message)


def _stickiness(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if not wanted.get("Enabled"):
        return {"Enabled": False}
    seconds = wanted.get("DurationSeconds")
    if seconds is None or not 1 <= seconds <= 604800:
        message = f"The duration of target group stickiness must be between 1 and 604800 seconds; it is {seconds}"
        raise AwsError("ValidationError", message)
    return {"Enabled": True, "DurationSeconds": seconds}


def _invalid(message: str) -> NoReturn:
    raise AwsError("InvalidLoadBalancerAction", message)


FORMS = {"forward": _forward, "redirect": _redirect}
