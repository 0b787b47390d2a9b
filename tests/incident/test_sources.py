"""What the sources tell: whose call it was and on what, which lines are one, and what is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stories
from pydantic import TypeAdapter

from runbook_lib.accesslog.window import Window
from runbook_lib.deployment import LifecycleEvent
from runbook_lib.incident.intervals import Intervals, Mark
from runbook_lib.incident.sources import deployments, journals, pipeline, tasks, trail, watching
from runbook_lib.incident.told import Entry, Told, timeline
from runbook_lib.incident.window import moment_format
from runbook_lib.journal import Entry as Line
from runbook_lib.runbook import opened
from runbook_lib.system import System

T = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
WINDOW = Window(T, T + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("start", "hours", "form"),
    [(0, 24, "%H:%M:%S"), (14, 1, "%H:%M:%S"), (23, 2, "%Y-%m-%d %H:%M:%S"), (14, 24, "%Y-%m-%d %H:%M:%S")],
)
def test_moments_have_their_date_where_the_window_crosses_midnight(start: int, hours: int, form: str) -> None:
    """A whole day of UTC is one day: midnight at its end belongs to it."""
    since = datetime(2026, 3, 2, start, tzinfo=UTC)
    assert moment_format(Window(since, since + timedelta(hours=hours))) == form


def test_a_moment_beside_the_window_has_its_date_where_that_is_another() -> None:
    """What ECS forgot of yesterday's window it forgot today."""
    assert moment_format(WINDOW, T + timedelta(hours=1)) == "%H:%M:%S"
    assert moment_format(WINDOW, T + timedelta(days=1)) == "%Y-%m-%d %H:%M:%S"
    assert moment_format(WINDOW, T - timedelta(days=1)) == "%Y-%m-%d %H:%M:%S"


def test_timeline_and_intervals_show_the_date_over_midnight() -> None:
    """14:00 of which day is not a question for the reader."""
    form = "%Y-%m-%d %H:%M:%S"
    found = timeline([Told("A", (Entry(T, "change", "x", "A", "call X"),))])
    assert found.table(linked=False, form=form).rows[0][0] == "2026-03-02 14:00:00"
    assert found.table(linked=False).rows[0][0] == "14:00:00"
    spans = Intervals(T, Mark(None, "-"), Mark(None, "-"), Mark(T, "-"), ongoing=False)
    assert spans.table(form).rows[0][1] == "2026-03-02 14:00:00"


def call(
    seconds: float, source: str, *, who: str = "", on: tuple[str, ...] = (), name: str = "ModifyListener"
) -> Entry:
    return Entry(T + timedelta(seconds=seconds), "change", f"{who}: {name}", source, f"call {name}", who=who, on=on)


def told(*entries: Entry) -> list[tuple[float, str, str]]:
    """What becomes of entries of CloudTrail and journals: seconds, who told it, whose it was."""
    sources = {entry.source for entry in entries}
    each = [Told(name, tuple(entry for entry in entries if entry.source == name)) for name in sorted(sources)]
    return [((e.at - T).total_seconds(), e.sources, e.who) for e in timeline(each).entries]


def test_another_persons_same_call_does_not_disappear() -> None:
    """Neither on another resource, nor on the same one within the minute; one of CloudTrail's is never another's."""
    mine, annas = call(5, "journal", who="operator"), call(4, "CloudTrail", who="anna")
    assert told(mine, annas) == [(4, "CloudTrail", "anna"), (5, "journal", "operator")]
    elsewhere = call(4, "CloudTrail", on=("listener/b",))
    assert len(told(call(5, "journal", on=("listener/a",)), elsewhere)) == 2
    assert len(told(annas, call(9, "CloudTrail", who="anna"))) == 2


def test_a_call_that_journal_and_cloudtrail_know_is_told_once() -> None:
    """With whatever one of them knows; of two that it may be, the nearest is it."""
    seen = call(4, "CloudTrail", who="operator", on=("orders", "main"))
    assert told(call(5, "journal", on=("orders",)), seen) == [(4, "CloudTrail, journal", "operator")]
    early = call(-40, "CloudTrail", who="operator")
    mine = call(5, "journal", who="operator")
    assert told(mine, early, seen) == [(-40, "CloudTrail", "operator"), (4, "CloudTrail, journal", "operator")]


def test_of_two_listeners_a_call_is_that_on_its_own() -> None:
    """Both calls forward, and a person changes both within a second: the link is that of the right one."""
    first = call(4, "CloudTrail", who="operator", on=("listener/a", "forward"))
    other = call(5, "CloudTrail", who="operator", on=("listener/b", "forward"))
    mine = call(6, "journal", who="operator", on=("listener/a", "forward"))
    assert [one[:2] for one in told(first, other, mine)] == [(4, "CloudTrail, journal"), (5, "CloudTrail")]


def lines(*steps: tuple[str, str], who: str = "arn:aws:iam::123456789012:user/operator") -> list[Line]:
    """The journal of a run that made some calls, a minute apart."""
    made = [("begin", {"who": who})]
    for done, touches in steps:
        made.append(("intent", {"call": done, "touches": touches, "arguments": {"listenerArn": "arn:x:listener/a"}}))
        made.append(("step", {"call": done, "touches": touches, "done": True}))
    return [Line(n, (T + timedelta(minutes=n)).isoformat(), kind, fields) for n, (kind, fields) in enumerate(made, 1)]


def test_a_journals_calls_say_by_whom_and_on_what() -> None:
    """By its first line, and by what the call was given; another journal's lines are another's."""
    role = "arn:aws:sts::123456789012:assumed-role/Deploy/anna@example.com"
    both = [*lines(("elbv2:ModifyListener", ":443")), *lines(("elbv2:ModifyRule", "orders"), who=role)]
    first, second = journals.told(both, WINDOW, trail=()).entries
    assert (first.call, first.who, first.on) == ("ModifyListener", "operator", (":443", "443", "arn:x:listener/a", "a"))
    assert (second.call, second.who) == ("ModifyRule", "anna@example.com")


def test_the_runbooks_own_books_are_not_in_the_timeline() -> None:
    """Leases and the like: objects in S3, which changed nothing of the service."""
    read = lines(("s3:PutObject", "runbook/lease/orders-bg"), ("codecommit:CreateCommit", "orders@main"))
    assert [entry.call for entry in journals.told(read, WINDOW, trail=()).entries] == ["CreateCommit"]


def test_somebody_elses_call_says_nothing_of_the_clock() -> None:
    """Two calls of anna's, forty seconds off, are no skew of operator's machine."""
    trail = [call(60 * n + 40, "CloudTrail", who="anna", name="CreateCommit") for n in (3, 5)]
    mine = lines(("codecommit:CreateCommit", "orders@main"), ("codecommit:CreateCommit", "orders@main"))
    assert journals.told(mine, WINDOW, trail=trail).missing == ""
    same = [replace(entry, who="operator") for entry in trail]
    assert "40 s behind" in journals.told(mine, WINDOW, trail=same).missing


def test_looks_that_were_kept_before_still_say_which_call_it_was() -> None:
    """They hold no names of resources, and the fact as it always was."""
    kept = TypeAdapter(Entry).validate_python(
        {"at": T, "kind": "change", "what": "x", "source": "CloudTrail", "fact": "call StopDeployment"}
    )
    assert (kept.call, kept.on) == ("StopDeployment", ())
    assert Entry(T, "task", "x", "ECS", "task 1 stops").call == ""


@pytest.mark.parametrize(
    ("identity", "address", "who"),
    [
        ({"type": "IAMUser"}, "203.0.113.7", "operator"),
        ({"type": "AssumedRole", "invokedBy": "codedeploy.amazonaws.com"}, "203.0.113.7", "codedeploy.amazonaws.com"),
        ({"type": "AssumedRole"}, "ecs.amazonaws.com", "ecs.amazonaws.com"),
        ({"type": "AssumedRole", "invokedBy": "AWS Internal"}, "AWS Internal", "operator"),
    ],
)
def test_a_service_that_calls_for_itself_is_known_as_one(identity: dict[str, str], address: str, who: str) -> None:
    """CodeDeploy moves the listener in our role's session: no decision of anybody's."""
    record = {"userIdentity": identity, "sourceIPAddress": address}
    assert trail.who_called({"Username": "operator"}, record) == who


def logged(*counts: int, every: int = 1) -> list[str]:
    """What is told of lines alike that come so often in minutes that follow each other."""
    lines = [
        watching.Line(T + timedelta(minutes=n * every, seconds=s * 60 / max(count, 1)), f"ERROR order {n}{s} failed")
        for n, count in enumerate(counts)
        for s in range(count)
    ]
    (alike,) = watching.in_kinds(lines).values()
    return [f"{one.first.at:%H:%M:%S} {one.told('%H:%M:%S')}" for one in watching.stretches(alike)]


def test_lines_alike_are_told_once_a_stretch() -> None:
    """One in the morning does not hide those of the incident: five minutes without one end a stretch."""
    assert logged(1, 0, 0, 0, 0, 0, 0, 2, 1) == [
        "14:00:00 ERROR order 00 failed",
        "14:07:00 ERROR order 70 failed (3 times until 14:08:00)",
    ]
    assert len(logged(1, 1, 1, every=5)) == 1


def test_lines_of_two_versions_are_two_kinds() -> None:
    """Which version wrote it matters; addresses, ids, durations and times do not."""
    told = '2026-03-02T14:00:0{} {{"version": "2.{}.0", "message": "10.20.0.{} took 1.{} s, order 4f2a91bc{}"}}'
    lines = [watching.Line(T, told.format(n, version, n, n, n)) for version in (0, 1) for n in range(3)]
    assert [len(alike) for alike in watching.in_kinds(lines).values()] == [3, 3]


def test_a_surge_of_lines_that_were_always_there_is_told_when_it_comes() -> None:
    """Two a minute are usual, thirty are not; it is one surge, however long it lasts."""
    assert logged(2, 2, 2, 30, 40, 30, 2) == [
        "14:00:00 ERROR order 00 failed (6 times until 14:02:30)",
        "14:03:00 ERROR order 30 failed (102 times until 14:06:30, 2.0 a minute before)",
    ]


def test_few_lines_are_no_surge() -> None:
    """Nine in a minute after one are chance, or a retry; what was many before is no surge either."""
    assert len(logged(1, 9)) == len(logged(30, 60, 120)) == 1
    assert len(logged(1, 10)) == 2


BY_ECS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders-b/27b4b7d5c3dadbc2"


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("(service orders) has reached a steady state.", "service orders has reached a steady state."),
        (
            "(service orders-bg, taskSet ecs-svc/98) updated state to STEADY_STATE.",
            "service orders-bg, taskSet ecs-svc/98 updated state to STEADY_STATE.",
        ),
        (
            f"(service orders-bg, taskSet ecs-svc/98) registered 2 targets in (target-group {BY_ECS})",
            f"service orders-bg, taskSet ecs-svc/98 registered 2 targets in target-group {BY_ECS}",
        ),
        (
            "(service orders, taskSet ecs-svc/98) has started 2 tasks: (task 0a1b) (task 0c2d).",
            "service orders, taskSet ecs-svc/98 has started 2 tasks: task 0a1b, task 0c2d.",
        ),
        (
            f"(service orders) (port 8080) is unhealthy in (target-group {BY_ECS}) due to (reason Request timed out).",
            f"service orders port 8080 is unhealthy in target-group {BY_ECS} due to reason Request timed out.",
        ),
        (
            "(service orders) failed to launch a task with (error no (such) role).",
            "service orders failed to launch a task with (error no (such) role).",
        ),
        (
            "(service orders) rolling back to (deployment ecs-svc/1).",
            "service orders rolling back to deployment ecs-svc/1.",
        ),
        ("what nobody expects (yet)", "what nobody expects (yet)"),
    ],
)
def test_sentences_of_ecs_have_no_bracket_left_alone(message: str, plain: str) -> None:
    """Those of the samples and of the sandbox; one with brackets of its own keeps them."""
    assert tasks.plain(message) == plain


def shift(status: str, end: datetime | None) -> str:
    """How it is told that a shift ended so."""
    return deployments.how_ended(LifecycleEvent("AllowTraffic", status, T, end, None))


def test_a_shift_that_was_cut_short_had_begun() -> None:
    """CodeDeploy calls it skipped, which reads as if no traffic had moved."""
    assert shift("Skipped", T + timedelta(minutes=4)) == ", cut short at 14:04:00"
    assert (shift("Skipped", None), shift("Failed", T)) == (", cut short", " Failed")
    assert (shift("Succeeded", T), shift("InProgress", None)) == ("", "")


@dataclass
class Answers:
    """A client of CodePipeline or CodeBuild that knows some runs, and counts what it is asked."""

    runs: list[dict[str, Any]]
    asked: list[str] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: type("E", (), {"PipelineNotFoundException": KeyError}))

    def get_paginator(self, operation: str) -> Answers:
        self.asked.append(operation)
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        if self.asked[-1] == "list_pipeline_executions":
            return [{"pipelineExecutionSummaries": self.runs}]
        id = given["filter"]["pipelineExecutionId"]
        result = {"executionResult": {"externalExecutionId": f"orders-build:{id}"}}
        build = {"input": {"actionTypeId": {"provider": "CodeBuild"}}, "output": result, "status": "Succeeded"}
        return [{"actionExecutionDetails": [build]}]

    def batch_get_builds(self, ids: list[str]) -> dict[str, Any]:
        return {"builds": [{"id": id, "startTime": T, "buildStatus": "SUCCEEDED"} for id in ids]}


def run(name: str, since: timedelta, until: timedelta, status: str = "Succeeded") -> dict[str, Any]:
    return {"pipelineExecutionId": name, "startTime": T - since, "lastUpdateTime": T - until, "status": status}


@pytest.fixture
def system() -> Iterator[System]:
    """The names of the sandbox's own system."""
    yield opened("sandbox")[1]
    stories.close()


def test_a_run_that_waits_from_before_the_window_is_told(system: System) -> None:
    """Behind one that began and ended before it; no run is asked twice, though two sources tell of it."""
    day, soon = timedelta(days=1), -timedelta(minutes=5)
    client = Answers(
        [
            run("young", timedelta(hours=1), timedelta(minutes=30)),  # over when the window begins
            run("waited", 3 * day, soon),
            run("waits", 4 * day, 3 * day, "InProgress"),
            run("old", 13 * day, soon),  # beyond the stated bound: not read
        ]
    )
    account = type("Asked", (), {"client": lambda self, name: client})()
    runs, builds = pipeline.tell(account, system, WINDOW)
    assert [entry.what for entry in runs.entries] == ["run waited Succeeded"]
    assert [entry.what for entry in builds.entries] == ["build waited begins", "build waits begins"]
    assert client.asked == ["list_pipeline_executions", "list_action_executions", "list_action_executions"]
