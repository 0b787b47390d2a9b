"""Whether a principal may assume a role, and what the policies of a role allow.

A role can be assumed when it exists, trusts the principal and was not made a moment ago; conditions of a trust policy
are taken as met. Sources: IAM user guide, reference_policies_elements_principal, reference_policies_evaluation-logic
and troubleshoot_general (changes are not always immediately visible).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import policy
from runbook_lib.sandbox.policy import Question

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

ASSUME = "sts:AssumeRole"


def assumable(world: World, role_arn: str, principal: str) -> str:
    """Why a principal (a service such as ecs-tasks.amazonaws.com, or an ARN) cannot assume a role; "" when it can."""
    role = _role(world, role_arn)
    if role is None:
        return f"role {role_arn} does not exist"
    question = Question(ASSUME, role_arn, principal=principal)
    trust = policy.read(role["AssumeRolePolicyDocument"], policy=role_arn, kind="trust")
    if {one.effect for one in trust if one.principals is not None and one.speaks_of(question)} != {"Allow"}:
        return f"role {role_arn} does not trust {principal}"
    age = world.now - role["CreateDate"].timestamp()
    if age < world.settings.role_propagation:
        return f"role {role_arn} was created {age:g} seconds ago and is not known everywhere yet"
    return ""


def refused(world: World, role_arn: str, questions: Iterable[Question]) -> Question | None:
    """The first question that the policies of a role, or its boundary, do not allow; conditions count."""
    from runbook_lib.sandbox.services.iam import identity

    known = identity.read(world, role_arn)
    bounds = [known.statements] if known.boundary is None else [known.statements, known.boundary]
    for question in questions:
        if any(policy.weigh(each, question).decision != "allowed" for each in bounds):
            return question
    return None


def _role(world: World, role_arn: str) -> dict[str, Any] | None:
    if ":role/" not in role_arn:
        return None
    iam = world.client("iam")
    try:
        role: dict[str, Any] = iam.get_role(RoleName=role_arn.rsplit("/", 1)[1])["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return role if role["Arn"] == role_arn else None
