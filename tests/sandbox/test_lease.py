"""One writer: the lease of a release is taken, kept, given back and taken over by conditional writes alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lease_stage import DEAD, LIVES, Run, hold, run

from runbook_lib import lease
from runbook_lib.check import Verdict
from runbook_lib.errors import CheckFailed, OutOfTime, Refused
from runbook_lib.runs.world import served_world
from runbook_lib.sandbox import Sandbox
from runbook_lib.step import Plan, apply

PAST = (lease.LENGTH + lease.GRACE + timedelta(seconds=1)).total_seconds()


@pytest.fixture
def ada(fresh: Sandbox) -> Run:
    return run(fresh, "ada")


@pytest.fixture
def bob(fresh: Sandbox, ada: Run) -> Run:
    return run(fresh, "bob", place="host-2")


# ---- what S3 says to conditional writes


@pytest.mark.parametrize(
    ("there", "condition", "code", "status"),
    [
        (True, {"IfNoneMatch": "*"}, "PreconditionFailed", 412),
        (True, {"IfMatch": "0" * 32}, "PreconditionFailed", 412),
        (False, {"IfMatch": "0" * 32}, "NoSuchKey", 404),
    ],
)
def test_s3_refuses_a_write_whose_condition_does_not_hold(
    ada: Run, there: bool, condition: dict[str, str], code: str, status: int
) -> None:
    """S3 user guide, conditional-writes: the codes that the lease is built on."""
    s3, place = ada.account.client("s3"), {"Bucket": ada.system.artifacts_bucket, "Key": "k"}
    if there:
        s3.put_object(**place, Body=b"1")
    with pytest.raises(ClientError) as refused:
        s3.put_object(**place, Body=b"2", **condition)
    told = refused.value.response
    assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_writers_that_meet_try_again(ada: Run) -> None:
    """409 ConditionalRequestConflict is no refusal: the write is sent again, for two minutes at most."""
    met = Meeting(ada.account.client("s3"), times=2)
    account = replace(ada.account, clients={"s3": met, "ssm": ada.account.client("ssm")})
    plan = Plan("Take", ada.system.name, (ada.plan(),))
    apply(plan, account=account, journal=ada.keeper.journal)
    assert (met.seen, ada.found.held) == (3, True)


def test_writers_that_meet_for_ever_are_out_of_time(ada: Run) -> None:
    """With S3's code in the message."""
    met = Meeting(ada.account.client("s3"), times=1000)
    account = replace(ada.account, clients={"s3": met, "ssm": ada.account.client("ssm")})
    with pytest.raises(OutOfTime, match="ConditionalRequestConflict"):
        apply(Plan("Take", ada.system.name, (ada.plan(),)), account=account, journal=ada.keeper.journal)


class Meeting:
    """S3 where the first writes meet those of somebody else, which this process alone cannot show."""

    def __init__(self, s3: Any, *, times: int) -> None:
        self.s3, self.times, self.seen = s3, times, 0

    def put_object(self, **arguments: Any) -> Any:
        self.seen += 1
        if self.seen <= self.times:
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict", "Message": "met"}}, "PutObject")
        return self.s3.put_object(**arguments)


# ---- taking and giving back


def test_a_lease_says_who_holds_it_since_when_and_until_when(ada: Run) -> None:
    """Its times are S3's, not the caller's."""
    found = ada.take()
    assert (found.holder, found.held, found.until - found.since) == (ada.holder, True, lease.LENGTH)
    assert found.since == ada.account.clock.now()


def test_the_second_releaser_is_refused(ada: Run, bob: Run) -> None:
    """Before anything is changed, with who, where, since when, until when and what to do: exit code 6."""
    ada.take()
    with pytest.raises(Refused) as refused:
        bob.plan()
    assert refused.value.exit_code == 6
    assert "held by arn:aws:iam::123456789012:user/ada (host host-1, process 1, run run-of-ada)" in str(refused.value)
    assert "since 09:00 UTC, until 09:15 UTC" in str(refused.value)
    assert "a run that is dead loses it after 09:16 UTC" in str(refused.value)


def test_of_two_that_found_it_free_one_gets_it(ada: Run, bob: Run) -> None:
    """Both planned while it was free: the condition of the second write does not hold any more."""
    first, second = ada.plan(), bob.plan()
    ada.apply(first)
    with pytest.raises(Refused, match=r"held by .*user/ada"):
        bob.apply(second)
    assert ada.found.holder == ada.holder


def test_a_lease_that_was_given_back_is_free(ada: Run, bob: Run) -> None:
    """The next one takes it at once, by the condition that nobody else did."""
    ada.take()
    assert ada.keeper.give_back()
    assert bob.take().holder == bob.holder


def test_giving_back_what_was_not_taken_does_nothing(ada: Run) -> None:
    """A run that only looked has no lease."""
    assert not ada.keeper.give_back()
    assert lease.read_lease(ada.account, ada.system) is None


def test_the_journal_says_what_became_of_the_lease(ada: Run) -> None:
    """Taken and given back are steps; a renewal is told beside them."""
    ada.take()
    ada.account.clock.sleep(600)
    ada.keeper.renew_if_due()
    ada.keeper.give_back()
    told = [(entry.kind, entry.fields.get("id")) for entry in ada.keeper.journal.entries if entry.kind != "intent"]
    assert told == [("step", lease.TAKE), ("lease", None), ("step", lease.GIVE_BACK)]


def test_without_the_bucket_there_is_no_lease(ada: Run) -> None:
    """The world was not provisioned: the error says what to run."""
    ada.account.client("s3").delete_bucket(Bucket=ada.system.artifacts_bucket)
    with pytest.raises(CheckFailed, match="run 10_provision first"):
        ada.plan()


@pytest.mark.parametrize(("who", "verdict"), [("bob", Verdict.FAIL), ("me", Verdict.OK), ("nobody", Verdict.OK)])
def test_a_check_says_whether_somebody_else_releases(fresh: Sandbox, ada: Run, who: str, verdict: Verdict) -> None:
    """One's own lease is no obstacle; somebody else's is named."""
    me = replace(ada, holder=lease.here(ada.account))
    {"bob": run(fresh, "bob").take, "me": me.take, "nobody": lambda: None}[who]()
    answer = lease.check_free(ada.account, ada.system)
    assert answer.verdict is verdict
    assert ("user/bob" in answer.seen, answer.seen == "nobody") == (who == "bob", who == "nobody")


def test_where_the_bucket_is_gone_nobody_releases(ada: Run) -> None:
    """A tear-down that is run again must not stumble over it."""
    ada.account.client("s3").delete_bucket(Bucket=ada.system.artifacts_bucket)
    assert lease.check_free(ada.account, ada.system).verdict is Verdict.OK


# ---- keeping it


def test_waiting_keeps_the_lease(ada: Run, bob: Run) -> None:
    """However long a run waits, nobody else gets in between."""
    ada.take()
    clock = lease.KeepingClock(ada.account.clock, ada.keeper.renew_if_due)
    clock.sleep(3 * 3600)
    assert ada.found.number > 20
    with pytest.raises(Refused, match=r"since 09:00 UTC, until 12:\d\d UTC"):
        bob.plan()


def test_a_run_that_lost_its_lease_stops(ada: Run, bob: Run) -> None:
    """It slept too long, the other one took over: its next wait or step is refused."""
    ada.take()
    ada.account.clock.sleep(PAST)
    bob.take()
    with pytest.raises(Refused, match=r"held by .*user/bob"):
        ada.keeper.renew_if_due()


def test_a_lease_that_expired_and_nobody_took_is_renewed(ada: Run) -> None:
    """Somebody thought at a gate for an hour: the lease is still as it was written."""
    ada.take()
    ada.account.clock.sleep(3600)
    ada.keeper.renew_if_due()
    assert ada.found.until == ada.account.clock.now() + lease.LENGTH


def test_a_renewal_whose_answer_was_lost_is_no_loss(ada: Run) -> None:
    """The condition fails because we wrote it ourselves."""
    ada.take()
    before = ada.keeper.lease
    ada.account.clock.sleep(600)
    ada.keeper.renew_if_due()
    ada.keeper.lease = before
    ada.keeper.renew_if_due()
    assert ada.found.holder == ada.holder


# ---- expiry and take-over


def test_an_orphaned_lease_expires(ada: Run, bob: Run) -> None:
    """It is taken over, and the plan says from whom."""
    ada.take()
    ada.account.clock.sleep(PAST)
    step = bob.plan()
    assert step.reason == "it expired at 09:15 UTC and is taken over from arn:aws:iam::123456789012:user/ada"
    bob.apply(step)
    assert (bob.found.holder, bob.found.since) == (bob.holder, bob.account.clock.now())


def test_of_two_that_take_over_one_wins(fresh: Sandbox, ada: Run, bob: Run) -> None:
    """Both saw the same expired lease: the write of the second does not match any more."""
    eve = run(fresh, "eve", place="host-3")
    ada.take()
    ada.account.clock.sleep(PAST)
    steps = bob.plan(), eve.plan()
    eve.apply(steps[1])
    with pytest.raises(Refused, match=r"held by .*user/eve"):
        bob.apply(steps[0])
    assert eve.found.holder == eve.holder


def test_a_take_over_loses_against_a_renewal(ada: Run, bob: Run) -> None:
    """The holder woke up between the other's reading and writing."""
    ada.take()
    ada.account.clock.sleep(PAST)
    step = bob.plan()
    ada.keeper.renew_if_due()
    with pytest.raises(Refused, match=r"held by .*user/ada"):
        bob.apply(step)


def test_a_lease_taken_and_given_back_meanwhile_is_planned_anew(ada: Run, bob: Run) -> None:
    """Nobody holds it, but it is not what was planned on."""
    step = bob.plan()
    ada.take()
    ada.keeper.give_back()
    with pytest.raises(Refused, match="make the plan anew"):
        bob.apply(step)


def test_giving_back_leaves_a_lease_of_somebody_else_alone(ada: Run, bob: Run) -> None:
    """It was taken over after it had expired."""
    ada.take()
    ada.account.clock.sleep(PAST)
    bob.take()
    ada.keeper.give_back()
    assert (bob.found.holder, bob.found.held) == (bob.holder, True)


# ---- the same person again


def test_a_killed_run_leaves_its_lease_to_the_same_person(fresh: Sandbox) -> None:
    """In the same place, the process being dead: it is taken up again, since when it was taken first."""
    run(fresh, "ada", process=DEAD).take()
    fresh.clock.sleep(120)
    again = run(fresh, "ada", process=LIVES)
    step = again.plan()
    assert step.reason == "ours since 09:00 UTC: it is taken up again"
    again.apply(step)
    assert (again.found.holder, again.found.since.minute) == (again.holder, 0)


@pytest.mark.parametrize(
    ("who", "process", "place"),
    [("ada", LIVES, "host-1"), ("ada", DEAD, "host-2"), ("bob", DEAD, "host-1")],
    ids=["its process lives", "another place", "another person"],
)
def test_nobody_else_takes_a_lease_up(fresh: Sandbox, who: str, process: int, place: str) -> None:
    """Whether a process lives can be said in its own place only."""
    run(fresh, who, process=process, place=place).take()
    with pytest.raises(Refused, match=f"held by .*user/{who}"):
        run(fresh, "ada", process=LIVES + 1).plan()


def test_a_crash_between_the_writing_and_its_note_is_taken_up(ada: Run) -> None:
    """Killed after S3 had the lease and before the journal had the step: the plan finds its own."""
    step = ada.plan()
    ada.account.client("s3").put_object(**step.arguments)
    assert ada.plan().reason == "ours since 09:00 UTC: it is taken up again"
    ada.apply(step)  # the very same write again: its condition fails, and it is ours
    assert ada.found.number == 1


# ---- two runs at one served world


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A world that two processes use."""
    with served_world([], log=tmp_path / "log") as told:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        yield


def test_two_runs_at_one_served_world(served: None, workplace: Path) -> None:
    """While the first lives the second is refused; when it is killed, the same person goes on where it was."""
    command = [sys.executable, hold.__code__.co_filename, "plain.yaml"]
    (workplace / "plain.yaml").write_text("{}\n", encoding="utf-8")
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == "taken\n"
        second = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        assert "Refused: lease of orders-bg: seen: held by arn:aws:iam::123456789012:user/operator" in second.stderr
        assert f"process {first.pid}" in second.stderr
    finally:
        first.kill()
        first.communicate()
    third = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert third.stdout == "taken\n"


def test_the_lease_is_an_object_that_people_can_read(ada: Run) -> None:
    """JSON in the bucket of the artifacts, which the inventory holds and 90_tear_down empties."""
    ada.take()
    found = ada.account.client("s3").get_object(Bucket=ada.system.artifacts_bucket, Key="runbook/lease/orders-bg")
    told = json.loads(found["Body"].read())
    assert (told["held"], told["number"], told["holder"]["run"]) == (True, 1, "run-of-ada")
