"""Who owns a resource, and which calls change one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from runbook_lib import ownership

CALL = re.compile(
    r"(codebuild|codecommit|codedeploy|codepipeline|cloudwatch|ec2|ecr|ecs|elbv2|events|git|iam|logs|s3):[a-z]+(_[a-z]+)+"
)


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, None),
        ({"team": "checkout", "runbook:world": "orders"}, None),
        ({"aws:cloudformation:stack-name": "web"}, "the CloudFormation stack web"),
        ({"aws:cloudformation:stack-name": "web", "aws-cdk:auto-delete": "true"}, "CDK's stack web"),
        ({"ManagedBy": "terraform"}, "Terraform (tag ManagedBy=terraform)"),
        ({"managed_by": "OpenTofu"}, "OpenTofu (tag managed_by=OpenTofu)"),
        ({"terraform": "true"}, "Terraform (tag terraform=true)"),
        ({"Terraform": "false"}, None),
        ({"terraform:workspace": "prod"}, "Terraform (tag terraform:workspace=prod)"),
        ({"note": "was made by terraform once"}, None),
    ],
)
def test_tags_say_who_owns_a_resource(tags: dict[str, str], owner: str | None) -> None:
    """CloudFormation's are a fact, Terraform's a convention that is quoted."""
    assert ownership.owner_of(tags) == owner


def calls(root: Path) -> set[str]:
    """Every changing call that a plan can hold, as the source names it."""
    found = set()
    for path in (root / "runbook_lib").rglob("*.py"):
        if "sandbox" in path.parts or path.name in ("ownership.py",):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CALL.fullmatch(node.value):
                found.add(node.value)
    return found


def test_of_every_call_it_is_decided_whether_it_changes_something(root: Path) -> None:
    """A new call is put into one of the two tables, or no plan with it can be applied."""
    decided = {*ownership.CHANGES, *ownership.FREE}
    assert calls(root) - decided == set()
    assert decided - calls(root) == set()
    assert not set(ownership.CHANGES) & ownership.FREE


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("arn:aws:iam::1:role/path/deploy", "arn:aws:iam::1:role/deploy", True),
        ("arn:aws:iam::1:role/deploy", "arn:aws:iam::1:role/build", False),
        ("arn:aws:ecs:r:1:service/a/b", "arn:aws:ecs:r:1:service/a/b", True),
    ],
)
def test_a_roles_path_does_not_hide_it(one: str, other: str, same: bool) -> None:
    """Calls name a role without its path."""
    assert ownership.same(one, other) is same
