"""Who counts the access log of a look back: Athena by plan, gate and cap, with the same numbers as this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stories

from runbook_lib.account import Account
from runbook_lib.errors import BadInput, GateClosed
from runbook_lib.gate import gate
from runbook_lib.inventory import read_inventory
from runbook_lib.journal import Journal
from runbook_lib.step import apply
from runbook_lib.story import counting, incident
from runbook_lib.story.incident import Look
from runbook_lib.system import System

Story = tuple[Account, System, Look]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Version 3 fails 30 % of its requests; the world in which it did is still there."""
    yield stories.told("incident")
    stories.close()


def choose(story: Story, gigabytes: float, **more: str) -> counting.Counting:
    account, system, found = story
    return counting.choose(account, system, found.incident.seen.window, athena_gigabytes=gigabytes, **more)


def kinds(story: Story) -> set[str]:
    account, system, _ = story
    return {item.kind for item in read_inventory(account, system.name) if item.kind.startswith("athena")}


def test_athena_counts_the_same_and_leaves_nothing(story: Story) -> None:
    """What it reads is told before; its queries stand in the journal; table, database and work group go again."""
    account, system, found = story
    journal, how = Journal(account.clock), choose(story, 1)
    plan = counting.plan_table(account, system, how)
    assert "0.00050 USD a query by the prices of 2026-03-02" in plan.notes[0]
    assert "more than 1 GB (0.00500 USD)" in plan.notes[0]
    apply(plan, account=account, journal=journal)
    assert kinds(story) == {"athena:database", "athena:work-group"}
    again = incident.read(account, system, found.incident.seen.window, [journal], how=how).incident.seen.requests
    known = found.incident.seen.requests
    assert again is not None
    assert known is not None
    assert (again.served, again.worst, again.heat) == (known.served, known.worst, known.heat)
    asked = [entry.fields["id"] for entry in journal.of("step") if entry.fields["id"].startswith("athena.ask")]
    assert len(asked) == counting.QUESTIONS
    apply(counting.plan_drop(account, system, how), account=account, journal=journal)
    assert kinds(story) == set()
    assert counting.plan_drop(account, system, how).steps == ()


def test_more_than_the_cap_is_stopped_at_the_gate(story: Story) -> None:
    """Nothing was made, and nothing was asked."""
    account, system, _ = story
    answers = counting.check_cap(account, system, choose(story, 0.05))
    assert answers.answers[0].wanted == "at most 0.05 GB"
    with pytest.raises(GateClosed, match=r"FAIL: 0\.\d+ GB; wanted: at most 0\.05 GB; next: narrow the window"):
        gate("Athena", answers, params=system.params, journal=Journal(account.clock))
    assert kinds(story) == set()


def test_what_a_killed_run_left_is_asked_for_again(story: Story) -> None:
    """The table is there, but the query costs: the plan has a step, so that its gate is no open door."""
    account, system, _ = story
    journal, how = Journal(account.clock), choose(story, 1)
    apply(counting.plan_table(account, system, how), account=account, journal=journal)
    again = counting.plan_table(account, system, how)
    assert [step.id for step in again.needed] == ["athena.cutoff"]
    apply(again, account=account, journal=journal)
    apply(counting.plan_drop(account, system, how), account=account, journal=journal)


def test_a_cap_below_what_is_billed_and_two_engines_are_refused(story: Story) -> None:
    """Before anything is made."""
    with pytest.raises(BadInput, match=r"most_bytes 1,000,000; wanted: 10,000,000 or more"):
        choose(story, 0.001)
    with pytest.raises(BadInput, match="scheduler tcp://x:1 and athena_gigabytes 1; wanted: one of them"):
        choose(story, 1, scheduler="tcp://x:1")


def test_where_nothing_is_to_be_counted_nothing_is_made(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier look, no log, or somebody else who counts: the plan is empty and says why."""
    account, system, _ = story
    attributes = {"Attributes": [{"Key": "access_logs.s3.enabled", "Value": "false"}]}
    monkeypatch.setattr(account.client("elbv2"), "describe_load_balancer_attributes", lambda **_: attributes)
    told = {
        "an earlier look": choose(story, 1, saved="incident.json"),
        "writes no access log": choose(story, 1),
        "This process": choose(story, 0),
        "A dask cluster": choose(story, 0, scheduler="tcp://x:1"),
    }
    for words, how in told.items():
        plan = counting.plan_table(account, system, how)
        assert (plan.steps, counting.plan_drop(account, system, how).steps) == ((), ())
        assert words in plan.notes[0]
        assert not counting.check_cap(account, system, how).bad
