"""Teardown: everything that the inventory holds goes, in the order in which AWS lets it go, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runbook_lib import deployment, lease, service
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks, skip
from runbook_lib.inventory import Item, read_inventory
from runbook_lib.removal import REMOVALS, Removal, stop_access_log
from runbook_lib.step import Plan, Step, Until
from runbook_lib.system import System

# Kinds in the order in which they go: what uses something goes before what is used.
ORDER = (
    "events:rule",
    "codepipeline:pipeline",
    "codedeploy:group",
    "codedeploy:config",
    "codedeploy:application",
    "ecs:service",
    "ecs:cluster",
    "elbv2:listener",
    "elbv2:load-balancer",
    "elbv2:target-group",
    "cloudwatch:alarm",
    "athena:database",
    "athena:work-group",
    "codebuild:project",
    "ecr:repository",
    "codecommit:repository",
    "s3:bucket",
    "lambda:function",
    "logs:log-group",
    "ecs:family",
    "iam:role",
    "ec2:nat-gateway",
    "ec2:address",
    "ec2:security-group",
    "ec2:subnet",
    "ec2:route-table",
    "ec2:internet-gateway",
    "ec2:vpc",
)
KEPT_WITHOUT_CONSENT = ("codecommit:repository",)


def plan_teardown(account: Account, system: System, *, delete_source: bool) -> Plan:
    """The steps that remove everything in the inventory; the source repository goes only by consent."""
    # Within a kind the youngest goes first: what was made later may use what was made before.
    newest_first = reversed(read_inventory(account, system.name))
    items = sorted(newest_first, key=lambda item: ORDER.index(item.kind))
    kept = [item for item in items if item.kind in KEPT_WITHOUT_CONSENT and not delete_source]
    going = [item for item in items if item not in kept]
    logging = [item for item in going if item.kind == "elbv2:load-balancer"]
    steps = [step for item in logging for step in stop_access_log(Removal(account, system, item))]
    steps += _quiet(account, system)
    for item in going:
        steps += REMOVALS[item.kind](Removal(account, system, item))
    notes = [f"Kept without consent: {item.kind} {item.name}" for item in kept]
    notes.append("Never deleted: service-linked roles and whatever the inventory does not hold.")
    return Plan("Tear everything down", system.name, tuple(steps), notes=tuple(notes))


def inventory(account: Account, system: System) -> tuple[Item, ...]:
    """What is there to remove."""
    return read_inventory(account, system.name)


def check_ready(account: Account, system: System) -> Checks:
    """Is there an inventory, is it known how to remove every kind in it, and does nobody release meanwhile?"""
    items = read_inventory(account, system.name)
    if not items:
        return checks("Ready to tear down", (skip("Is there an inventory?", f"nothing is left of {system.name}"),))
    foreign = sorted({item.kind for item in items} - set(REMOVALS))
    return checks(
        "Ready to tear down",
        (
            ask("Is there an inventory?", True, seen=f"{len(items)} resources", wanted="at least one"),
            ask(
                "Is it known how to remove every kind?",
                not foreign,
                seen=", ".join(foreign) or "all known",
                wanted="all known",
                remedy="use the version of the runbooks that made them",
            ),
            lease.check_free(account, system),
        ),
    )


def check_gone(account: Account, system: System, before: tuple[Item, ...], *, delete_source: bool) -> Checks:
    """Is everything gone that the inventory held, by asking each service again?"""
    wanted = [item for item in before if delete_source or item.kind not in KEPT_WITHOUT_CONSENT]
    left = read_inventory(account, system.name)
    answers = []
    for kind in sorted({item.kind for item in wanted}, key=ORDER.index):
        of_kind = [item for item in wanted if item.kind == kind]
        standing = [item.name for item in of_kind if _stands(account, system, item) or item in left]
        answers.append(
            ask(
                f"Is every {kind} gone?",
                not standing,
                seen=", ".join(standing) or f"{len(of_kind)} of {len(of_kind)} gone",
                wanted="none left",
                remedy="run this notebook again",
            )
        )
    if not answers:
        going = [item.name for item in left if delete_source or item.kind not in KEPT_WITHOUT_CONSENT]
        seen = ", ".join(going) or "none"
        answers = [ask("Is the inventory empty but for what is kept?", not going, seen=seen, wanted="none")]
    return checks("Nothing is left", answers)


def _stands(account: Account, system: System, item: Item) -> bool:
    return any(step.needed for step in REMOVALS[item.kind](Removal(account, system, item)))


def _quiet(account: Account, system: System) -> list[Step]:
    """Stop what is under way: a deployment holds its group, its service and its listeners."""
    if not any(item.kind == "codedeploy:group" for item in read_inventory(account, system.name)):
        return []
    active = [found.id for found in deployment.read_deployments(account, system) if not found.over]
    return [_ended(system, deployment.read_deployment(account, system, found)) for found in active]


def _ended(system: System, found: deployment.Deployment) -> Step:
    """A deployment that only waits is told to wait no longer; to stop it would start another with a wait of its own."""

    def missing(account: Account, answer: Mapping[str, Any]) -> str | None:
        del answer
        now = deployment.read_deployment(account, system, found.id)
        settled = service.read_service(account, system, system.service)
        return None if now.over and settled and settled.settled else f"it is {now.status}"

    waiting: Callable[[Account, Mapping[str, Any]], str | None] = missing
    end = deployment.plan_end_wait if found.shifted else deployment.plan_stop
    step = end(found, why="a deployment holds its group")
    return replace(step, until=Until(f"{found.id} has ended", waiting))
