"""A burst is one witness: who is behind requests decides how much their errors say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_made import COUNT, START, end, errors_of, requests

from runbook_lib.analysis import ERRORS, LOGS, Observed, Rows, Weight, judge
from runbook_lib.check import Verdict


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.integers(2, 30))
def test_a_client_that_tries_again_is_one_witness(seed: int, times: int) -> None:
    """Its further errors within the window change nothing of the evidence."""
    once = requests(seed, green=0.01, blue=0.01).rows
    assert once is not None
    first = int(np.flatnonzero(once.failed & once.green)[0])
    again = np.full(times, first)
    at = np.concatenate([once.at, once.at[again] + np.arange(1, times + 1) * 0.5])
    order = np.argsort(at, kind="stable")
    more = Rows(
        *(
            np.concatenate([column, column[again]])[order] if column is not once.at else at[order]
            for column in (once.at, once.green, once.client, once.failed, once.latency_ms)
        )
    )
    found = [errors_of(judge([_observed(some)], now=end(60))) for some in (once, more)]
    assert found[0].winnings == pytest.approx(found[1].winnings)
    assert found[1].green.bad == found[0].green.bad + times
    assert found[1].green.counted == found[0].green.counted


def _observed(found: Rows) -> Observed:
    return Observed(LOGS, end(60), rows=found, weights=(Weight(START, 0.1),))


def test_a_broken_client_is_no_broken_version() -> None:
    """One client that fails a hundred times a second on green, in bursts, does not convict it."""
    calm = requests(10, green=0.01, blue=0.01).rows
    assert calm is not None
    at = START.timestamp() + 400 + np.arange(500) / 100
    order = np.argsort(np.concatenate([calm.at, at]), kind="stable")
    extra = (at, np.ones(500, bool), np.full(500, COUNT), np.ones(500, bool), np.full(500, 80.0))
    columns = (calm.at, calm.green, calm.client, calm.failed, calm.latency_ms)
    both = Rows(*(np.concatenate(pair)[order] for pair in zip(columns, extra, strict=True)))
    assert judge([replace(_observed(both), until=end())], now=end()).of(ERRORS) != Verdict.FAIL


def test_unknown_clients_take_the_stricter_limit() -> None:
    """And errors from at least three minutes."""
    known, unknown = (
        errors_of(judge([requests(11, green=0.03, blue=0.01, clients=clients)], now=end())) for clients in (True, False)
    )
    assert unknown.wanted == pytest.approx(10 * known.wanted)
    assert known.decided_after is not None
    assert unknown.decided_after is not None
    assert known.decided_after < unknown.decided_after
    assert unknown.decided_after > 1700
    assert "clients are not known" in unknown.notes[0]


def test_a_proxy_in_front_hides_the_clients() -> None:
    """Forty addresses with all the traffic are proxies: counted once each, they would hide every error."""
    found = requests(12, green=0.05, blue=0.01)
    assert found.rows is not None
    proxied = replace(found, rows=replace(found.rows, client=found.rows.client % 40))
    assert "too few to tell them apart" in errors_of(judge([proxied], now=end())).notes[0]
    assert judge([proxied], now=end()).of(ERRORS) == Verdict.FAIL
