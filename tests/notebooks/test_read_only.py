"""What the person may have to do who looks back: what 60 and 70 call, as they stand, and what README says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto.iam.aws_managed_policies import aws_managed_policies_data

from runbook_lib import sandbox
from runbook_lib.preflight.actions import action
from runbook_lib.sandbox.policy import like, texts

ROOT = Path(__file__).parents[2]
# The only calls that are not named as their action (Service Authorization Reference, Amazon S3).
NAMED_OTHERWISE = {"s3:ListObjectsV2": "s3:ListBucket"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The notebooks begin in a world of their own, and write into a folder of the test's."""
    monkeypatch.chdir(tmp_path)
    for name in ("params", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield
    if sandbox._embedded:
        sandbox._embedded.close()


def allowed(policy: str) -> list[str]:
    """The actions of a policy of AWS's, which may have * in them."""
    document = json.loads(aws_managed_policies_data)[policy]["Document"]
    assert {one["Effect"] for one in document["Statement"]} == {"Allow"}
    return [*chain.from_iterable(texts(one["Action"]) for one in document["Statement"])]


def called(notebook: str, **parameters: Any) -> set[str]:
    """The actions that the cells of a notebook ask for once the world is where it begins."""
    told = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text())
    first, begin, *rest = ["".join(one["source"]) for one in told["cells"] if one["cell_type"] == "code"]
    space: dict[str, Any] = {}
    exec(first, space)
    assert parameters.keys() <= space.keys()
    space |= parameters
    exec(begin, space)
    assert sandbox._embedded is not None
    calls = sandbox._embedded.world.calls
    before = len(calls)
    for cell in rest:
        exec(cell, space)
    own = [one for one in list(calls)[before:] if one.caller.endswith("user/operator")]
    return {named(one.service, one.operation) for one in own}


def named(service: str, operation: str) -> str:
    """The action that a call asks for, which IAM knows."""
    prefix = get_session().get_service_model(service).signing_name
    prefix = {"monitoring": "cloudwatch"}.get(prefix, prefix)
    name = NAMED_OTHERWISE.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    assert action(name).name == name
    return name


def beyond(actions: set[str], policy: str) -> set[str]:
    patterns = allowed(policy)
    return {one for one in actions if not any(like(one.lower(), pattern.lower()) for pattern in patterns)}


def test_the_policy_for_readers_allows_no_more_than_reading() -> None:
    """Or what follows could not fail."""
    assert beyond({"ecs:UpdateService", "s3:PutObject", "ecs:DescribeServices"}, "ReadOnlyAccess") == {
        "ecs:UpdateService",
        "s3:PutObject",
    }


@pytest.mark.parametrize(
    ("notebook", "parameters", "more"),
    [
        ("70_capacity_and_cost", {"world": "incident-dependency"}, set()),
        (
            "60_post_incident",
            {"world": "incident-leak", "hands": "freeze"},
            {"codepipeline:DisableStageTransition"},
        ),
        (
            "60_post_incident",
            {"athena_gigabytes": 1.0},
            {
                "athena:CreateWorkGroup",
                "athena:DeleteWorkGroup",
                "athena:StartQueryExecution",
                "ssm:DeleteParameters",
                "ssm:PutParameter",
            },
        ),
    ],
)
def test_who_may_only_read_can_look_back(notebook: str, parameters: dict[str, Any], more: set[str]) -> None:
    """AWS's own policy for readers allows all but what the hands and Athena change, and that stands in the README."""
    actions = called(notebook, **parameters)
    assert {"cloudwatch:GetMetricData", "elasticloadbalancing:DescribeTargetHealth"} <= actions
    assert beyond(actions, "ReadOnlyAccess") == more
    readme = (ROOT / "README.md").read_text()
    assert [one for one in more if f"`{one}`" not in readme] == []
