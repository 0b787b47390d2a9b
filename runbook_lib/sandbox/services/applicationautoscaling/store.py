"""What Application Auto Scaling knows: scalable targets, policies, scheduled actions and what it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

DIMENSION = "ecs:service:DesiredCount"
SUSPENDABLE = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
PAGE = 50  # API reference, MaxResults


@dataclass(frozen=True)
class Target:
    """A service whose count may be scaled between two bounds."""

    resource: str  # service/CLUSTER/NAME
    arn: str
    minimum: int
    maximum: int
    role: str
    created: float
    suspended: Mapping[str, bool] = field(default_factory=lambda: dict.fromkeys(SUSPENDABLE, False))


@dataclass(frozen=True)
class Policy:
    """A scaling policy; `alarms` are those that it made for itself, and times are None until it acted."""

    name: str
    arn: str
    resource: str
    kind: str  # StepScaling or TargetTrackingScaling
    config: Mapping[str, Any]
    created: float
    alarms: tuple[str, ...] = ()
    scaled_out: float | None = None
    scaled_in: float | None = None


@dataclass(frozen=True)
class Scheduled:
    """A scheduled action; `serial` tells the event of a replaced one from the present one's."""

    name: str
    arn: str
    resource: str
    told: Mapping[str, Any]
    created: float
    serial: int


@dataclass(frozen=True)
class Activity:
    """One change of a count; `ended` is None while the service is on its way."""

    id: str
    resource: str
    wanted: int
    cause: str
    started: float
    ended: float | None = None
    status: str = "InProgress"
    message: str = ""


@dataclass
class AutoScalingStore:
    """Targets by resource; policies and scheduled actions by (resource, name); activities oldest first."""

    targets: dict[str, Target] = field(default_factory=dict)
    policies: dict[tuple[str, str], Policy] = field(default_factory=dict)
    scheduled: dict[tuple[str, str], Scheduled] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    ticking: bool = False


def store(world: World) -> AutoScalingStore:
    """The world's own."""
    found: AutoScalingStore = world.store("application-autoscaling")
    return found


def change_target(world: World, resource: str, **changes: Any) -> Target:
    """Replace fields of a scalable target."""
    changed = replace(store(world).targets[resource], **changes)
    store(world).targets[resource] = changed
    return changed


def change_policy(world: World, policy: Policy, **changes: Any) -> None:
    """Replace fields of a policy."""
    store(world).policies[policy.resource, policy.name] = replace(policy, **changes)


def resource_of(call: Call) -> str:
    """The service that a call is about; what is not an ECS service is not simulated."""
    check_namespace(call)
    told = call.params
    if told["ScalableDimension"] != DIMENSION:
        raise AwsError("ValidationException", f"Unsupported service namespace, resource type or dimension: {DIMENSION}")
    words = told["ResourceId"].split("/")
    if len(words) != 3 or words[0] != "service":
        raise AwsError("ValidationException", f"Unsupported resource id: {told['ResourceId']}")
    return str(told["ResourceId"])


def check_namespace(call: Call) -> None:
    """Only Amazon ECS is scaled here."""
    namespace = call.params["ServiceNamespace"]
    if namespace != "ecs":
        raise not_simulated(f"application-autoscaling of {namespace}")


def missing(what: str, resource: str, name: str = "") -> AwsError:
    """There is no such thing for this service."""
    named = f", {name}" if name else ""
    text = f"No {what} for service namespace: ecs, resource ID: {resource}, scalable dimension: {DIMENSION}{named}"
    return AwsError("ObjectNotFoundException", text)


def page(call: Call, key: str, found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list, with the token of the next one."""
    listed, told = list(found), call.params
    token = told.get("NextToken", "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The specified next token is invalid.")
    end = int(token) + told.get("MaxResults", PAGE)
    more = {"NextToken": str(end)} if end < len(listed) else {}
    return {key: listed[int(token) : end], **more}
