"""The arithmetic of a look back, on facts that are made up so that the answer is known."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import DEPLOYMENT, PAIR, WINDOW, T, facts, minute, quiet

from runbook_lib.accesslog import Hurt
from runbook_lib.accesslog.window import Window
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.incident import concentration, harm, roles
from runbook_lib.incident.causes import causes, causes_table
from runbook_lib.incident.changed import differences
from runbook_lib.incident.intervals import Intervals, Mark, settings_cost
from runbook_lib.incident.redact import Redactor
from runbook_lib.incident.requests import Heat, Requests
from runbook_lib.incident.roles import role_of, tenures
from runbook_lib.incident.sources import journals
from runbook_lib.incident.told import Entry, Told, timeline
from runbook_lib.incident.window import window
from runbook_lib.journal import Entry as Line
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Alarms, Objective


@pytest.mark.parametrize(("count", "mean"), [(1, 0.5), (5, 1.0), (40, 12.0), (120, 90.0), (3, 0.001), (900, 600.0)])
def test_the_tail_of_poisson_is_exact(count: int, mean: float) -> None:
    """Against the sum of all terms below it, in whole fractions of e."""
    below = math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count))
    assert harm.tail(count, mean) == pytest.approx(1 - below, rel=1e-6, abs=1e-12)


@given(st.integers(1, 500), st.floats(0.01, 400))
def test_more_failures_are_never_more_likely(count: int, mean: float) -> None:
    """And a chance is a chance."""
    assert 0 <= harm.tail(count + 1, mean) <= harm.tail(count, mean) <= 1


def test_chance_alone_is_no_harm() -> None:
    """Three failures of 3,000 a minute, at most nine in some: what the objective allows."""
    minutes = [minute(n, "a", 3000, 3 + (n % 7)) for n in range(30)]
    assert harm.find(Metrics(T, WINDOW.end, tuple(minutes)), Objective()) is None


def test_good_minutes_between_bad_ones_do_not_end_an_incident() -> None:
    """Two good ones do not, a quarter of an hour does; the worst stretch is the incident."""
    bad = {5: 200, 8: 300, 25: 100}
    minutes = [minute(n, "a", 3000, bad.get(n, 3)) for n in range(30)]
    found = harm.find(Metrics(T, WINDOW.end, tuple(minutes)), Objective())
    assert found is not None
    assert (found.start, found.end) == (T + timedelta(minutes=5), T + timedelta(minutes=9))


def test_slow_is_harm_only_where_it_is_not_usual() -> None:
    """A service that always takes 400 ms breaks its objective, but nothing happened."""
    usual = [minute(n, "a", 3000, 3, p99=0.4) for n in range(30)]
    assert harm.find(Metrics(T, WINDOW.end, tuple(usual)), Objective()) is None
    worse = [minute(n, "a", 3000, 3, p99=0.9 if n in (7, 8) else 0.4) for n in range(30)]
    found = harm.find(Metrics(T, WINDOW.end, tuple(worse)), Objective())
    assert found is not None
    assert (found.by, len(found.minutes)) == ("latency", 2)


def test_groups_have_the_roles_of_their_time() -> None:
    """Live before, blue and green while both stand, live again after the rollback."""
    who = tenures([DEPLOYMENT], {"d-1": "orders:4"}, pair=PAIR, live="a", former="orders:3", window=WINDOW)
    seen = [
        [(t.role, t.revision) for t in [role_of(who, g, T + timedelta(minutes=m))] if t]
        for m in (1, 12, 20)
        for g in PAIR
    ]
    assert seen == [
        [("live", "orders:3")],
        [],
        [("blue", "orders:3")],
        [("green", "orders:4")],
        [("live", "orders:3")],
        [],
    ]


def test_after_a_good_release_the_new_group_is_live() -> None:
    """With its revision; a rollback keeps both colours until it has ended."""
    from dataclasses import replace

    good = replace(DEPLOYMENT, status="Succeeded")
    who = tenures([good], {"d-1": "orders:4"}, pair=PAIR, live="b", former="orders:3", window=WINDOW)
    after = role_of(who, "b", T + timedelta(minutes=20))
    assert after is not None
    assert (after.role, after.revision) == ("live", "orders:4")
    back = replace(
        DEPLOYMENT, id="d-2", rolls_back="d-1", created=DEPLOYMENT.completed, completed=T + timedelta(minutes=18)
    )
    who = tenures([DEPLOYMENT, back], {}, pair=PAIR, live="a", former=None, window=WINDOW)
    assert [t.role for t in [role_of(who, "b", T + timedelta(minutes=17))] if t] == [roles.GREEN]


def path(value: str, requests: int, failed: int, slow: int = 0) -> Hurt:
    return Hurt(value, requests, 0, failed, slow)


WHOLE = path("all", 10_000, 1_000, 500)


@pytest.mark.parametrize(
    ("paths", "by_errors", "said"),
    [
        (
            [path("/pay", 1_200, 1_000)],
            True,
            "all of the failed requests lie on /pay, which gets 12.0 % of the requests",
        ),
        (
            [path("/pay", 1_200, 600), path("/cart", 900, 380)],
            True,
            "98.0 % of the failed requests lie on /pay and /cart",
        ),
        ([path("/pay", 1_200, 0, 470)], False, "94.0 % of the slow answers lie on /pay, which gets 12.0 %"),
        ([path("/", 6_000, 950)], True, "None"),  # most requests ask for it
        ([path(f"/{n}", 1_000, 200) for n in range(5)], True, "None"),  # it lies everywhere
        ([path("/pay", 1_200, 890)], True, "None"),  # not nearly all
    ],
)
def test_harm_on_few_paths_is_told_where_the_numbers_bear_it(paths: list[Hurt], by_errors: bool, said: str) -> None:
    """Nearly all of it on few paths which get the smaller part of the requests."""
    assert str(concentration.find(paths, WHOLE, by_errors=by_errors)).startswith(said)


def test_few_failures_on_a_path_are_chance() -> None:
    """Three of three on a path with a third of the requests; thirty of thirty are not."""
    assert concentration.find([path("/pay", 330, 3)], path("all", 1_000, 3), by_errors=True) is None
    assert concentration.find([path("/pay", 330, 30)], path("all", 1_000, 30), by_errors=True) is not None
    assert concentration.find([], path("all", 0, 0), by_errors=True) is None


def test_a_crowd_is_told_as_a_crowd() -> None:
    """Four times the usual requests, and failures with them."""
    minutes = [*quiet(but=range(8, 11)), *(minute(n, "a", 12_000, 900) for n in range(8, 11))]
    found = causes(facts(minutes))
    assert found[0].what == "more requests than usual"
    assert found[0].weight == "strong"


def test_tasks_that_die_are_told_with_their_words_and_modes() -> None:
    """Those that scaling or a deployment stopped are not."""
    stop = "task 1 of orders:3 stopped: OutOfMemoryError: Container killed due to memory usage, orders exit code 137"
    scaled = "task 2 of orders:3 stopped: Scaling activity initiated by (deployment x)"
    told = tuple(Entry(T + timedelta(minutes=8), "task", what, "ECS", what) for what in (stop, scaled))
    lost = [Minute(T + timedelta(minutes=n), "a", 3000, 700, 0, 0.04, 0.09, 0.09, 1, 0) for n in (8, 9)]
    found = causes(facts([*quiet(but=range(8, 10)), *lost], told=told))
    assert found[0].what == "tasks that stop: 1 did"
    assert stop in found[0].evidence


def test_a_change_shortly_before_is_only_a_coincidence() -> None:
    """Weak; a release's own calls are no candidates of their own."""
    told = (
        Entry(T + timedelta(minutes=4), "change", "anna: ModifyListener orders", "CloudTrail", "call ModifyListener"),
        Entry(T + timedelta(minutes=4), "change", "anna: CreateCommit orders", "CloudTrail", "call CreateCommit"),
    )
    slow_start = [minute(5, "a", 3000, 60), minute(6, "a", 3000, 200), minute(7, "a", 3000, 900)]
    found = causes(facts([*quiet(but=range(5, 8)), *slow_start], told=told))
    assert [(c.what, c.weight) for c in found if "change" in c.what] == [
        ("a change: anna: ModifyListener orders", "weak")
    ]


def test_without_evidence_the_cause_is_not_known() -> None:
    """It is said, not guessed."""
    assert "not known" in str(causes_table(()))


def test_journals_of_a_clock_that_is_wrong_are_told_by_aws_clock() -> None:
    """Two calls that CloudTrail knows show how far it is off; less than five seconds are nothing."""

    def lines(ahead: int) -> list[Line]:
        fields = {"done": True, "call": "codecommit:CreateCommit", "touches": "orders"}
        return [Line(n, (T + timedelta(minutes=n, seconds=ahead)).isoformat(), "step", fields) for n in (3, 9)]

    trail = [Entry(T + timedelta(minutes=n), "change", "", "CloudTrail", "call CreateCommit") for n in (3, 9)]
    skewed = journals.told(lines(42), WINDOW, trail=trail)
    assert [entry.at for entry in skewed.entries] == [entry.at for entry in trail]
    assert "42 s ahead of" in skewed.missing
    assert journals.told(lines(3), WINDOW, trail=trail).missing == ""
    assert len(timeline([skewed, Told("CloudTrail", tuple(trail))]).entries) == 2


def test_what_one_source_tells_twice_happened_twice() -> None:
    """And what two tell within a minute happened once, at the earlier time."""
    one = Entry(T, "change", "x", "A", "call X")
    later = Entry(T + timedelta(seconds=30), "change", "x", "A", "call X")
    other = Entry(T + timedelta(seconds=10), "change", "x", "B", "call X")
    found = timeline([Told("A", (one, later)), Told("B", (other,))]).entries
    assert [(entry.at, entry.sources) for entry in found] == [(T, "A, B"), (later.at, "A")]


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-03-02T15:30", "", "in the past"),
        ("2026-03-02T14:00", "13:00", "after the beginning"),
        ("2025-03-02T14:00", "2026-03-02T14:00", "at most 7 days"),
        ("yesterday", "", "a time such as"),
        ("2026-03-02T14:00", "2026-13-02T14:00", "until"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(since: str, until: str, said: str) -> None:
    """The future, the wrong order, a year, words."""
    with pytest.raises(BadInput, match=said):
        window(since, until, now=T + timedelta(hours=1))


def test_a_window_is_whole_minutes_in_utc() -> None:
    """Whatever zone it is written in, and never beyond now."""
    now = T + timedelta(hours=1)
    assert window("2026-03-02T15:10:30+01:00", "15:30", now=now) == Window(T + timedelta(minutes=10), now)
    assert str(window("14:00", "14:20", now=now)) == "2026-03-02 14:00 to 14:20 UTC"


def test_secrets_do_not_get_into_a_report() -> None:
    """Keys, tokens, passwords, mail, addresses and accounts; the same person is the same word."""
    hide = Redactor().know(["anna", "AWSCodeBuild-1"])
    key = "AKIA" + "A2" * 8
    text = hide.text(
        f"anna used {key} and Bearer abc.def.ghi at https://anna:pw@host/x from 10.0.0.7, "
        "password=hunter2, mail anna@example.com, account 123456789012, AWSCodeBuild-1, d-123456789012x"
    )
    for secret in (key, "abc.def.ghi", "pw@", "10.0.0.7", "hunter2", "anna", " 123456789012,"):
        assert secret not in text
    assert text.startswith("person-1 used *** and")
    assert "AWSCodeBuild-1" in text
    assert hide.text("again 10.0.0.7") == "again address-1"


def test_addresses_of_either_kind_are_hidden_and_times_are_not() -> None:
    """The same address is the same word, with a port or without; a query of a client's is hidden whole."""
    hide = Redactor()
    text = hide.text("203.0.113.7:5000 2001:db8::7 2001:db8::7:54321 [2001:DB8::1:2]:443 ::ffff:10.0.0.9 at 14:02:03")
    assert text == "address-1:5000 address-3 address-3:54321 [address-4]:443 ::ffff:address-2 at 14:02:03"
    kept = "2026-03-02T14:02:03.5Z arn:aws:s3:::logs std::bad_alloc 12:30 ::"
    assert hide.text(kept) == kept
    line = hide.line('h2 198.51.100.9:40000 "GET https://x:443/pay?card=4111&who=anna HTTP/2.0" "curl?"')
    assert line == 'h2 address-5:40000 "GET https://x:443/pay?*** HTTP/2.0" "curl?***"'


def test_values_of_variables_are_never_told() -> None:
    """Names and everything else are."""
    old = {
        "cpu": "256",
        "revision": 3,
        "containerDefinitions": [{"name": "x", "environment": [{"name": "A", "value": "1"}]}],
    }
    new = {
        "cpu": "512",
        "revision": 4,
        "containerDefinitions": [{"name": "x", "environment": [{"name": "A", "value": "2"}]}],
    }
    found = {one.field: (one.was, one.is_now) for one in differences(old, new)}
    assert found == {"cpu": ("256", "512"), "containerDefinitions[x].environment[A].value": ("***", "***")}


def test_checks_that_asked_nothing_are_no_event() -> None:
    """Journals tell of every verdict but SKIP."""
    at = WINDOW.start.isoformat()
    lines = [
        Line(number, at, "checks", {"title": f"Ready {number}", "verdict": str(verdict)})
        for number, verdict in enumerate(Verdict)
    ]
    told = [entry.what for entry in journals.told(lines, WINDOW, trail=()).entries]
    assert told == [f"Ready {verdict.value}: {verdict}" for verdict in Verdict if verdict != Verdict.SKIP]


@pytest.mark.parametrize(
    "text",
    [
        '{"password":"hunter2","a":1}',
        "\"secret\" : 'hunter2 x'",
        'password="abc hunter2" next',
        "client_secret: hunter2",
        "DB_PASSWORD=hunter2",
        "access_token=hunter2",
        "AWS_SECRET_ACCESS_KEY=hunter2/x",
        "X-Api-Key: hunter2",
        "run --password hunter2 now",
        "sent eyJhbGciOiJI.eyJzdWIi.hunter2 along",
        "ghp_hunter2hunter2hunter2",
        "https://u:hunter2@host/x",
    ],
)
def test_secrets_are_hidden_in_their_usual_forms(text: str) -> None:
    """Behind whatever name, quoted or not, and tokens that stand alone."""
    assert "hunter2" not in Redactor().text(text)


def test_what_only_looks_like_a_secret_stays() -> None:
    """Words, actions of IAM and versions of programs; the account goes, also in the name of a bucket."""
    same = ("the token was refused by IAM", "secretsmanager:GetSecretValue on orders", "Chrome/126.0.0.0 Safari")
    assert [Redactor().text(text) for text in same] == list(same)
    assert Redactor().text("orders-access-logs-123456789012-us-east-1") == "orders-access-logs-account-us-east-1"
    assert Redactor().text("http://10.0.0.7/x") == "http://address-1/x"


@pytest.mark.parametrize("bad", [5, 30, 58])
def test_an_incident_is_found_however_much_of_the_window_it_fills(bad: int) -> None:
    """What is usual in a window that is mostly the incident is the incident: it counts for no more than promised."""
    minutes = 60
    for share, p99 in ((0.08, 0.1), (0.0, 1.2)):
        measured = [
            minute(number, "a", 1000, 1000 * share if number < bad else 0, p99 if number < bad else 0.1)
            for number in range(minutes)
        ]
        found = harm.find(Metrics(T, T + timedelta(minutes=minutes), tuple(measured)), Objective())
        assert found is not None
        assert (found.start, found.end) == (T, T + timedelta(minutes=bad))


def test_a_decision_before_the_alarm_costs_no_time_of_the_alarm() -> None:
    """Nothing is below zero, and what the alarm would have waited for was nobody's wait."""
    early, late = Mark(T + timedelta(minutes=2), "somebody"), Mark(T + timedelta(minutes=4), "alarm")
    found = Intervals(T, late, early, Mark(T + timedelta(minutes=6), "good"), False)
    hurt = harm.Harm(T, T + timedelta(minutes=6), (), harm.Usual(0.0, None))
    assert [(share.what, share.took) for share in settings_cost(found, Alarms(), (), hurt, {})] == [
        ("until the decision, before any alarm", timedelta(minutes=2)),
        ("from the decision to the first good minute", timedelta(minutes=4)),
    ]


def hurt_by(client: Hurt | None) -> Requests:
    """Two clients that were told apart, and those that were not."""
    apart = (path("192.0.2.1", 90, 9), path("192.0.2.2", 80, 8))
    others = {"client": client} if client else {}
    return Requests((), {"client": apart}, 2, Heat((), (), ()), 300, ("17 requests from 17 lines",), others=others)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (None, "Who was hurt: 2 clients"),
        (path("others", 5_000, 3), "Who was hurt: at least 2 clients"),
        (path("others", 5_000, 0, 3), "Who was hurt: at least 2 clients"),
        (path("others", 5_000, 0), "Who was hurt: 2 clients"),  # hurt ones are told apart first: these were not
    ],
)
def test_clients_that_are_not_told_apart_are_at_least_so_many(others: Hurt | None, said: str) -> None:
    """And what is in no line is said beside what the counts rest on."""
    found = hurt_by(others)
    assert found.worst_table().title == said
    rest = str(found.said_table())
    assert "17 requests from 17 lines" in rest
    assert ("5,000 requests of the harm" in rest) == (others is not None)
