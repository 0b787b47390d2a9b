"""No data is never a pass, neither is little nor old; and what makes no sense is refused before anything is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_made import START, end, errors_of, minutes, requests

from runbook_lib.analysis import LOGS, METRICS, PROBES, Event, Observed, Question, Rows, Settings, Weight, judge, rows
from runbook_lib.check import Verdict
from runbook_lib.errors import BadInput


def test_no_data_is_never_a_pass() -> None:
    """Neither is nothing at all."""
    assert judge([], now=end()).verdict == Verdict.INCONCLUSIVE
    found = judge([Observed(METRICS, end()), Observed(LOGS, end(), rows=rows(()))], now=end())
    assert {finding.verdict for finding in found.findings} == {Verdict.INCONCLUSIVE}
    assert found.deciding is None


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.integers(0, 400), st.sampled_from(["green", "blue"]))
def test_little_traffic_on_either_colour_is_never_a_pass(few: int, many: int, scarce: str) -> None:
    """Below the minimum nothing is said, whatever the other colour shows."""
    counts = {"green": few, "blue": many} if scarce == "green" else {"green": many, "blue": few}
    events = [
        Event(START + timedelta(seconds=800 * n / max(1, count)), role, f"{role}{n}", 200, 50.0)  # type: ignore[arg-type]
        for role, count in counts.items()
        for n in range(count)
    ]
    found = judge([Observed(PROBES, end(), rows=rows(events))], now=end())
    assert all(finding.verdict == Verdict.INCONCLUSIVE for finding in found.findings)


def test_old_data_are_never_a_pass() -> None:
    """Metrics that stopped coming are no proof of health."""
    fresh = minutes(6, 54)
    assert errors_of(judge([fresh], now=end(4))).verdict == Verdict.OK
    found = errors_of(judge([fresh], now=end(10)))
    assert found.verdict == Verdict.INCONCLUSIVE
    assert found.reason == "the data end 10 minutes ago"


def test_without_the_other_colour_there_is_nothing_to_compare() -> None:
    """All at once: green has every request, and however bad it is, blue is not there."""
    found = judge([requests(8, green=0.5, blue=0.01, share=1.0)], now=end())
    assert errors_of(found).verdict == Verdict.INCONCLUSIVE
    assert "0 requests of green and 0 of blue at equal time" in errors_of(found).reason


def test_data_of_the_future_are_refused() -> None:
    """Clocks that differ would make minutes closed that are not."""
    with pytest.raises(BadInput, match="data until 00:15:00"):
        judge([requests(1, green=0, blue=0)], now=START)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"client_window_seconds": 0}, "client_window_seconds: seen: 0"),
        ({"least_requests": 0}, "no data is never a pass"),
        ({"power": 1.0}, "power: seen: 1"),
        ({"errors": {"alpha": 0}}, "alpha: seen: 0"),
        ({"errors": {"centre": 1}}, "a bad version is worse"),
        ({"errors": {"harm": 0}}, "harm: seen: 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object], told: str) -> None:
    """With what was seen and what is wanted."""
    good = Settings()
    with pytest.raises(BadInput, match=told):
        _changed(good, change)


def _changed(good: Settings, change: dict[str, object]) -> Settings:
    asked: dict[str, object] = {
        name: Question(**{**vars(getattr(good, name)), **value}) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    return replace(good, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Weight(START, 1.5), "a share between 0 and 1"),
        (lambda: rows([Event(START, "purple", None, 200, 1.0)]), "role purple"),  # type: ignore[arg-type]
        (lambda: Rows(*map(np.array, ([2.0, 1.0], [True] * 2, [1, 2], [False] * 2, [1.0] * 2))), "times that go back"),
        (lambda: replace(minutes(1, 1), rows=rows(())), "rows and minutes of one source"),
    ],
)
def test_observations_that_make_no_sense_are_refused(build: object, told: str) -> None:
    """Before anything is judged."""
    with pytest.raises(BadInput, match=told):
        build()  # type: ignore[operator]
