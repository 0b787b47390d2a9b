"""The task definition file: made from the running revision, edited, checked; cases under tests/cases/taskdef."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.documents import schema, taskdef
from runbook_lib.documents.finding import refuse
from runbook_lib.documents.taskdef.fargate import cpu_units, memory_mib
from runbook_lib.errors import BadInput

CASES = Path(__file__).parents[1] / "cases" / "taskdef"
GOOD = (CASES / "checked" / "good" / "taskdef.json").read_bytes()
RUNNING: dict[str, Any] = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/parcels:7",
        "revision": 7,
        "status": "ACTIVE",
        "registeredAt": datetime(2026, 3, 2, tzinfo=UTC),
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "compatibilities": ["EC2", "FARGATE"],
        "volumes": [],
        "containerDefinitions": [
            {
                "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/parcels@sha256:0a",
                "name": "web",
                "cpu": 0,
                "environment": [{"name": "EMPTY", "value": ""}],
                "mountPoints": [],
                "essential": True,
                "dockerLabels": {"note": ""},
                "healthCheck": None,
            },
            {"name": "proxy", "image": "nginx:1", "command": []},
        ],
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "family": "parcels",
    },
    "tags": [{"key": "team", "value": ""}, {"key": "aws:cloudformation:stack-name", "value": "x"}],
}


@pytest.mark.parametrize("case", sorted((CASES / "checked").iterdir()), ids=lambda case: case.name)
def test_check_finds_what_is_wrong_on_its_line(case: Path) -> None:
    """Each defect is reported once, with its rule and line; a good file has none."""
    found = taskdef.check((case / "taskdef.json").read_bytes())
    places = {finding.rule: int(finding.where.split(":")[1]) for finding in found}
    assert places == json.loads((case / "expected.json").read_text())["findings"]


@pytest.mark.parametrize("case", sorted((CASES / "malformed").iterdir()), ids=lambda case: case.name)
def test_malformed_file_is_a_clear_error(case: Path) -> None:
    """Line, column, what was seen and what to do; nothing is read from such a file."""
    with pytest.raises(BadInput) as caught:
        taskdef.check((case / "taskdef.json").read_bytes())
    for words in json.loads((case / "expected.json").read_text())["says"]:
        assert words in str(caught.value)


def test_file_from_the_running_revision_is_what_register_takes() -> None:
    """What describe adds is gone, what was empty too; the tags are inside."""
    text = taskdef.from_running(RUNNING, containers={"web": "IMAGE1_NAME"})
    content = json.loads(text)
    assert schema.problems(content, service="ecs", shape="RegisterTaskDefinitionRequest") == []
    assert content["tags"] == [{"key": "team", "value": ""}]
    assert set(content).isdisjoint({"revision", "status", "registeredAt", "volumes"})


def test_file_from_the_running_revision_has_the_placeholder_and_nothing_else_changed() -> None:
    """Only the named container gets the placeholder; what is empty on purpose stays."""
    web, proxy = json.loads(taskdef.from_running(RUNNING, containers={"web": "<IMAGE1_NAME>"}))["containerDefinitions"]
    assert web == {
        "name": "web",
        "image": "<IMAGE1_NAME>",
        "cpu": 0,
        "essential": True,
        "environment": [{"name": "EMPTY", "value": ""}],
        "dockerLabels": {"note": ""},
    }
    assert proxy == {"name": "proxy", "image": "nginx:1"}


def test_file_from_the_running_revision_is_stable() -> None:
    """The order of keys is the model's, whatever order the answer came in; the file can be made from itself."""
    text = taskdef.from_running(RUNNING, containers={"web": "IMAGE1_NAME"})
    turned = {"taskDefinition": dict(reversed(RUNNING["taskDefinition"].items())), "tags": RUNNING["tags"]}
    assert taskdef.from_running(turned, containers={"web": "IMAGE1_NAME"}) == text
    again = {"taskDefinition": json.loads(text), "tags": json.loads(text)["tags"]}
    assert taskdef.from_running(again, containers={"web": "IMAGE1_NAME"}) == text


@pytest.mark.parametrize(
    ("answer", "containers", "says"),
    [
        (RUNNING["taskDefinition"], {"web": "I"}, "an answer without 'taskDefinition'"),
        (RUNNING, {"shop": "I"}, "containers 'shop'"),
        (RUNNING, {}, "no container to replace"),
    ],
)
def test_wrong_arguments_are_refused(answer: dict[str, Any], containers: dict[str, str], says: str) -> None:
    """The error names the containers that there are."""
    with pytest.raises(BadInput, match=says):
        taskdef.from_running(answer, containers=containers)


def test_containers_never_show_values() -> None:
    """Environment and secrets are known by their names alone."""
    text = GOOD.replace(b'"info"', b'"hunter2"')
    (container,) = taskdef.containers(text)
    assert container == taskdef.Container("web", "<IMAGE1_NAME>", (8080,), ("LOG_LEVEL",), ())
    assert "hunter2" not in repr(container)


def test_findings_never_show_values() -> None:
    """A password of the wrong type is reported without the password."""
    found = taskdef.check((CASES / "checked" / "secret_value_of_a_wrong_type" / "taskdef.json").read_bytes())
    assert "123456" not in " ".join(map(str, found))


def test_placeholders_are_named_without_brackets() -> None:
    """What the pipeline's field must say."""
    assert taskdef.placeholders(GOOD) == ("IMAGE1_NAME",)
    assert taskdef.placeholders("{}") == ()


def test_environment_is_edited_in_place() -> None:
    """A present value is replaced, a new one is added beside it, every other byte stays."""
    text = '\ufeff{"containerDefinitions": [\r\n  {"name": "web",\r\n   "environment": [{"name":"A","value":"1"}] }]}'
    after = taskdef.with_environment(text, "web", {"A": "2", "B": 'ü "x"'})
    assert after == text.replace('"1"}', '"2"}, {"name": "B", "value": "ü \\"x\\""}')


def test_environment_is_made_where_there_is_none() -> None:
    """A container without environment gets one; an empty or null one is filled."""
    made = taskdef.with_environment('{"containerDefinitions":[{"name":"web"}]}', "web", {"A": "1"})
    assert json.loads(made)["containerDefinitions"][0]["environment"] == [{"name": "A", "value": "1"}]
    for empty in ("[]", "null", "[ ]"):
        text = f'{{"containerDefinitions":[{{"name":"web","environment":{empty}}}]}}'
        assert json.loads(taskdef.with_environment(text, "web", {"A": "1"})) == json.loads(made)


def test_environment_of_an_unknown_container_is_refused() -> None:
    """The error names the containers that the file has."""
    with pytest.raises(BadInput, match="the containers 'web'"):
        taskdef.with_environment(GOOD, "shop", {"A": "1"})


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(
    present=st.dictionaries(NAMES, st.text(max_size=8)),
    wanted=st.dictionaries(NAMES, NAMES),
    indent=st.sampled_from([None, 1, 4]),
)
def test_environment_edit_is_exact(present: dict[str, str], wanted: dict[str, str], indent: int | None) -> None:
    """Whatever stands in the file: the wanted values are there, the others unchanged, a second edit does nothing."""
    listed = [{"name": name, "value": value} for name, value in present.items()]
    content = {"family": "x", "containerDefinitions": [{"name": "web", "environment": listed, "image": "i"}]}
    text = json.dumps(content, indent=indent)
    after = taskdef.with_environment(text, "web", wanted)
    found = json.loads(after)["containerDefinitions"][0].pop("environment")
    assert {item["name"]: item["value"] for item in found} == present | wanted
    assert taskdef.with_environment(after, "web", wanted) == after


@pytest.mark.parametrize(
    ("written", "units"), [("256", 256), (".5 vCPU", 512), ("1vcpu", 1024), ("x", None), ("", None)]
)
def test_cpu_is_read_in_units_and_in_vcpu(written: str, units: int | None) -> None:
    """Both ways in which AWS accepts it."""
    assert cpu_units(written) == units


def test_memory_goes_with_cpu() -> None:
    """The sizes of Fargate's table."""
    assert memory_mib("0.5 GB") in taskdef.memory_for(256)
    assert taskdef.memory_for(1024) == (2048, 3072, 4096, 5120, 6144, 7168, 8192)
    assert 61 * 1024 not in taskdef.memory_for(32768)
    assert taskdef.memory_for(300) == ()


def test_refusal_names_every_finding() -> None:
    """Two defects are two places in one error."""
    text = GOOD.replace(b'"512"', b'"64"').replace(b"awsvpc", b"bridge")
    with pytest.raises(BadInput, match="2 places") as caught:
        refuse(taskdef.check(text))
    assert "taskdef.json:3:18: networkMode 'bridge'" in str(caught.value)
