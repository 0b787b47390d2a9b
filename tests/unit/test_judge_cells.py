"""The judge on counts by minute and client, as access logs give them: a client's burst is one witness."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from runbook_lib.accesslog.damage import Damage
from runbook_lib.analysis import ERRORS, LATENCY, LOGS, Cells, Finding, Judgement, Observed, Settings, Weight, judge
from runbook_lib.analysis.counting import count_cells
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput
from runbook_lib.story import logged

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES, COUNT = 15, 90_000  # a quarter of an hour, 100 requests a second
END = START + timedelta(minutes=MINUTES)


def requests(
    seed: int, *, green: float, blue: float, clients: int = 20_000, burst: float = 1.0, slower: float = 1.0
) -> Cells:
    """Requests of which a tenth goes to green; an error is the first of `burst` on average, two seconds apart.

    The errors of a burst meet the same colour, as those of a client with a cookie do. A twentieth of blue's is slow.
    """
    numbers = np.random.default_rng(seed)
    at, to_green = numbers.random(COUNT) * 60 * MINUTES, numbers.random(COUNT) < 0.1
    client, failed = (
        numbers.integers(0, clients, COUNT),
        numbers.random(COUNT) < np.where(to_green, green, blue) / burst,
    )
    slow = numbers.random(COUNT) < np.where(to_green, 0.05 * slower, 0.05)
    more = np.repeat(np.flatnonzero(failed), numbers.geometric(1 / burst, failed.sum()) - 1)
    later = 2.0 * np.concatenate([np.arange(1, n + 1) for n in np.unique(more, return_counts=True)[1]] or [[]])
    again = (at[more] + later, to_green[more], client[more], np.ones(len(more), bool), np.zeros(len(more), bool))
    columns = zip((at, to_green, client, failed, slow), again, strict=True)
    return counted(*(np.concatenate(pair) for pair in columns))


def counted(at: np.ndarray, green: np.ndarray, client: np.ndarray, failed: np.ndarray, slow: np.ndarray) -> Cells:
    """Single requests, in seconds since the start, as cells."""
    cells, cell = np.unique(np.stack([at // 60, green, client]), axis=1, return_inverse=True)
    sums = [np.bincount(cell.reshape(-1), weights=column) for column in (np.ones(len(at)), failed, slow)]
    return Cells(START.timestamp() + 60 * cells[0], cells[1] == 1, cells[2].astype(np.int64), *sums)


def together(*parts: Cells) -> Cells:
    return Cells(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def one_client(minutes: int, green: float, blue: float, *, client: int = 99_999) -> Cells:
    """A client that fails with all its requests, so many a minute on each colour."""
    both = [(START.timestamp() + 60 * n, colour) for n in range(minutes) for colour in (True, False)]
    at, colours = np.array([at for at, _ in both]), np.array([colour for _, colour in both])
    many = np.where(colours, green, blue).astype(float)
    return Cells(at, colours, np.full(len(both), client), many, many, np.zeros(len(both)))


def judged(found: Cells, **more: object) -> Judgement:
    own = {"weights": (Weight(START - timedelta(hours=1), 0.1),), "slow_ms": 150.0, **more}
    return judge([Observed(LOGS, END, cells=found, **own)], now=END)  # type: ignore[arg-type]


def errors_of(found: Judgement) -> Finding:
    return next(finding for finding in found.findings if finding.question == ERRORS)


def test_a_version_like_the_former_one_passes() -> None:
    """On both questions; what is counted is every request at equal time."""
    found = judged(requests(1, green=0.01, blue=0.01))
    assert found.verdict == Verdict.OK
    assert errors_of(found).green.requests + errors_of(found).blue.requests == COUNT


@pytest.mark.parametrize(("green", "slower", "question"), [(0.03, 1.0, ERRORS), (0.01, 2.0, LATENCY)])
def test_a_worse_version_fails_and_the_lag_of_the_files_is_told(green: float, slower: float, question: str) -> None:
    """With the limit of known clients; it can be acted on ten minutes after the minute that proved it."""
    found = judged(requests(2, green=green, blue=0.01, slower=slower))
    deciding = found.deciding
    assert deciding is not None
    assert (deciding.question, deciding.notes) == (question, ())
    assert deciding.wanted == pytest.approx(1 / getattr(Settings(), question).alpha)
    assert deciding.acts_at == (deciding.decided_at or END) + timedelta(minutes=10)


def test_one_client_that_fails_does_not_convict_a_version() -> None:
    """Three hundred errors a minute of green, all of one client, change no verdict; of as many clients they do."""
    calm = requests(3, green=0.01, blue=0.01)
    one = one_client(MINUTES, green=300, blue=0)
    many = replace(one, client=np.arange(len(one.at)) + 99_999)
    assert judged(together(calm, one)).of(ERRORS) != Verdict.FAIL
    crowd = together(calm, *(replace(one_client(MINUTES, 1, 0), client=many.client + 100 * n) for n in range(30)))
    assert judged(crowd).of(ERRORS) == Verdict.FAIL


def test_a_burst_that_crosses_a_minute_is_one_witness() -> None:
    """What a client meets in the next minute belongs to what it met before; a minute later it is news."""
    blank = one_client(MINUTES, green=0, blue=0, client=1)
    traffic = replace(blank, requests=np.where(blank.green, 100.0, 900.0))
    for minutes, witnesses in ((1, 1), (2, 1), (3, 2), (4, 2)):
        found = together(traffic, one_client(minutes, green=2, blue=0))
        assert count_cells(found, found.failed, ()).tally.total.sum() == witnesses


def test_a_client_that_fails_on_both_is_shared_between_them() -> None:
    """One witness, that came from green to the part of its errors that did."""
    blank = one_client(1, green=0, blue=0, client=1)
    found = together(replace(blank, requests=np.where(blank.green, 100.0, 900.0)), one_client(1, green=1, blue=3))
    counts = count_cells(found, found.failed, ())
    assert (counts.green.counted, counts.blue.counted) == (0.25, 0.75)
    assert (counts.green.bad, counts.blue.bad) == (1, 3)


def test_errors_that_come_in_bursts_blame_no_good_version() -> None:
    """Two dozen releases with bursts of three on one colour each: the alpha is one in a hundred."""
    found = [judged(requests(100 + n, green=0.01, blue=0.01, burst=3)).of(ERRORS) for n in range(24)]
    assert found.count(Verdict.FAIL) <= 1


def test_a_minute_in_which_the_weight_moves_counts_with_the_highest() -> None:
    """Errors may all have come when green had a tenth, though it had less over the whole minute."""
    blank = one_client(3, green=0, blue=0)
    traffic = replace(blank, requests=np.where(blank.green, 50.0, 950.0))
    moved = (Weight(START + timedelta(seconds=90), 0.1),)
    assert count_cells(traffic, traffic.failed, moved).tally.share.tolist() == [0.05, 0.1, 0.05]
    whole = (Weight(START + timedelta(seconds=90), 1.0),)
    assert len(count_cells(traffic, traffic.failed, whole).tally) == 2


def test_few_clients_are_taken_for_proxies() -> None:
    """Forty addresses with all the traffic are counted by minutes, with the stricter limit."""
    found = errors_of(judged(requests(4, green=0.05, blue=0.01, clients=40)))
    assert "40 clients" in found.notes[0]
    assert "too few to tell them apart" in found.notes[0]
    assert found.verdict == Verdict.FAIL
    assert found.wanted == pytest.approx(1 / Settings().errors.strict_alpha)


def test_clients_that_were_not_kept_apart_are_one_witness_and_told() -> None:
    """They are no evidence that nobody could count."""
    folded = one_client(MINUTES, green=300, blue=0, client=-1)
    found = errors_of(judged(together(requests(5, green=0.01, blue=0.01), folded)))
    assert found.verdict != Verdict.FAIL
    assert found.notes == ("4500 failed requests are of clients that were too many to keep apart",)


def test_minutes_that_are_not_closed_are_left_out() -> None:
    """Half a minute of green would look like half its errors."""
    whole = judged(requests(6, green=0.01, blue=0.01))
    found = judge(
        [Observed(LOGS, END - timedelta(seconds=30), cells=requests(6, green=0.01, blue=0.01))], now=END
    ).findings[0]
    assert found.green.requests < errors_of(whole).green.requests


def test_no_cells_are_never_a_pass() -> None:
    """Nor are some without the other colour."""
    empty = Cells(*(np.empty(0, dtype=kind) for kind in (float, bool, np.int64, float, float, float)))
    assert judged(empty).verdict == Verdict.INCONCLUSIVE
    calm = requests(7, green=0, blue=0)
    alone = Cells(**{name: column[~calm.green] for name, column in vars(calm).items()})
    assert judged(alone).verdict == Verdict.INCONCLUSIVE


def test_columns_of_different_lengths_are_refused() -> None:
    """Before anything is counted; so are cells beside minutes."""
    calm = requests(8, green=0, blue=0)
    with pytest.raises(BadInput, match="columns of one length"):
        replace(calm, slow=calm.slow[1:])


def test_counted_clients_become_cells() -> None:
    """By minute and colour, failures of either origin together; those that were folded are nobody."""
    column = {
        "minute": [10, 10, 11, 11],
        "group": ["g", "b", "g", "g"],
        "dimension": ["client", "client", "client", "path"],
        "value": ["192.0.2.1", "192.0.2.1", None, "/"],
        "n": [5, 6, 7, 8],
        "elb_5xx": [1, 0, 2, 0],
        "target_5xx": [1, 0, 0, 0],
        "slow": [0, 3, 0, 0],
        "folded": [0, 0, 1, 0],
    }
    kinds = {"value": "O", "group": "U", "dimension": "U"}
    arrays = {name: np.array(values, dtype=kinds.get(name, "i8")) for name, values in column.items()}
    found = logged.cells(Damage(**arrays, slow_ms=100, window=None, coverage=None), "g")  # type: ignore[arg-type]
    assert found.at.tolist() == [600, 600, 660]
    assert found.green.tolist() == [True, False, True]
    assert found.client.tolist() == [0, 0, -1]
    assert (found.failed.tolist(), found.slow.tolist()) == ([2, 0, 2], [0, 3, 0])
