"""Who may assume a role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.sandbox import Sandbox
from runbook_lib.sandbox.permissions import assumable

TASKS = "ecs-tasks.amazonaws.com"
OPERATOR = "arn:aws:iam::123456789012:user/operator"


def _role(sandbox: Sandbox, principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    created = sandbox.client("iam").create_role(RoleName="r", Path="/app/", AssumeRolePolicyDocument=policy)
    sandbox.clock.sleep(8)
    return str(created["Role"]["Arn"])


@pytest.mark.parametrize(
    ("trusted", "principal"),
    [
        ({"Service": TASKS}, TASKS),
        ({"Service": ["x.amazonaws.com", TASKS]}, TASKS),
        ({"AWS": OPERATOR}, OPERATOR),
        ({"AWS": "123456789012"}, OPERATOR),
        ({"AWS": "arn:aws:iam::123456789012:root"}, OPERATOR),
        ("*", OPERATOR),
    ],
)
def test_a_trusted_principal_may(fresh: Sandbox, trusted: Any, principal: str) -> None:
    """By service, by ARN, by account."""
    assert assumable(fresh.world, _role(fresh, trusted), principal) == ""


@pytest.mark.parametrize(
    ("trusted", "more"),
    [
        ({"Service": "codebuild.amazonaws.com"}, {}),
        ({"AWS": "000000000000"}, {}),
        ({"Service": TASKS}, {"Effect": "Deny"}),
        ({"Service": TASKS}, {"Action": "sts:TagSession"}),
    ],
)
def test_others_may_not(fresh: Sandbox, trusted: Any, more: dict[str, Any]) -> None:
    """The reason names both."""
    role = _role(fresh, trusted, **more)
    assert assumable(fresh.world, role, TASKS) == f"role {role} does not trust {TASKS}"


def test_an_explicit_denial_wins(fresh: Sandbox) -> None:
    """Whatever else is allowed."""
    role = _role(fresh, {"Service": TASKS})
    both = [
        {"Effect": effect, "Principal": {"Service": TASKS}, "Action": "sts:AssumeRole"} for effect in ("Allow", "Deny")
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": both})
    fresh.client("iam").update_assume_role_policy(RoleName="r", PolicyDocument=document)
    assert "does not trust" in assumable(fresh.world, role, TASKS)


@pytest.mark.parametrize("arn", ["arn:aws:iam::123456789012:role/none", "not an arn", ""])
def test_a_role_that_is_not_there_cannot_be_assumed(fresh: Sandbox, arn: str) -> None:
    """The reason says so."""
    assert assumable(fresh.world, arn, TASKS) == f"role {arn} does not exist"


def test_a_role_of_the_same_name_under_another_path_is_another_role(fresh: Sandbox) -> None:
    """The whole ARN counts."""
    _role(fresh, {"Service": TASKS})
    assert "does not exist" in assumable(fresh.world, "arn:aws:iam::123456789012:role/r", TASKS)


def test_a_new_role_is_not_known_at_once(fresh: Sandbox) -> None:
    """It takes as long as the settings say."""
    trust = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"Service": TASKS}, "Action": "sts:AssumeRole"}})
    fresh.client("iam").create_role(RoleName="new", AssumeRolePolicyDocument=trust)
    role = "arn:aws:iam::123456789012:role/new"
    assert "created 0 seconds ago" in assumable(fresh.world, role, TASKS)
    fresh.clock.sleep(7.5)
    assert "created 7.5 seconds ago" in assumable(fresh.world, role, TASKS)
    fresh.clock.sleep(0.5)
    assert assumable(fresh.world, role, TASKS) == ""
