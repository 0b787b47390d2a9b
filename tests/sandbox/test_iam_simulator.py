"""The policy simulator: what policies say to actions, and which of them said it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ecs_stage import refusal

from runbook_lib.sandbox import Sandbox

CASES = Path(__file__).parents[1] / "cases" / "policy.yaml"
TOLD = yaml.safe_load(CASES.read_text(encoding="utf-8"))
PASS = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string"}
ROLE = "arn:aws:iam::123456789012:role/deploy"


@pytest.fixture
def iam(fresh: Sandbox) -> Any:
    return fresh.client("iam")


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def make_role(iam: Any, **policies: str) -> None:
    """A role with inline policies by their names."""
    trust = document(
        {"Effect": "Allow", "Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)
    for name, text in policies.items():
        iam.put_role_policy(RoleName="deploy", PolicyName=name, PolicyDocument=text)


def entries(context: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": value if isinstance(value, list) else [value],
            "ContextKeyType": "string",
        }
        for key, value in context.items()
    ]


@pytest.mark.parametrize("case", [pytest.param(one, id=one["name"]) for one in TOLD])
def test_policies_decide(fresh: Sandbox, case: dict[str, Any]) -> None:
    """Each case of the table, by the simulator of custom policies."""
    found = fresh.client("iam").simulate_custom_policy(
        PolicyInputList=[document(*case["statements"])],
        ActionNames=[case["action"]],
        ResourceArns=[case.get("resource", "*")],
        ContextEntries=entries(case.get("context", {})),
    )["EvaluationResults"][0]
    specific = found.get("ResourceSpecificResults", [found])[0]
    assert (found["EvalDecision"], specific["MissingContextValues"]) == (case["decision"], case.get("missing", []))


def test_a_role_is_judged_by_its_policies(iam: Any) -> None:
    """Attached and inline ones; the statements that decided are named with where they stand."""
    make_role(iam, extra=document(allow("s3:GetObject")))
    iam.attach_role_policy(RoleName="deploy", PolicyArn="arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS")
    actions = ["ecs:CreateTaskSet", "s3:GetObject", "ecs:DeleteCluster"]
    found = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=actions)["EvaluationResults"]
    assert [one["EvalDecision"] for one in found] == ["allowed", "allowed", "implicitDeny"]
    assert found[0]["MatchedStatements"] == [
        {"SourcePolicyId": "AWSCodeDeployRoleForECS", "SourcePolicyType": "aws-managed"}
    ]
    assert {"SourcePolicyId": "extra", "SourcePolicyType": "role"} in found[1]["MatchedStatements"]


@pytest.mark.parametrize(
    ("service", "decision"),
    [("ecs-tasks.amazonaws.com", "allowed"), ("lambda.amazonaws.com", "implicitDeny"), ("", "implicitDeny")],
)
def test_codedeploys_policy_passes_roles_to_tasks_alone(iam: Any, service: str, decision: str) -> None:
    """The managed policy has a condition; a simulation that does not say to whom is told what is missing."""
    make_role(iam)
    iam.attach_role_policy(RoleName="deploy", PolicyArn="arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS")
    context = [{**PASS, "ContextKeyValues": [service]}] if service else []
    found = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=["iam:PassRole"], ContextEntries=context)
    result = found["EvaluationResults"][0]
    assert result["EvalDecision"] == decision
    assert result["MissingContextValues"] == ([] if service else ["iam:PassedToService"])


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS",
        "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
        "arn:aws:iam::aws:policy/AWSCodeDeployRoleForECSLimited",
        "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole",
    ],
)
def test_the_managed_policies_of_the_story_are_there(iam: Any, arn: str) -> None:
    """With what they allow."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]["Statement"]


def test_a_user_has_the_policies_of_its_groups(iam: Any) -> None:
    """Beside its own."""
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="team")
    iam.put_group_policy(GroupName="team", PolicyName="read", PolicyDocument=document(allow("ecs:Describe*")))
    iam.add_user_to_group(GroupName="team", UserName="ada")
    arn = "arn:aws:iam::123456789012:user/ada"
    found = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["ecs:DescribeServices"])
    assert found["EvaluationResults"][0]["MatchedStatements"] == [
        {"SourcePolicyId": "read", "SourcePolicyType": "group"}
    ]


def test_a_boundary_limits_what_is_allowed(iam: Any) -> None:
    """Outside of it nothing is; the detail says so."""
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document(allow("ecs:*")))["Policy"]["Arn"]
    make_role(iam, all=document(allow("*")))
    iam.put_role_permissions_boundary(RoleName="deploy", PermissionsBoundary=limit)
    actions = ["ecs:DescribeServices", "s3:GetObject"]
    found = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=actions)["EvaluationResults"]
    seen = [
        (one["EvalDecision"], one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]) for one in found
    ]
    assert seen == [("allowed", True), ("implicitDeny", False)]


def test_a_resource_policy_allows_or_denies_beside_the_identitys(iam: Any) -> None:
    """In one account either of them is enough, and a deny of either is final."""
    mine = {"AWS": "arn:aws:iam::123456789012:root"}
    statements = [
        {"Effect": "Allow", "Principal": mine, "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"},
    ]
    found = iam.simulate_custom_policy(
        PolicyInputList=[document(allow("s3:DeleteObject"))],
        ResourcePolicy=document(*statements),
        CallerArn="arn:aws:iam::123456789012:user/ada",
        ActionNames=["s3:GetObject", "s3:DeleteObject"],
    )["EvaluationResults"]
    assert [one["EvalDecision"] for one in found] == ["allowed", "explicitDeny"]


def test_results_come_in_pages(iam: Any) -> None:
    """One for each action and resource, in the order asked."""
    resources = [f"arn:aws:s3:::b/{number}" for number in range(3)]
    told = {"PolicyInputList": [document(allow("s3:*"))], "ActionNames": ["s3:GetObject"], "ResourceArns": resources}
    first = iam.simulate_custom_policy(**told, MaxItems=2)
    rest = iam.simulate_custom_policy(**told, MaxItems=2, Marker=first["Marker"])
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert [one["EvalResourceName"] for one in first["EvaluationResults"] + rest["EvaluationResults"]] == resources


def test_the_keys_that_policies_ask_for_are_listed(iam: Any) -> None:
    """Of conditions and variables."""
    condition = {"StringEquals": {"iam:PassedToService": "x"}}
    text = document(allow("iam:PassRole", Condition=condition, Resource="arn:aws:iam::*:role/${aws:username}"))
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[text])["ContextKeyNames"] == [
        "aws:username",
        "iam:PassedToService",
    ]
    make_role(iam, own=text)
    found = iam.get_context_keys_for_principal_policy(PolicySourceArn=ROLE)["ContextKeyNames"]
    assert found == ["aws:username", "iam:PassedToService"]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"PolicySourceArn": "arn:aws:iam::123456789012:role/none"}, "NoSuchEntity", "none not found"),
        (
            {"PolicySourceArn": "arn:aws:sts::123456789012:assumed-role/deploy/me"},
            "InvalidInput",
            "Invalid Entity Arn: arn:aws:sts::123456789012:assumed-role/deploy/me does not clearly define entity type",
        ),
        ({"ActionNames": ["getobject"]}, "InvalidInput", "Invalid action name: getobject"),
        ({"ActionNames": ["ecs:CreateTaskSets"]}, "InvalidInput", "Invalid action name: ecs:CreateTaskSets"),
        ({"ActionNames": ["esc:CreateTaskSet"]}, "InvalidInput", "Invalid action name: esc:CreateTaskSet"),
        ({"PolicyInputList": ["{"]}, "InvalidInput", "Syntax errors in policy PolicyInputList.1"),
        ({"PolicyInputList": ["[]"]}, "InvalidInput", "Missing required field Statement"),
        (
            {"PolicyInputList": [document({**allow("x:y"), "Condition": {"StringSame": {"a": "b"}}})]},
            "InvalidInput",
            "Invalid Condition type : StringSame.",
        ),
        ({"ResourceHandlingOption": "EC2-VPC-InstanceStore"}, "NotImplemented", "iam: ResourceHandlingOption"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    iam: Any, changes: dict[str, Any], code: str, words: str
) -> None:
    """With IAM's code and the reason."""
    make_role(iam)
    told = {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"], **changes}
    seen, message = refusal(iam.simulate_principal_policy, **told)
    assert (seen, words in message) == (code, True), message


def test_service_linked_roles_have_their_names(iam: Any) -> None:
    """A second one of a service is refused in AWS's words."""
    made = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    assert (made["RoleName"], made["Path"]) == ("AWSServiceRoleForECS", "/aws-service-role/ecs.amazonaws.com/")
    assert refusal(iam.create_service_linked_role, AWSServiceName="ecs.amazonaws.com") == (
        "InvalidInput",
        "Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.",
    )
