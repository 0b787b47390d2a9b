"""The evidence: exact where it can be counted out, equal to another closed form, and never more than was promised."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.analysis.bounds import rate_bounds
from runbook_lib.analysis.evidence import CHUNK, Bets, Tally, bets, capped, ratio_interval, running
from runbook_lib.analysis.settings import Settings

BETS = bets(3.5, 0.6)


def tally(green: list[bool], share: list[float]) -> Tally:
    """One error a row."""
    return Tally(np.array(green, dtype=float), np.ones(len(green)), np.array(share))


def beta_bets(a: float, b: float, share: float, points: int = 20_001) -> Bets:
    """Bets spread as a Beta distribution over the chance that an error is green's."""
    chance = (np.arange(points) + 0.5) / points
    money = np.maximum(1e-300, np.exp((a - 1) * np.log(chance) + (b - 1) * np.log1p(-chance)))
    return Bets(chance / (1 - chance) * (1 - share) / share, money / money.sum())


@pytest.mark.parametrize("order", ["green first", "blue first"])
def test_the_winnings_equal_the_odds_of_another_implementation(order: str) -> None:
    """Dirichlet prior of 100 around (0.1, 0.9), 37 errors of green and 113 of blue: savvi 0.3.1 says 3144.149207."""
    green = [True] * 37 + [False] * 113
    found = running(tally(green if order == "green first" else green[::-1], [0.1] * 150), beta_bets(10, 90, 0.1))
    assert math.exp(found[-1]) == pytest.approx(3144.149207, rel=1e-6)


@given(st.lists(st.floats(0.02, 0.98), min_size=1, max_size=9), st.floats(1, 3))
def test_the_winnings_are_one_on_average(share: list[float], margin: float) -> None:
    """Counted out over every course that the errors may take, at steps of any weights, at the edge of the margin."""
    whole = 0.0
    for green in itertools.product([True, False], repeat=len(share)):
        chances = [w * margin / (w * margin + 1 - w) for w in share]
        chance = math.prod(p if mine else 1 - p for mine, p in zip(green, chances, strict=True))
        whole += chance * math.exp(running(tally(list(green), share), BETS, margin=margin)[-1])
    assert whole == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_chance_of_a_false_alarm_is_below_alpha_whenever_it_is_looked_at(share: float) -> None:
    """Counted out exactly: the probability of ever crossing the limit in 600 errors, looked at after each of them."""
    alpha, count = Settings().errors.alpha, 600
    alive, gone = np.array([1.0]), 0.0
    for total in range(1, count + 1):
        alive = np.convolve(alive, [1 - share, share])
        green = np.arange(len(alive), dtype=float)
        logs = np.log(BETS.ratios)[:, None] * green - total * np.log1p(share * (BETS.ratios - 1))[:, None]
        stops = (BETS.money[:, None] * np.exp(np.minimum(logs, 100))).sum(axis=0) >= 1 / alpha
        gone += alive[stops].sum()
        alive[stops] = 0
    assert 0 < gone <= alpha


@given(st.lists(st.tuples(st.booleans(), st.floats(0.05, 0.95)), min_size=1, max_size=40), st.data())
def test_more_errors_of_green_are_more_evidence(errors: list[tuple[bool, float]], data: st.DataObject) -> None:
    """Had one of blue's errors been green's, the winnings would be larger."""
    green, share = [mine for mine, _ in errors], [w for _, w in errors]
    place = data.draw(st.integers(0, len(green) - 1))
    with_green, with_blue = ([*green[:place], mine, *green[place + 1 :]] for mine in (True, False))
    assert running(tally(with_green, share), BETS)[-1] > running(tally(with_blue, share), BETS)[-1]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.randoms())
def test_the_order_of_errors_within_a_step_does_not_matter(green: list[bool], chance: object) -> None:
    """Neither does it matter whether they are counted one by one or together."""
    mixed = green.copy()
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    found, again = (running(tally(order, [0.1] * len(green)), BETS)[-1] for order in (green, mixed))
    together = running(Tally(np.array([sum(green)]), np.array([len(green)]), np.array([0.1])), BETS)[-1]
    assert found == pytest.approx(again, abs=1e-9)
    assert found == pytest.approx(together, abs=1e-9)


def test_many_errors_are_counted_like_few() -> None:
    """The parts in which a long row is worked off join without a seam."""
    green = np.random.default_rng(1).random(CHUNK + 50) < 0.1
    whole = Tally(green.astype(float), np.ones(len(green)), np.full(len(green), 0.1))
    at_once = Tally(np.array([green.sum()]), np.array([len(green)]), np.array([0.1]))
    assert running(whole, BETS)[-1] == pytest.approx(running(at_once, BETS)[-1], abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.5, 1.0, 3.0]))
def test_the_interval_holds_the_ratio_it_was_made_of(seed: int, ratio: float) -> None:
    """It is around the ratio that was seen, and narrows as errors come in."""
    numbers = np.random.default_rng(seed)
    green = numbers.random(4000) < 0.3 * ratio / (0.3 * ratio + 0.7)
    few, many = (ratio_interval(tally(list(green[:n]), [0.3] * n), confidence=0.95) for n in (100, 4000))
    seen = green.mean() / (1 - green.mean()) * 0.7 / 0.3
    assert many[0] < seen < many[1]
    assert math.log(many[1] / many[0]) < math.log(few[1] / max(few[0], 1e-3))


def test_the_interval_is_right_at_every_look_at_once() -> None:
    """Of 400 courses, looked at ten times each, at most one in twenty is ever outside."""
    numbers, outside = np.random.default_rng(2), 0
    for _ in range(400):
        green = list(numbers.random(500) < 0.2 / (0.2 + 0.9))
        looks = (ratio_interval(tally(green[:n], [0.1] * n), confidence=0.95) for n in range(50, 501, 50))
        outside += any(not low <= 2 <= high for low, high in looks)
    assert outside <= 20


def test_nothing_is_known_without_errors() -> None:
    """Every ratio is possible."""
    assert ratio_interval(tally([], []), confidence=0.95) == (0.0, math.inf)
    assert len(running(tally([], []), BETS)) == 0


@given(st.integers(0, 500), st.integers(1, 100_000))
def test_the_bounds_of_a_rate_hold_what_was_seen(failed: int, more: int) -> None:
    """And nothing is certain that was not seen."""
    low, high = rate_bounds(failed, failed + more, confidence=0.95)
    assert 0 <= low <= failed / (failed + more) <= high <= 1
    assert (low == 0) == (failed == 0)


def test_the_bounds_of_a_rate_hold_at_every_look_at_once() -> None:
    """Of 500 courses, looked at twenty times each, at most one in twenty is ever outside."""
    numbers, outside = np.random.default_rng(3), 0
    for _ in range(500):
        failed = np.cumsum(numbers.random(2000) < 0.05)
        looks = (rate_bounds(float(failed[n - 1]), n, confidence=0.95) for n in range(100, 2001, 100))
        outside += any(not low <= 0.05 <= high for low, high in looks)
    assert outside <= 25


def test_nothing_is_known_of_a_rate_without_requests() -> None:
    """It may be anything."""
    assert rate_bounds(0, 0, confidence=0.95) == (0.0, 1.0)


@given(st.lists(st.floats(-3, 6), min_size=1, max_size=30), st.floats(0.5, 3))
def test_capped_winnings_never_exceed_the_winnings(gains: list[float], most: float) -> None:
    """So they are wrong no more often; and one look adds its part at most."""
    won = np.cumsum(gains)
    found = capped(won, most)
    assert (found <= won + 1e-9).all()
    assert (np.diff(found, prepend=0) <= most + 1e-9).all()
