"""`runbook check`: a folder's files as one system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.preflight import reading, report
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import stories

TASKDEF = {
    "family": "orders",
    "containerDefinitions": [{"name": "orders", "image": "<IMAGE1_NAME>", "portMappings": [{"containerPort": 8080}]}],
}
APPSPEC = """version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: <TASK_DEFINITION>
        LoadBalancerInfo:
          ContainerName: orders
          ContainerPort: 8080
"""


def pipeline(**configuration: str) -> str:
    """A pipeline whose deploy action has this configuration."""
    kind = {"category": "Deploy", "owner": "AWS", "provider": "CodeDeployToECS", "version": "1"}
    action = {"name": "Deploy", "actionTypeId": kind, "configuration": configuration}
    return json.dumps({"pipeline": {"name": "orders", "stages": [{"name": "Deploy", "actions": [action]}]}})


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A folder with the files of a blue/green deployment, and its pipeline."""
    (tmp_path / "taskdef.json").write_text(json.dumps(TASKDEF), encoding="utf-8")
    (tmp_path / "appspec.yaml").write_text(APPSPEC, encoding="utf-8")
    (tmp_path / "pipeline.json").write_text(pipeline(Image1ContainerName="IMAGE1_NAME"), encoding="utf-8")
    return tmp_path


def verdicts(folder: Path) -> dict[str, Verdict]:
    """The verdict of every rule."""
    picture = reading.read_folder(folder, pipeline_file=folder / "pipeline.json")
    return {one.story.id: one.verdict for one in report.examine(picture).asked}


def test_files_that_fit_together_pass(application: Path) -> None:
    """The placeholder and the fixed text are those that the pipeline replaces."""
    assert {id: verdicts(application)[id] for id in ("A6", "A7")} == {"A6": Verdict.OK, "A7": Verdict.OK}


def test_a_placeholder_that_nobody_replaces_fails(application: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both sides are named, and the exit code says that a check said no."""
    (application / "pipeline.json").write_text(pipeline(Image1ContainerName="IMAGE"), encoding="utf-8")
    assert verdicts(application)["A6"] is Verdict.FAIL
    assert main(["check", str(application), "--pipeline", str(application / "pipeline.json")]) == 3
    told = capsys.readouterr().out
    assert "FAIL         A6   Is the placeholder in taskdef.json the one that the pipeline replaces?" in told
    assert "taskdef.json:1:" in told
    assert "seen:   <IMAGE1_NAME>" in told


def test_a_file_that_cannot_be_read_is_an_error_of_its_rules(application: Path) -> None:
    """Not measured is never OK, and the other files are still checked."""
    (application / "taskdef.json").write_text("{", encoding="utf-8")
    found = verdicts(application)
    assert (found["A6"], found["A7"]) == (Verdict.ERROR, Verdict.OK)


def test_a_file_that_is_not_there_skips_its_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with the reason."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    assert main(["check", str(tmp_path), "--all"]) == 0
    assert "the folder has no appspec.yaml" in capsys.readouterr().out


def test_a_folder_of_templates_alone_is_asked_for_the_hook(tmp_path: Path) -> None:
    """It is no application's, and what it holds decides all the same (E8)."""
    (tmp_path / "stack.yaml").write_text("Transform: [AWS::CodeDeployBlueGreen]\n", encoding="utf-8")
    verdicts = {one.story.id: one.verdict for one in report.examine(reading.read_folder(tmp_path)).asked}
    assert verdicts["E8"] > Verdict.SKIP
    assert verdicts["A1"] is Verdict.SKIP


def test_a_report_can_be_read_by_programs(application: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same answers as JSON."""
    main(["check", str(application), "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    assert {question["id"] for question in told["questions"]} == {rule.id for rule in RULES}


def test_every_rule_has_its_story() -> None:
    """Question, symptom, cause, remedy and source, none of them empty."""
    for rule in RULES:
        story = stories()[rule.id]
        assert all((story.question.endswith("?"), story.symptom, story.cause, story.remedy, story.source)), rule.id


def test_a_story_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`runbook explain` prints it; an unknown id is refused with the nearest."""
    assert main(["explain", "A6"]) == main(["explain", "a6"]) == 0
    assert "invalid reference format" in capsys.readouterr().out
    assert main(["explain", "A66"]) == 2
    assert "did you mean A6?" in capsys.readouterr().err
