"""The pipeline definition: checked, and its deploy action moved; cases under tests/cases/pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.documents import pipeline
from runbook_lib.errors import BadInput

CASES = Path(__file__).parents[1] / "cases" / "pipeline"
ARGUMENTS = {
    "application": "parcels",
    "group": "parcels-group",
    "artifact": "BuildArtifact",
    "placeholder": "IMAGE1_NAME",
}


def definition(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text())
    return content


@pytest.mark.parametrize("case", sorted((CASES / "checked").iterdir()), ids=lambda case: case.name)
def test_check_finds_what_is_wrong_and_where(case: Path) -> None:
    """Each defect is reported with its rule and its path in the definition; a good one has none."""
    found = pipeline.check(json.loads((case / "pipeline.json").read_text()))
    expected = json.loads((case / "expected.json").read_text())["findings"]
    assert {finding.rule: finding.where for finding in reversed(found)} == expected


@pytest.mark.parametrize("case", sorted((CASES / "malformed").iterdir()), ids=lambda case: case.name)
def test_malformed_file_is_a_clear_error(case: Path) -> None:
    """Line, column and remedy."""
    with pytest.raises(BadInput) as caught:
        pipeline.parse((case / "pipeline.json").read_bytes())
    for words in json.loads((case / "expected.json").read_text())["says"]:
        assert words in str(caught.value)


def test_deploy_action_becomes_blue_green_and_nothing_else_changes() -> None:
    """Name, order, region and inputs of the action stay, as does every other field of the pipeline."""
    before = definition("rolling")["pipeline"]
    after = pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).definition
    action = after["stages"][2]["actions"][0]
    assert action["actionTypeId"]["provider"] == "CodeDeployToECS"
    assert action["configuration"]["Image1ContainerName"] == "IMAGE1_NAME"
    action["actionTypeId"], action["configuration"] = (
        before["stages"][2]["actions"][0][key] for key in ("actionTypeId", "configuration")
    )
    assert after == before


def test_metadata_is_dropped_and_the_given_definition_untouched() -> None:
    """update-pipeline takes the inner part alone; the caller keeps what was read, to restore it."""
    given = definition("rolling")
    assert "metadata" not in pipeline.to_blue_green(given, **ARGUMENTS).definition
    assert given == definition("rolling")


def test_changes_name_every_field_with_old_and_new() -> None:
    """The list is what the plan shows: what goes, what comes, what is replaced."""
    changes = pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).changes
    by_field = {change.path.rsplit(".", 1)[-1]: (change.old, change.new) for change in changes}
    assert by_field["provider"] == ("ECS", "CodeDeployToECS")
    assert by_field["ServiceName"] == ("parcels", None)
    assert by_field["TaskDefinitionTemplateArtifact"] == (None, "BuildArtifact")
    assert len(by_field) == 12


def test_second_move_changes_nothing() -> None:
    """A moved pipeline is left as it is."""
    after = pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).definition
    again = pipeline.to_blue_green(after, **ARGUMENTS)
    assert (again.definition, again.changes) == (after, ())


def test_moved_definition_has_no_findings() -> None:
    """What comes out is what CodePipeline accepts."""
    assert pipeline.check(pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).definition) == ()


def test_a_wrong_group_is_put_right() -> None:
    """On a pipeline that deploys by CodeDeploy already only what differs is changed."""
    after = pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).definition
    again = pipeline.to_blue_green(after, **{**ARGUMENTS, "group": "other"})
    assert [(change.old, change.new) for change in again.changes] == [("parcels-group", "other")]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("two_deploys", {}, r"2 actions that deploy to ECS: 'Staging' \(stages\[2\].actions\[0\], ECS\)"),
        ("no_deploy", {}, "0 actions that deploy to ECS"),
        ("clone_into_deploy", {"artifact": "SourceArtifact"}, "a CODEBUILD_CLONE_REF"),
        ("rolling", {"artifact": "Elsewhere"}, "an output of an action before 'Deploy': SourceArtifact, BuildArtifact"),
        ("rolling", {"placeholder": "<IMAGE1_NAME>"}, "write IMAGE1_NAME; only taskdef.json has the brackets"),
        ("rolling", {"placeholder": ""}, "the placeholder ''"),
        ("rolling", {"placeholder": {f"I{n}": "BuildArtifact" for n in range(5)}}, "5 images"),
    ],
)
def test_ambiguous_moves_are_refused(name: str, arguments: dict[str, Any], says: str) -> None:
    """The reason says what is in the way; nothing is guessed."""
    with pytest.raises(BadInput, match=says):
        pipeline.to_blue_green(definition(name), **{**ARGUMENTS, **arguments})


def test_several_images_take_an_artifact_each() -> None:
    """Up to four placeholders, each with the artifact that holds its imageDetail.json."""
    after = pipeline.to_blue_green(
        definition("rolling"), **{**ARGUMENTS, "placeholder": {"WEB": "BuildArtifact", "PROXY": "SourceArtifact"}}
    ).definition
    action = after["stages"][2]["actions"][0]
    assert action["configuration"]["Image2ContainerName"] == "PROXY"
    assert action["inputArtifacts"] == [{"name": "BuildArtifact"}, {"name": "SourceArtifact"}]


def test_console_map_covers_every_key_that_is_written() -> None:
    """Field by field, the console's words and the definition's keys."""
    after = pipeline.to_blue_green(definition("rolling"), **ARGUMENTS).definition
    written = set(after["stages"][2]["actions"][0]["configuration"])
    assert written <= {field.key for field in pipeline.console_map()}


def test_whole_answer_and_inner_part_are_both_taken() -> None:
    """What get-pipeline answers, and what update-pipeline takes."""
    text = (CASES / "rolling.json").read_bytes()
    assert pipeline.parse(text) == definition("rolling")["pipeline"]
