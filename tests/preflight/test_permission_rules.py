"""What the roles of a delivery may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbook_lib import sandbox
from runbook_lib.check import Verdict
from runbook_lib.journal import Journal
from runbook_lib.preflight import account as reading
from runbook_lib.preflight import report
from runbook_lib.preflight.live import Grant
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.rules.permissions import IDS, statement
from runbook_lib.preflight.story import stories
from runbook_lib.runbook import opened
from runbook_lib.story import worlds

PARAMS = str(Path(__file__).parents[2] / "params" / "sandbox.yaml")


def asked(picture: Picture, id: str) -> report.Asked:
    """One question with its answers."""
    return next(one for one in report.examine(picture).asked if one.story.id == id)


@pytest.fixture
def world() -> Iterator[Any]:
    """An account of its own, brought to blue/green."""
    if sandbox._embedded:
        sandbox._embedded.close()
    account, system = opened(PARAMS)
    worlds.bring(account, system, "bluegreen", journal=Journal(account.clock))
    yield account, system
    sandbox._embedded.close()  # type: ignore[union-attr]


def test_a_role_without_its_policy_is_found_and_told_what_it_lacks(world: Any) -> None:
    """The remedy is the least statement that the role needs."""
    account, system = world
    iam, role = account.client("iam"), system.role("deploy")
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    found = asked(reading.read_system(account, system), "C9")
    assert found.verdict is Verdict.FAIL
    lacking = [json.loads(answer.remedy.partition(": ")[2]) for answer in found.answers if answer.remedy]
    assert {"Effect": "Allow", "Action": "ecs:CreateTaskSet", "Resource": "*"} in lacking


def test_passing_a_role_is_asked_with_whom_it_is_passed_to(world: Any) -> None:
    """A role that may be passed to another service only is not enough."""
    account, system = world
    iam, role = account.client("iam"), system.role("pipeline")
    document = json.dumps(iam.get_role_policy(RoleName=role, PolicyName="runbook")["PolicyDocument"])
    iam.put_role_policy(RoleName=role, PolicyName="runbook", PolicyDocument=document.replace("ecs-tasks.", "ecs."))
    found = asked(reading.read_system(account, system), "A11")
    bad = [answer for answer in found.answers if answer.verdict is Verdict.FAIL]
    assert {"iam:PassRole"} == {json.loads(answer.remedy.partition(": ")[2])["Action"] for answer in bad}


def test_a_hook_that_nobody_made_is_found(world: Any) -> None:
    """D5 and D6 follow the functions that the AppSpec names."""
    from runbook_lib.documents.appspec.text import document_of

    account, system = world
    picture = reading.read_system(account, system)
    text = picture.files.appspec.source.text + "Hooks:\n  - BeforeAllowTraffic: smoke\n"  # type: ignore[union-attr]
    files = replace(picture.files, appspec=document_of(text, "appspec.yaml"))  # type: ignore[type-var]
    found = reading.read_account(account, reading.names_of(system), replace(picture, files=files))
    assert "no function smoke" in asked(found, "D6").answers[0].seen


@pytest.mark.parametrize(
    ("decision", "seen_all", "verdict"),
    [
        ("allowed", True, Verdict.OK),
        ("implicitDeny", True, Verdict.FAIL),
        ("explicitDeny", True, Verdict.FAIL),
        ("implicitDeny", False, Verdict.INCONCLUSIVE),
    ],
)
def test_what_a_simulation_cannot_see_is_inconclusive(
    good: Picture, decision: str, seen_all: bool, verdict: Verdict
) -> None:
    """A condition on what only the real call has is neither a yes nor a no."""
    grant = Grant("C9", "arn:aws:iam::1:role/deploy", "ecs:CreateTaskSet", "*", decision, seen_all)
    live = replace(good.live, grants=(grant,))  # type: ignore[type-var]
    assert asked(replace(good, live=live), "C9").verdict is verdict


def test_a_key_of_the_artifacts_is_never_taken_for_granted(good: Picture) -> None:
    """No simulation sees its policy."""
    assert good.pipeline is not None
    store = {"location": "b", "encryptionKey": {"id": "alias/x"}}
    pipeline = replace(good.pipeline, definition={**good.pipeline.definition, "artifactStore": store})
    assert asked(replace(good, pipeline=pipeline), "A13").verdict is Verdict.INCONCLUSIVE


def test_a_pass_role_statement_names_the_service() -> None:
    """The least privilege has the condition that AWS recommends."""
    told = json.loads(statement(Grant("A11", "r", "iam:PassRole", "arn:x", "implicitDeny", True)))
    assert told["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_every_failure_mode_has_a_rule_or_a_reason() -> None:
    """Of all 75 none is forgotten."""
    checked = {rule.id for rule in RULES}
    unchecked = {id for id, story in stories().items() if story.unchecked}
    assert checked | unchecked == set(stories())
    assert set(IDS) <= checked
    assert len([id for id in checked if id[1:].isdigit()]) >= 65
