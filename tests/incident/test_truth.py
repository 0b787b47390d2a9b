"""Every world with an incident: 60 finds by itself what is told beside it to be true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stories

from runbook_lib.account import Account
from runbook_lib.incident.causes.facts import STRONG
from runbook_lib.story.incident import Look
from runbook_lib.story.incidents import TRUTHS, Truth
from runbook_lib.system import System

Story = tuple[Truth, Account, System, Look]


@pytest.fixture(scope="module", params=sorted(TRUTHS))
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    """A world and its truth."""
    yield (TRUTHS[request.param], *stories.told(request.param))
    stories.close()


def test_the_harm_is_found_from_its_first_minute_to_its_last(story: Story) -> None:
    """In the window that is found without being named, and by what hurt."""
    truth, _, _, found = story
    harm, spans = found.incident.harm, found.incident.intervals
    assert harm is not None
    assert spans is not None
    assert (harm.start.time(), harm.by) == (truth.begins, truth.hurts)
    assert (None if spans.ongoing else harm.end.time()) == truth.ends


def test_the_first_cause_is_the_true_one_and_no_other_is_strong(story: Story) -> None:
    """A change nearby may be named, weakly."""
    truth, _, system, found = story
    first, *others = found.incident.causes
    assert truth.to_blame.format(name=system.name) in first.what
    assert first.weight == STRONG
    assert [cause.what for cause in others if cause.weight == STRONG] == []


def test_only_a_version_that_is_to_blame_is_blamed(story: Story) -> None:
    """By its revision; and its commit is the one that must not come again."""
    truth, _, system, found = story
    wanted = f"{system.name}:{truth.revision}" if truth.revision else None
    assert found.incident.blamed == wanted
    assert found.bad_commit == (found.incident.seen.commits[wanted] if wanted else None)
