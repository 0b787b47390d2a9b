"""The failure modes in words: complete, told, and found again from AWS's own messages."""

from __future__ import annotations

import pytest

from runbook_lib.cli import main
from runbook_lib.preflight.decode import decode
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.story import stories

SECTIONS = {"A": 18, "B": 7, "C": 16, "D": 25, "E": 9}
MESSAGES = {
    "D1": "The ELB could not be updated due to the following error: Primary taskset target group must be behind "
    "listener",
    "D2": "The deployment timed out while waiting for the replacement task set to become healthy. This time out "
    "period is 60 minutes.",
    "C1": "An error occurred (InvalidECSServiceException) when calling the CreateDeploymentGroup operation: Deployment "
    "group\u2019s ECS service must be configured for a CODE_DEPLOY deployment controller.",
    "D10": "InvalidParameterException: Unable to update task definition on services with a CODE_DEPLOY deployment "
    "controller. Use AWS CodeDeploy to trigger a new deployment.",
    "B5": "The image tag 'v1' already exists in the 'orders' repository and cannot be overwritten because the "
    "repository is immutable.",
    "A1": "Exception while trying to read the task definition artifact file from: SourceArtifact",
    "C7": "Deployment ready action cannot be set to 'CONTINUE_DEPLOYMENT'\n when timeout is specified",
}


def test_every_failure_mode_has_its_story() -> None:
    """All 75, each with question, symptom, cause, remedy and source."""
    wanted = {f"{letter}{number}" for letter, count in SECTIONS.items() for number in range(1, count + 1)}
    assert {id for id in stories() if id[1:].isdigit()} == wanted
    for story in stories().values():
        assert story.question.endswith("?"), story.id
        assert all((story.symptom, story.cause, story.remedy, story.source)), story.id


def test_every_rule_has_a_story_and_none_says_that_it_has_no_rule() -> None:
    """The registry and the stories agree."""
    assert [rule.id for rule in RULES if stories()[rule.id].unchecked] == []


@pytest.mark.parametrize("id", sorted(MESSAGES))
def test_a_message_of_aws_is_decoded(id: str) -> None:
    """The most telling failure mode comes first, whatever stands around AWS's words."""
    assert decode(MESSAGES[id])[0].id == id


def test_one_message_can_have_several_causes(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them are told."""
    message = "Exception while trying to read the image artifact file from the artifact: BuildArtifact"
    assert main(["explain", "--error", message]) == 0
    told = capsys.readouterr().out
    assert "A2  Does the deploy action get imageDetail.json" in told
    assert "A3  Is the image file's name imageDetail.json" in told


def test_a_message_that_nobody_knows_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is guessed."""
    assert main(["explain", "--error", "it rains"]) == 3
    assert "No known failure mode says this" in capsys.readouterr().out
