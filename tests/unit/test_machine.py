"""Checks, gates, waits and the journal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from manual_clock import ManualClock

from runbook_lib import journal as journals
from runbook_lib.check import Check, Verdict, ask, checks, skip, unknown
from runbook_lib.errors import BadInput, CheckFailed, GateClosed, OutOfTime, RolledBack
from runbook_lib.gate import gate
from runbook_lib.journal import Journal
from runbook_lib.params import Params
from runbook_lib.wait import SETTLED, wait_until

GOOD = ask("Is it up?", True, seen="2", wanted="2")
BAD = ask("Is it healthy?", False, seen="1 of 2", wanted="2 of 2", remedy="read the events")


def test_the_worst_answer_wins() -> None:
    """One FAIL makes the whole a FAIL."""
    assert checks("t", [GOOD, skip("Why?", "no reason"), BAD]).verdict is Verdict.FAIL


def test_nothing_measured_is_never_ok() -> None:
    """No question asked, and a question that could not be measured, are both INCONCLUSIVE."""
    assert checks("t", []).verdict is Verdict.INCONCLUSIVE
    assert checks("t", [unknown("Is it?", seen="no data", wanted="data")]).bad


def test_a_failed_check_says_both_numbers_and_the_remedy() -> None:
    """The error carries what was seen, what was wanted and what to do."""
    with pytest.raises(CheckFailed, match=r"seen: 1 of 2; wanted: 2 of 2; next: read the events"):
        checks("t", [GOOD, BAD]).require()


def test_a_check_without_questions_does_not_pass() -> None:
    """An empty list of checks is a mistake, not a success."""
    with pytest.raises(CheckFailed, match="no question was asked"):
        checks("t", []).require()


def test_gate_opens_for_good_answers_in_the_sandbox() -> None:
    """In the sandbox the approver has a default."""
    opened = gate("go", checks("t", [GOOD]), params=Params(), journal=Journal(ManualClock()))
    assert "approver: sandbox" in str(opened)


def test_gate_stays_closed_when_nothing_was_measured() -> None:
    """A gate without an answer is closed, and the journal says so."""
    journal = Journal(ManualClock())
    with pytest.raises(GateClosed, match="no question was asked"):
        gate("go", checks("t", []), params=Params(), journal=journal)
    assert [entry.fields["opened"] for entry in journal.of("gate")] == [False]


def test_gate_on_a_real_account_needs_an_approver() -> None:
    """On AWS nobody is the default approver."""
    chosen = Params(target="aws", account="123456789012", region="us-east-1")
    with pytest.raises(GateClosed, match="no approver"):
        gate("go", checks("t", [GOOD]), params=chosen, journal=Journal(ManualClock()))


def test_waiting_ends_when_it_is_so() -> None:
    """The last reading is given back, and time moved only by sleeping."""
    clock = ManualClock()
    reading = wait_until(clock, clock.now, lambda at: len(clock.slept) == 3, what="x", limit=timedelta(minutes=5))
    assert reading == clock.now()
    assert clock.slept == [10, 10, 10]


def test_waiting_beyond_the_limit_is_an_error() -> None:
    """The limit is the caller's, and the error says how long it was."""
    with pytest.raises(OutOfTime, match="not so after 1 min"):
        wait_until(ManualClock(), lambda: 1, lambda one: False, what="x", limit=timedelta(minutes=1))


def test_waiting_for_what_can_no_longer_happen_is_an_error_before_the_limit() -> None:
    """When nothing is left to happen, metrics and alarms get their time, but nobody waits for the limit."""
    clock = ManualClock()
    clock.ends = clock.time
    with pytest.raises(OutOfTime, match="nothing is left that could make it happen"):
        wait_until(clock, lambda: 1, lambda one: False, what="x", limit=timedelta(hours=1))
    assert sum(clock.slept) == SETTLED.total_seconds()


def test_a_journal_keeps_no_contents_of_files() -> None:
    """A task definition that is committed holds values of environment variables: only its size and sum are noted."""
    entry = Journal(ManualClock()).write("intent", putFiles=[{"filePath": "taskdef.json", "fileContent": b"hunter2"}])
    assert entry.fields["putFiles"][0]["fileContent"] == "7 bytes, sha256 f52fbd32b2b3"


def test_journal_hides_secrets_and_environment_values() -> None:
    """Names stay, values go, before anything is kept."""
    entry = Journal(ManualClock()).write(
        "intent",
        arguments={"environment": [{"name": "DB", "value": "s3cret"}], "authToken": "t0ken", "desiredCount": 2},
    )
    assert entry.fields["arguments"] == {
        "environment": [{"name": "DB", "value": "***"}],
        "authToken": "***",
        "desiredCount": 2,
    }


def test_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """Every line is on disk at once; a last line that was cut off is left out."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(ManualClock(), path)
    journal.write("begin", notebook="10_provision")
    path.write_text(path.read_text() + '{"number": 2, "at"')
    assert [entry.kind for entry in journals.read(path)] == ["begin"]


def test_a_damaged_journal_is_refused_by_line(tmp_path: Path) -> None:
    """A broken line in the middle is no kill: it is named."""
    path = tmp_path / "journal.jsonl"
    path.write_text("nonsense\n{}\n")
    with pytest.raises(BadInput, match=r"journal.jsonl:1"):
        journals.read(path)


def test_errors_carry_their_exit_code_through_a_pickle() -> None:
    """The runner and test workers pass errors between processes."""
    import pickle

    error = RolledBack(where="d-1", seen="alarm", wanted="quiet", next_step="mend it")
    again = pickle.loads(pickle.dumps(error))
    assert (again.exit_code, str(again)) == (4, "d-1: seen: alarm; wanted: quiet; next: mend it")


def test_a_remedy_is_shown_only_where_it_is_needed() -> None:
    """A good answer does not talk about mending."""
    assert isinstance(GOOD, Check)
    assert ask("q", True, seen=1, wanted=1, remedy="mend").remedy == ""
