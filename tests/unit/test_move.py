"""Whether a move hurt a request, told from what reached a target group and what the load balancer answered itself."""

from __future__ import annotations

import pytest

from runbook_lib.check import Verdict
from runbook_lib.story.move import _unhurt


@pytest.mark.parametrize(
    ("whole", "hurt", "own", "verdicts", "seen"),
    [
        (1000, 0, 3, [Verdict.OK, Verdict.OK], "0 of 1000"),
        (1000, 4, 0, [Verdict.FAIL, Verdict.OK], "4 of 1000"),
        (1000, 0, 80, [Verdict.OK, Verdict.FAIL], "0 of 1000"),
        (0, 0, 0, [Verdict.INCONCLUSIVE], "no request"),
        (0, 700, 0, [Verdict.FAIL], "700, and no request reached a task"),  # no target was left: all of them are hurt
    ],
)
def test_a_move_is_unhurt_only_where_tasks_answered(
    whole: float, hurt: float, own: float, verdicts: list[Verdict], seen: str
) -> None:
    """Nothing asked is no success, and an outage of everything is no lack of requests."""
    found = _unhurt(whole, hurt, own, limit=5)
    assert [answer.verdict for answer in found] == verdicts
    assert found[0].seen == seen
