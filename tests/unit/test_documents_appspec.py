"""The AppSpec: built, read back, checked; cases under tests/cases/appspec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.documents import appspec
from runbook_lib.documents.appspec import AppSpec, Capacity, Network
from runbook_lib.errors import BadInput

CASES = Path(__file__).parents[1] / "cases" / "appspec"


def only_file(case: Path) -> Path:
    return next(path for path in case.iterdir() if path.stem == "appspec")


@pytest.mark.parametrize("case", sorted((CASES / "checked").iterdir()), ids=lambda case: case.name)
def test_check_finds_what_is_wrong_on_its_line(case: Path) -> None:
    """Each defect is reported with its rule and line; a good file, JSON or YAML, has none."""
    file = only_file(case)
    found = appspec.check(file.read_bytes(), name=file.name)
    places = {finding.rule: int(finding.where.split(":")[1]) for finding in reversed(found)}
    assert places == json.loads((case / "expected.json").read_text())["findings"]


@pytest.mark.parametrize("case", sorted((CASES / "malformed").iterdir()), ids=lambda case: case.name)
def test_malformed_file_is_a_clear_error(case: Path) -> None:
    """Line, column and remedy."""
    with pytest.raises(BadInput) as caught:
        appspec.parse(only_file(case).read_bytes())
    for words in json.loads((case / "expected.json").read_text())["says"]:
        assert words in str(caught.value)


def test_smallest_appspec_is_the_seeds() -> None:
    """Container, port and the placeholder that the deploy action fills in."""
    assert appspec.build(AppSpec("dev-info-service", 80)) == (
        "version: 0.0\n"
        "Resources:\n"
        "  - TargetService:\n"
        "      Type: AWS::ECS::Service\n"
        "      Properties:\n"
        "        TaskDefinition: <TASK_DEFINITION>\n"
        "        LoadBalancerInfo:\n"
        "          ContainerName: dev-info-service\n"
        "          ContainerPort: 80\n"
    )


def test_everything_that_was_built_is_read_back() -> None:
    """Platform, network, capacity providers and hooks survive the way through the file."""
    spec = AppSpec(
        "web",
        8080,
        task_definition="arn:aws:ecs:eu-west-1:111122223333:task-definition/parcels:3",
        platform_version="1.4.0",
        network=Network(("subnet-1", "subnet-2"), ("sg-1",), assign_public_ip=True),
        capacity=(Capacity("FARGATE", 1, base=2), Capacity("FARGATE_SPOT", 3)),
        hooks={
            "AfterAllowTestTraffic": "smoke",
            "BeforeAllowTraffic": "arn:aws:lambda:eu-west-1:111122223333:function:gate",
        },
    )
    assert appspec.parse(appspec.build(spec), template=False) == spec


@given(name=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), port=st.integers(1, 65535))
def test_any_container_name_survives_the_file(name: str, port: int) -> None:
    """Names that YAML would take for numbers, dates or booleans stay texts."""
    assert appspec.parse(appspec.build(AppSpec(name, port))) == AppSpec(name, port)


@pytest.mark.parametrize("spec", [AppSpec("", 80), AppSpec("web", 0), AppSpec("web", 80, hooks={"Sometime": "f"})])
def test_nothing_wrong_is_built(spec: AppSpec) -> None:
    """What CodeDeploy would refuse never becomes a file."""
    with pytest.raises(BadInput):
        appspec.build(spec)


def test_literal_revision_is_refused_as_template_and_taken_otherwise() -> None:
    """In the repository the placeholder must stand; in a deployment by hand the revision."""
    text = (CASES / "checked" / "revision_written_out" / "appspec.yaml").read_bytes()
    with pytest.raises(BadInput, match="exactly <TASK_DEFINITION>"):
        appspec.parse(text)
    assert appspec.parse(text, template=False).task_definition.endswith("parcels:3")
