"""What served before: the row of revisions, from which a way back takes what it left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_lib.deployment import BACK, Deployment
from runbook_lib.story.rollback import _former

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def deployment(
    number: int, status: str = "Succeeded", description: str = "", rolls_back: str | None = None
) -> Deployment:
    created = START + timedelta(hours=number)
    return Deployment(
        id=f"d-{number}", status=status, creator="user", config="", revision_sha=None, created=created, completed=None,
        error=None, rolled_back_by=None, rolls_back=rolls_back, description=description,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("history", "live", "former"),
    [
        (["1", "2"], "2", "1"),
        (["1", "2", "3"], "3", "2"),
        (["1", "2", "1"], "1", None),  # gone back from 2: never to 2 again
        (["1", "2", "3", "2"], "2", "1"),
        (["1", "2", "3", "2", "4"], "4", "2"),
        (["1"], "1", None),
        ([], "1", None),
        (["1", "2"], "3", "2"),  # 3 has moved all traffic and still waits to end
    ],
)
def test_the_former_revision_is_the_one_before_in_the_row(history: list[str], live: str, former: str | None) -> None:
    """The oldest deployment first; what was gone back from is out of the row."""
    found = tuple(deployment(number) for number in reversed(range(len(history))))
    assert _former(found, {f"d-{number}": revision for number, revision in enumerate(history)}, live) == former


def test_a_deployment_that_did_not_succeed_never_served() -> None:
    """It is passed over."""
    found = (deployment(1, "Stopped"), deployment(0))
    assert _former(found, {"d-0": "1", "d-1": "2"}, "1") is None


def test_a_way_back_is_known_by_its_maker_or_its_description() -> None:
    """CodeDeploy's own rollback names what it rolls back; one by hand says so in words."""
    assert deployment(1, rolls_back="d-0").goes_back
    assert deployment(1, description=f"{BACK}back from 3 to 2").goes_back
    assert not deployment(1, description="version 3").goes_back
