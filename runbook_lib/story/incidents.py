"""Incidents whose true story is known: worlds to look back at, each told from the same release on.

Nothing that looks back reads this module; the tests compare what 60 finds with what is told here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time

from runbook_lib import balancer, scaling
from runbook_lib.account import Account, Stage
from runbook_lib.errors import BadInput
from runbook_lib.journal import Journal
from runbook_lib.planning import change
from runbook_lib.sections import Disturbance
from runbook_lib.step import Plan
from runbook_lib.story import chapters
from runbook_lib.system import System

BASE = "released"  # the state in which each of them begins
ACCEPTED = 60  # seconds until a new role is accepted everywhere
NEXT_VERSION = "2.1.0"
LEAK = {"APP_LEAK_MS_PER_MINUTE": "4"}
# Minutes are those since the world's first one, 09:00.
DEPENDENCY = Disturbance(after_minutes=302, minutes=6, error_rate=0.08, latency_factor=2.0)  # 14:02 to 14:08
RETURN = Disturbance(after_minutes=310, minutes=10, requests_factor=3.0)  # 14:10 to 14:20: who was turned away
IN_A_SHIFT = DEPENDENCY.model_copy(update={"after_minutes": 304})  # 14:04 to 14:10
SERVICE_ROLE = "ecs.application-autoscaling.amazonaws.com"
FEWEST, MOST, BUSY = 2, 6, 50.0  # tasks, and the percentage of CPU that scaling aims at


@dataclass(frozen=True)
class Truth:
    """What really happened: a look back should find it."""

    begins: time  # UTC: the first minute that hurt
    ends: time | None  # the first that did not any more; None: it goes on
    hurts: str  # errors or latency
    what: str
    to_blame: str  # in the words in which the first cause must say it
    revision: int | None = None  # of the task definition that is to blame; None: no version is


@dataclass(frozen=True)
class Incident:
    """A world in which something happened: how, until when it is told, and the truth."""

    tell: Callable[[Account, System, Journal], None]
    disturbances: tuple[Disturbance, ...]
    over: time  # UTC, soon after it: the last hour shows it
    truth: Truth


def reached(account: Account, name: str) -> bool:
    """Whether a world was told this incident, to its end."""
    known = _stage(account, name).told()
    other = next((one for one in known if one != name), None)
    if other is not None:
        raise BadInput(
            where="world",
            seen=f"{name} in a world in which {other} happened",
            wanted="one incident in a world",
            next_step="restart the kernel",
        )
    return name in known and account.clock.now().time() >= INCIDENTS[name].over


def tell(account: Account, system: System, name: str, *, journal: Journal) -> None:
    """Let an incident happen in a world that has reached BASE, once.

    Raises BadInput where others would feel it, and in a world in which it is too late for it.
    """
    found, stage, now = INCIDENTS[name], _stage(account, name), account.clock.now()
    if name in stage.told() or now.time() >= found.truth.begins:
        half = "it has begun, and was interrupted" if name in stage.told() else f"it is {now:%H:%M} already"
        raise BadInput(
            where=f"world {name}",
            seen=half,
            wanted=f"a world before {found.truth.begins:%H:%M}",
            next_step="restart the kernel: a new world begins at 09:00",
        )
    stage.tell(name, found.disturbances)
    found.tell(account, system, journal)
    chapters.until(account, found.over)


def _stage(account: Account, name: str) -> Stage:
    if account.stage is None or account.adopted:
        where = "AWS" if account.target == "aws" else "a world that is not this run's own"
        raise BadInput(
            where="world",
            seen=f"{name} in {where}",
            wanted="a sandbox of this run's own: users are hurt in it",
            next_step="leave world out and name the window with since and until, or run it outside of a shared world",
        )
    return account.stage


def _dependency(account: Account, system: System, journal: Journal) -> None:
    """Something that all versions ask fails; afterwards everybody comes back at once, and scaling acts."""
    chapters.do(_plan_role(system), account, journal)
    account.clock.sleep(ACCEPTED)
    chapters.do(_plan_scaling(system), account, journal)


def _both_colours(account: Account, system: System, journal: Journal) -> None:
    """A dependency fails while a good version takes the traffic."""
    chapters.until(account, chapters.BAD)
    chapters.attempt(account, system, journal, NEXT_VERSION, {})


def _leak(account: Account, system: System, journal: Journal) -> None:
    """A version becomes slower and slower."""
    chapters.release_of(account, system, journal, NEXT_VERSION, LEAK)


def _outage(account: Account, system: System, journal: Journal) -> None:
    """Somebody takes all targets out of the live group, and puts them in again."""
    lb = balancer.read_balancer(account, system)
    group = lb.groups[lb.live() or ""]
    targets = [{"Id": target.ip, "Port": target.port} for target in group.targets]
    for moment, action in ((time(14, 2), "deregister_targets"), (time(14, 9), "register_targets")):
        chapters.until(account, moment)
        step = change(
            action,
            action.replace("_", " ").capitalize(),
            f"elbv2:{action}",
            {"TargetGroupArn": group.arn, "Targets": targets},
            touches=group.name,
            needed="somebody does it by hand",
            undo="none",
        )
        chapters.do(Plan(step.title, system.name, (step,), fault=True), account, journal)


def _plan_role(system: System) -> Plan:
    step = change(
        "role",
        "The role of scaling",
        "iam:create_service_linked_role",
        {"AWSServiceName": SERVICE_ROLE},
        touches=SERVICE_ROLE,
        needed="the first use of scaling needs it",
        undo="delete_service_linked_role",
        accept=("InvalidInput",),
    )
    return Plan("Prepare scaling", system.name, (step,))


def _plan_scaling(system: System) -> Plan:
    about = {
        "ServiceNamespace": "ecs",
        "ResourceId": scaling.resource(system),
        "ScalableDimension": scaling.DIMENSION,
    }
    cpu = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    target = change(
        "target",
        f"The service may have {FEWEST} to {MOST} tasks",
        "application-autoscaling:register_scalable_target",
        {**about, "MinCapacity": FEWEST, "MaxCapacity": MOST},
        touches=system.service,
        needed="nothing scales it",
        undo="deregister_scalable_target",
    )
    policy = change(
        "policy",
        f"As many as keep its CPU at {BUSY:.0f} %",
        "application-autoscaling:put_scaling_policy",
        {
            **about,
            "PolicyName": f"{system.name}-cpu",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": BUSY,
                "PredefinedMetricSpecification": cpu,
            },
        },
        touches=system.service,
        needed="nothing scales it",
        undo="delete_scaling_policy",
    )
    return Plan("Scale the service", system.name, (target, policy))


BAD_RELEASE = Truth(
    begins=time(14, 2),
    ends=time(14, 7),
    hurts="errors",
    what="version 3.0.0 fails 30 % of its requests, and is rolled back by its alarm",
    to_blame="{name}:4",
    revision=4,
)
"""Of the world `incident`, which 30_release makes with a bad version."""
DEPENDS = "something outside the versions: a dependency"
INCIDENTS: dict[str, Incident] = {
    "incident-dependency": Incident(
        _dependency,
        (DEPENDENCY, RETURN),
        time(14, 45),
        Truth(time(14, 2), time(14, 8), "errors", "a dependency fails, long after the last release", DEPENDS),
    ),
    "incident-both-colours": Incident(
        _both_colours,
        (IN_A_SHIFT,),
        time(14, 30),
        Truth(time(14, 4), time(14, 10), "errors", "a dependency fails in the shift of a good version", DEPENDS),
    ),
    "incident-leak": Incident(
        _leak,
        (),
        time(10, 48),
        Truth(
            begins=time(10, 10),
            ends=None,
            hurts="latency",
            what=f"version {NEXT_VERSION} becomes slower by 4 ms a minute, and nothing notices it",
            to_blame="{name}:4 becomes slower with its age: a leak",
            revision=4,
        ),
    ),
    "incident-outage": Incident(
        _outage,
        (),
        time(14, 30),
        Truth(
            begins=time(14, 2),
            ends=time(14, 9),
            hurts="errors",
            what="somebody takes all targets out of the live group",
            to_blame="no target was in service",
        ),
    ),
}
TRUTHS = {"incident": BAD_RELEASE, **{name: one.truth for name, one in INCIDENTS.items()}}
