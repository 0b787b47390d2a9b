"""What speaks for which cause, on facts that are made up so that the answer is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from made_up import DEPLOYMENT, PAIR, WINDOW, T, facts, minute, quiet

from runbook_lib.accesslog.window import Window
from runbook_lib.deployment import Deployment
from runbook_lib.incident import harm
from runbook_lib.incident.causes import Cause, causes
from runbook_lib.incident.causes.alike import DEPENDENCY, UNKNOWN
from runbook_lib.incident.damage import damage
from runbook_lib.incident.harm import Usual
from runbook_lib.incident.intervals import Mark, intervals, settings_cost
from runbook_lib.incident.roles import tenures
from runbook_lib.incident.told import Entry, Told, timeline
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Alarms, Objective

STEPS = ((timedelta(0), 10.0), (timedelta(minutes=5), 100.0))


def at(number: float) -> timedelta:
    return timedelta(minutes=number)


def entry(number: float, kind: str, what: str, fact: str = "", who: str = "") -> Entry:
    return Entry(T + at(number), kind, what, "x", fact or what, who=who)


def found(minutes: list[Minute], *deployments: Deployment, told: tuple[Entry, ...] = ()) -> list[tuple[str, str]]:
    return [(cause.what, cause.weight) for cause in causes(facts(minutes, *deployments, told=told))]


def bad(*numbers: int, failed: float = 300, p99: float = 0.09) -> list[Minute]:
    return [minute(n, "a", 3000, failed, p99=p99) for n in numbers]


def test_one_version_alone_does_not_tell_a_dependency_from_a_fault_of_its_own() -> None:
    """It may be configuration or data as well: weak, and its name says so."""
    told = (entry(8, "change", "anna: PutParameter /orders/limit", "call PutParameter"),)
    (first, *others) = found([*quiet(but=range(10, 13)), *bad(10, 11, 12)], told=told)
    assert first == (UNKNOWN, "weak")
    assert others == [("a change: anna: PutParameter /orders/limit", "weak")]


def test_what_breaks_at_once_and_mends_while_nothing_changes_is_outside() -> None:
    """Strong; while it lasts nobody can say that."""
    assert found([*quiet(but=range(10, 13)), *bad(10, 11, 12)]) == [(DEPENDENCY, "strong")]
    assert found([*quiet(but=range(27, 30)), *bad(27, 28, 29)]) == [(UNKNOWN, "weak")]


def test_what_the_log_says_of_somebody_else_is_evidence() -> None:
    """A line during the harm, not one before it."""
    line = "ERROR GET /pay 503: upstream timed out (40 times)"
    lasting = [*quiet(but=range(27, 30)), *bad(27, 28, 29)]
    (cause,) = causes(facts(lasting, told=(entry(27.2, "log", line),)))
    assert (cause.what, cause.weight) == (DEPENDENCY, "strong")
    assert f"the log says: {line}" in cause.evidence
    assert found(lasting, told=(entry(3, "log", line),)) == [(UNKNOWN, "weak")]


def test_blue_and_live_of_one_revision_are_one_version() -> None:
    """A release that begins in mid-harm with no traffic on green compares nothing."""
    began = replace(DEPLOYMENT, status="InProgress", completed=None, shares=(), events=())
    assert found([*quiet(but=range(8, 14)), *bad(*range(8, 14))], began) == [(DEPENDENCY, "strong")]
    assert not causes(facts([*quiet(but=range(8, 14)), *bad(*range(8, 14))], began))[0].clears


def test_versions_are_compared_by_what_hurt() -> None:
    """Both slow: a dependency, although their few failures are alike anyway; one slow alone is that one's."""
    blue = [*quiet(but=range(12, 15)), *bad(12, 13, 14, failed=3, p99=0.9)]
    slow = [minute(n, "b", 3000, 3, p99=0.9) for n in (12, 13, 14)]
    first = causes(facts([*blue, *slow], DEPLOYMENT))[0]
    assert (first.what, first.weight, first.clears) == (DEPENDENCY, "strong", True)
    alike = "alike, in the minutes in which both had traffic"
    assert f"the p99 of orders:3 reached 900 ms and that of orders:4 900 ms: {alike}" in first.evidence
    alone = causes(facts([*quiet(), *slow], DEPLOYMENT))[0]
    assert (alone.version, alone.clears) == ("orders:4", False)


def stops(*what: str) -> Cause:
    lost = [Minute(T + at(n), "a", 3000, 700, 0, 0.04, 0.09, 0.09, 1, 0) for n in (8, 9)]
    told = tuple(entry(8, "task", each) for each in what)
    return next(c for c in causes(facts([*quiet(but=range(8, 10)), *lost], told=told)) if "tasks that stop" in c.what)


@pytest.mark.parametrize(
    ("reason", "blamed"),
    [
        ("Essential container in task exited, orders exit code 1", "orders:3"),
        ("OutOfMemoryError: Container killed due to memory usage, orders exit code 137", "orders:3"),
        ("Task failed container health checks", "orders:3"),
        ("Your Spot Task was interrupted.", None),
        ("ECS is performing maintenance on the underlying infrastructure hosting the task.", None),
        ("CannotPullContainerError: pull image manifest has been retried 5 time(s)", None),
    ],
)
def test_only_an_application_that_ends_itself_is_to_blame(reason: str, blamed: str | None) -> None:
    """Its version, which must not come again; a host that retires is nobody's commit."""
    assert stops(f"task 1 of orders:3 stopped: {reason}").version == blamed


def test_stops_of_two_versions_blame_neither() -> None:
    """They have something else in common."""
    exits = "stopped: Essential container in task exited, orders exit code 1"
    assert stops(f"task 1 of orders:3 {exits}", f"task 2 of orders:4 {exits}").version is None


def test_a_release_that_ended_well_shortly_before_is_a_candidate() -> None:
    """Nobody is left to compare its version with: weak."""
    well = replace(DEPLOYMENT, status="Succeeded", completed=T + at(14))
    minutes = [*quiet(but=range(14, 30)), *(minute(n, "b", 3000, 3) for n in range(14, 20))]
    minutes += [minute(n, "b", 3000, 60 * (n - 19)) for n in range(20, 30)]
    told = {cause.what: cause for cause in causes(facts(minutes, well))}
    release = told["the release d-1 (orders:4)"]
    assert (release.weight, release.version) == ("weak", "orders:4")
    assert release.evidence[0].startswith("harm began 6 min after it had ended, and no other version had traffic")
    assert told[UNKNOWN].weight == "weak"


def test_usual_is_what_was_before_the_window() -> None:
    """A leak begins where its p99 passes the objective, although it was high in half of the window."""
    rising = [minute(n, "a", 3000, 3, p99=0.21 + 0.02 * n) for n in range(30)]
    measured = Metrics(T, WINDOW.end, tuple(rising))
    late, early = harm.find(measured, Objective()), harm.find(measured, Objective(), Usual(0.001, 0.1, 3000))
    assert late is not None
    assert early is not None
    assert late.start > early.start == T + at(5)
    # Before the window it was worse: then the window itself says what is usual.
    assert harm.find(measured, Objective(), Usual(0.5, 9.0, 3000)) == late


def test_every_stretch_of_harm_is_told_and_paid_for() -> None:
    """The worst one is the incident; the others stand beside it, and take from the same budget."""
    minutes = [*quiet(but=range(3, 26)), *bad(3, 4), *(minute(n, "a", 3000, 3) for n in range(5, 20)), *bad(25)]
    minutes += bad(20, 21, 22, 23, 24, failed=900)
    measured = Metrics(T, WINDOW.end, tuple(sorted(minutes, key=lambda m: m.at)))
    told = harm.find(measured, Objective())
    assert told is not None
    assert (told.start, told.end) == (T + at(20), T + at(26))
    assert told.others == (Window(T + at(3), T + at(5)),)
    who = tenures([], {}, pair=PAIR, live="a", former=None, window=WINDOW)
    found = damage(measured, who, told, Objective(), requests_in_days=1_000_000)
    budget = found.budget
    assert [(part.phase, part.failed) for part in found.parts] == [
        ("before", 54),
        ("during", 4800),
        ("after", 12),
        ("other harm", 600),
    ]
    assert (budget.failed, budget.elsewhere, budget.allowed) == (4800, 600, pytest.approx(1000))
    assert budget.all_burnt == pytest.approx(5.4)


@pytest.mark.parametrize(
    ("numbers", "before", "silent"),
    [
        (range(10), Usual(0.0, None, 900), (10, 30)),
        ([*range(10), *range(17, 30)], Usual(0.0, None, 0), (10, 17)),
        (range(20, 30), None, None),  # it had not begun
        (range(20, 30), Usual(0.0, None, 900), (0, 20)),
        ([], Usual(0.0, None, 900), (0, 30)),
        ([], None, None),
        (range(30), None, None),
    ],
)
def test_no_request_at_all_is_told_where_there_had_been_some(
    numbers: list[int], before: Usual | None, silent: tuple[int, int] | None
) -> None:
    """Nothing measures why."""
    measured = Metrics(T, WINDOW.end, tuple(minute(n, "a", 900, 0) for n in numbers))
    assert harm.silence(measured, before) == (Window(T + at(silent[0]), T + at(silent[1])) if silent else None)


def test_a_few_minutes_without_a_request_are_chance_where_requests_are_few() -> None:
    """Three in five minutes: nine quiet minutes happen."""
    few = Metrics(T, WINDOW.end, tuple(minute(n, "a", 3, 0) for n in (0, 5, 10, 20, 25)))
    assert harm.silence(few, None) is None


def hurt(start: float, end: float) -> harm.Harm:
    return harm.Harm(T + at(start), T + at(end), (), Usual(0.0, None))


def test_what_the_alarm_wants_is_told_by_the_alarm() -> None:
    """As it was when it fired; the parameters may be others by now."""
    reason = (
        "errors: OK -> ALARM: Threshold Crossed: 3 out of the last 5 datapoints [9.0 (02/03/26 14:12:00)] were greater "
        "than the threshold (5.0) (minimum 3 datapoints for OK -> ALARM transition)."
    )
    of = hurt(10, 20)
    whole = intervals(of, timeline([Told("x", (entry(14, "alarm", reason),))]), (), until=WINDOW.end)
    first, second = settings_cost(whole, Alarms(), (), of, {})
    assert (first.took, first.setting) == (at(3), "3 of 5 periods, as the alarm itself says")
    assert second.took == at(1)


def test_what_a_runbook_noticed_is_not_booked_on_the_alarm() -> None:
    """The judge was first."""
    of = hurt(10, 20)
    told = timeline([Told("x", (entry(12, "run", "Deployment d-1: FAIL"), entry(14, "alarm", "errors: OK -> ALARM")))])
    whole = intervals(of, told, (), until=WINDOW.end)
    assert [(share.what, share.took) for share in settings_cost(whole, Alarms(), (), of, {})] == [
        ("until the check of a runbook failed", at(2))
    ]


def test_a_service_that_does_its_work_decides_nothing() -> None:
    """CodeDeploy moves its listener at every step; a person who does decides."""
    call = "call ModifyListener"
    own = entry(11, "change", "codedeploy.amazonaws.com: ModifyListener", call, who="codedeploy.amazonaws.com")
    anna = entry(13, "change", "anna: ModifyListener", call, who="anna")
    of = hurt(10, 20)
    assert intervals(of, timeline([Told("x", (own,))]), (), until=WINDOW.end).decided.at is None
    decided = intervals(of, timeline([Told("x", (own, anna))]), (), until=WINDOW.end).decided
    assert decided == Mark(T + at(13), "anna: ModifyListener")


def test_what_the_shift_and_the_wait_did_meanwhile_is_told() -> None:
    """A canary held most of it back, then all traffic was on green, then nobody was left to go back to."""
    release = replace(
        DEPLOYMENT, config="Canary", status="Succeeded", completed=T + at(22), termination_wait=at(5), created=T + at(9)
    )
    of = hurt(12, 28)
    whole = intervals(of, timeline([]), (), until=WINDOW.end)
    told = [(s.took, s.setting) for s in settings_cost(whole, Alarms(), (release,), of, {"d-1": STEPS})]
    assert told == [
        (at(4), "Canary: 10 %"),
        (at(6), "termination wait 5 min: back in seconds"),
        (at(6), "termination wait 5 min: back by a new deployment"),
    ]
    back = replace(release, status="Stopped", completed=T + at(14))
    told = [(s.took, s.setting) for s in settings_cost(whole, Alarms(), (back,), of, {"d-1": STEPS})]
    assert told == [(at(2), "Canary: 10 %")]
