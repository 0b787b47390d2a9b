"""Which failure modes a notebook asks about before it starts: those that its own work can meet.

A notebook that would mend something does not ask about it, and one that brings a service back asks nothing: it must
never be kept from that.
"""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.check import Verdict
from runbook_lib.errors import CheckFailed
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.report import Report, examine
from runbook_lib.preflight.rules import RULES

FILES = ("taskdef", "appspec", "images")
GROUP = tuple(f"C{number}" for number in range(1, 17))
# A service that is moved: what blue/green does not support, and whether there is room and a way out for its second.
MOVE = ("C12", "C15", "C16", "D14", "D15", "D17", "E4", "E6", "E8")
BUILD = (*FILES, "B2", "B7")
PIPELINE = (
    *(*FILES, "buildspec", "A3", "A7", "A10", "A13", "A15", "B1", "B2", "B3", "B4", "B5", "B7"),
    *(*GROUP, "D1", "D2", "D4", "D8", "D9", "D11", "D12", "D13", "D14", "D15", "D17", "D21", "D22", "D24", "D25"),
    *("E1", "E2", "E4", "E6", "E8"),
)
STAGES: Mapping[str, tuple[str, ...]] = {
    "15_move_service": MOVE,
    "21_buildspec": BUILD,
    "22_pipeline": PIPELINE,
    "30_release": tuple(rule.id for rule in RULES),
}


def examine_stage(notebook: str, picture: Picture) -> Report:
    """The answers to the questions of a notebook; raises KeyError for one that asks none."""
    wanted = STAGES[notebook]
    return examine(picture, [rule for rule in RULES if rule.id in wanted])


def require(report: Report) -> None:
    """Go on unless an answer is FAIL; raises CheckFailed with the first one that is."""
    for one in report.asked:
        for answer in one.answers:
            if answer.verdict is Verdict.FAIL:
                raise CheckFailed(
                    where=f"{one.story.id} {one.story.question} {answer.where}",
                    seen=answer.seen,
                    wanted=answer.wanted,
                    next_step=f"{answer.remedy or one.story.remedy}; `runbook explain {one.story.id}` tells more",
                )
