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
from runbook_lib.errors import RunbookError
from runbook_lib.journal import Journal
from runbook_lib.preflight import account as reading
from runbook_lib.preflight import report
from runbook_lib.preflight.actions import action
from runbook_lib.preflight.lacking import policies, statement
from runbook_lib.preflight.live import Grant
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.rules.permissions import IDS
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
    """The remedy is the least statement that the role needs, on what it touches; all of them make one policy."""
    account, system = world
    iam, role = account.client("iam"), system.role("deploy")
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    picture = reading.read_system(account, system)
    found = asked(picture, "C9")
    assert found.verdict is Verdict.FAIL
    lacking = [json.loads(answer.remedy.partition(": ")[2]) for answer in found.answers if answer.remedy]
    place = account.arn("ecs", f"task-set/{system.cluster}/{system.service}/*")
    assert {"Effect": "Allow", "Action": "ecs:CreateTaskSet", "Resource": place} in lacking
    whole = report.examine(picture).policies[system.role_arn("deploy")]
    iam.put_role_policy(RoleName=role, PolicyName="lacked", PolicyDocument=json.dumps(whole))
    assert asked(reading.read_system(account, system), "C9").verdict is Verdict.OK


def test_the_policy_that_is_lacking_is_printed(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the questions, for people and for programs."""
    from runbook_lib.preflight import shown

    account, system = world
    account.client("iam").delete_role_policy(RoleName=system.role("events"), PolicyName="runbook")
    found = report.examine(reading.read_system(account, system))
    assert f"What {system.role_arn('events')} lacks, as the least policy that allows it" in shown.tree(found)
    told = json.loads(shown.as_json(found))["policies"][system.role_arn("events")]["Statement"]
    pipeline = account.arn("codepipeline", system.pipeline)
    assert told == [{"Effect": "Allow", "Action": "codepipeline:StartPipelineExecution", "Resource": pipeline}]


@pytest.mark.parametrize(
    ("purpose", "service", "told"),
    [("build", "codebuild", "GetRole: "), ("pipeline", "codepipeline", "GetRole: "), ("events", "events", "GetRole: ")],
)
def test_a_role_that_its_service_cannot_take_on_is_found(world: Any, purpose: str, service: str, told: str) -> None:
    """No simulation sees trust: it is read."""
    account, system = world
    other = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [other]})
    account.client("iam").update_assume_role_policy(RoleName=system.role(purpose), PolicyDocument=document)
    bad = [one for one in asked(reading.read_system(account, system), "roles").answers if one.remedy]
    assert [one.where.startswith(told) for one in bad] == [True]
    assert bad[0].remedy == f"let {service}.amazonaws.com take the role on: AssumeRole in its trust policy"


def test_trust_with_conditions_is_inconclusive(world: Any) -> None:
    """Only the real call meets them."""
    account, system = world
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.id}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.client("iam").update_assume_role_policy(RoleName=system.role("build"), PolicyDocument=document)
    found = asked(reading.read_system(account, system), "roles")
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("condition", "verdict", "told"),
    [
        ({}, Verdict.FAIL, "explicitDeny: denied by deny"),
        ({"StringEquals": {"ecs:cluster": "CLUSTER"}}, Verdict.FAIL, "explicitDeny: denied by deny"),
        ({"StringEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:1:cluster/other"}}, Verdict.OK, ""),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, Verdict.INCONCLUSIVE, "aws:SourceIp, which only the real call"),
        ({"StringEquals": {"s3:prefix": "x"}}, Verdict.OK, ""),
    ],
)
def test_conditions_are_weighed_by_what_the_call_carries(
    world: Any, condition: dict[str, Any], verdict: Verdict, told: str
) -> None:
    """A known key decides, an unknown one leaves it open, and one that no such call carries is never met."""
    account, system = world
    cluster = account.arn("ecs", f"cluster/{system.cluster}")
    text = json.dumps({"Effect": "Deny", "Action": "ecs:DeleteTaskSet", "Resource": "*", "Condition": condition})
    document = f'{{"Version": "2012-10-17", "Statement": [{text.replace("CLUSTER", cluster)}]}}'
    account.client("iam").put_role_policy(RoleName=system.role("deploy"), PolicyName="deny", PolicyDocument=document)
    picture = reading.read_system(account, system)
    answers = [one for one in asked(picture, "C9").answers if "ecs:DeleteTaskSet" in one.where]
    assert [one.verdict for one in answers] == [verdict]
    assert told in answers[0].seen
    assert report.examine(picture).policies == {}


def test_a_boundary_is_not_mended_by_a_statement(world: Any) -> None:
    """The remedy names what says no."""
    account, system = world
    iam = account.client("iam")
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=system.role("events"), PermissionsBoundary=limit)
    picture = reading.read_system(account, system)
    bad = [one for one in asked(picture, "roles").answers if one.verdict is Verdict.FAIL]
    assert [one.remedy for one in bad] == ["the permissions boundary must allow it too: no policy of the role can"]
    assert report.examine(picture).policies == {}


def test_a_role_of_another_account_is_inconclusive_and_one_that_is_gone_fails(world: Any) -> None:
    """Neither ends the check, and neither is OK."""
    account, system = world
    picture = reading.read_system(account, system)
    assert picture.pipeline is not None
    for role, verdict in (
        ("arn:aws:iam::999999999999:role/deployer", Verdict.INCONCLUSIVE),
        (f"arn:aws:iam::{account.id}:role/gone", Verdict.FAIL),
    ):
        pipeline = replace(picture.pipeline, definition={**picture.pipeline.definition, "roleArn": role})
        found = reading.read_account(account, reading.names_of(system), replace(picture, pipeline=pipeline))
        assert asked(found, "A11").verdict is verdict


def test_every_action_is_asked_of_what_it_can_be_limited_to(good: Picture) -> None:
    """Of * only where AWS knows no resource, or where nobody can name it before the call."""
    assert good.live is not None
    grants = good.live.grants or ()
    everywhere = {grant.action for grant in grants if grant.resource == "*" and action(grant.action).resources}
    assert everywhere == {"elasticloadbalancing:ModifyRule"}
    assert len(grants) > 50


def test_an_action_that_aws_does_not_have_is_an_error() -> None:
    """Of the list of needs, not of the account."""
    with pytest.raises(RunbookError, match="the action ecs:CreateTaskSets"):
        action("ecs:CreateTaskSets")
    with pytest.raises(RunbookError, match="the action esc:CreateTaskSet"):
        action("esc:CreateTaskSet")


@pytest.mark.parametrize(
    ("name", "key", "carries"),
    [
        ("ecs:CreateTaskSet", "ecs:cluster", True),
        ("ecs:CreateTaskSet", "aws:RequestTag/team", True),
        ("ecs:CreateTaskSet", "aws:SourceIp", True),
        ("ecs:CreateTaskSet", "s3:prefix", False),
        ("codedeploy:CreateDeployment", "aws:RequestTag/team", False),
        ("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ResourceTag/team", True),
        ("iam:PassRole", "IAM:passedtoservice", True),
    ],
)
def test_it_is_known_which_keys_a_call_carries(name: str, key: str, carries: bool) -> None:
    """Global keys always, tags where the action has them, others by name."""
    assert action(name).carries(key) is carries


def test_one_policy_for_what_is_lacking_together() -> None:
    """Actions on one resource stand in one statement, and so do resources of which the same is lacking."""

    def lacking(name: str, resource: str, **more: Any) -> Grant:
        return Grant("C9", "role", name, resource, "implicitDeny", seen_all=True, **more)

    found = policies(
        [
            lacking("ecs:CreateTaskSet", "a"),
            lacking("ecs:DeleteTaskSet", "a"),
            lacking("iam:PassRole", "one", passed_to="ecs-tasks.amazonaws.com"),
            lacking("iam:PassRole", "two", passed_to="ecs-tasks.amazonaws.com"),
            lacking("ecs:DescribeServices", "b", limited="the permissions boundary"),
        ]
    )
    condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert found["role"]["Statement"] == [
        {"Effect": "Allow", "Action": ["ecs:CreateTaskSet", "ecs:DeleteTaskSet"], "Resource": "a"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ["one", "two"], "Condition": condition},
    ]


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
        ("allowed", False, Verdict.INCONCLUSIVE),
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
    grant = Grant("A11", "r", "iam:PassRole", "arn:x", "implicitDeny", True, passed_to="ecs-tasks.amazonaws.com")
    told = statement(grant)
    assert told["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_every_failure_mode_has_a_rule_or_a_reason() -> None:
    """Of all 75 none is forgotten."""
    checked = {rule.id for rule in RULES}
    unchecked = {id for id, story in stories().items() if story.unchecked}
    assert checked | unchecked == set(stories())
    assert set(IDS) <= checked
    assert len([id for id in checked if id[1:].isdigit()]) >= 65
