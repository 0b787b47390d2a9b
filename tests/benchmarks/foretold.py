"""The forecast against simulated releases: what it promises, and what the judge then really finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from runbook_lib.analysis import METRICS, PROBES, ClosedMinute, Settings, Source
from runbook_lib.analysis.counting import count_minutes
from runbook_lib.analysis.evidence import Tally, bets, capped, running
from runbook_lib.forecast import AlarmRule, Forecast, Objective, Shift, Traffic, Waits, forecast
from runbook_lib.forecast.promise import HISTORY

RELEASES = 2000
START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings()


@dataclass(frozen=True)
class Promise:
    """A forecast with what simulated releases did: both as the chance in time, and the middle number of requests."""

    forecast: Forecast
    chance: float
    median_requests: float  # of the canary, inf where fewer than half were found out
    median_minutes: float

    @property
    def chance_off(self) -> float:
        """How far the promised chance is from what happened."""
        return abs(self.chance - self.forecast.errors.chance)

    @property
    def median_off(self) -> float:
        """How far the promised middle is from what happened, as a part of it.

        0 where both say never, and where they are one closed minute apart: nobody looks in between.
        """
        promised, source = self.forecast.errors.acted, self.forecast.source
        if promised is None or math.isinf(self.median_minutes):
            return 0.0 if promised is None and math.isinf(self.median_minutes) else 1.0
        apart = promised - source.lag_seconds / 60 - self.median_minutes
        return 0.0 if abs(apart) <= source.bin_seconds / 60 else abs(apart / self.median_minutes)


def promises(seed: int) -> list[Promise]:
    """Canary and linear, much traffic and little, errors one by one and in closed minutes, bursts as well."""
    canary, linear = Shift("canary", 10, 15), Shift("linear", 10, 3)
    cases = [
        (100.0, 0.01, 1.0, canary, PROBES, 0.006),
        (100.0, 0.01, 1.0, linear, PROBES, 0.005),
        (10.0, 0.01, 1.0, canary, PROBES, 0.02),
        (100.0, 0.001, 1.0, canary, PROBES, 0.0015),
        (100.0, 0.01, 3.0, canary, PROBES, 0.01),
        (100.0, 0.01, 1.0, canary, METRICS, 0.007),
        (100.0, 0.01, 1.0, linear, METRICS, 0.006),
    ]
    return [_promise(*case, seed=seed + number) for number, case in enumerate(cases)]


def _promise(
    rate: float, base: float, burst: float, shift: Shift, source: Source, rise: float, *, seed: int
) -> Promise:
    traffic = Traffic(rate, base, 80, 142, burst=burst)
    foretold = forecast(
        traffic,
        shift,
        Waits(2, 0, 0, 30),
        alarm=AlarmRule(0.05, 2, 3, 20, 60),
        source=source,
        objective=Objective(rise),
        settings=SETTINGS,
    )
    numbers = np.random.default_rng(seed)
    one = _one_by_minutes if source.bin_seconds else _one_by_errors
    found = np.array([one(numbers, traffic, shift, base + rise) for _ in range(RELEASES)])
    in_time = shift.compared_minutes - source.lag_seconds / 60
    requests = [shift.green_until(minute, rate) if math.isfinite(minute) else math.inf for minute in found.tolist()]
    return Promise(foretold, float((found <= in_time).mean()), float(np.median(requests)), float(np.median(found)))


def _one_by_errors(numbers: np.random.Generator, traffic: Traffic, shift: Shift, green: float) -> float:
    """The minute at which a release is found out, looked at after every first error of a client; inf for never."""
    at, came_from_green, shares = [], [], []
    ends = [start for start, _ in shift.steps[1:]]
    for (start, share), end in zip(shift.steps, ends, strict=False):
        seconds = 60 * (end - start) * traffic.requests_per_second / traffic.burst
        bad = numbers.poisson(seconds * share * green), numbers.poisson(seconds * (1 - share) * traffic.error_rate)
        times = numbers.uniform(start, end, sum(bad))
        order = np.argsort(times)
        at.append(times[order])
        came_from_green.append((np.arange(sum(bad)) < bad[0])[order])
        shares.append(np.full(sum(bad), share))
    tally = Tally(np.concatenate(came_from_green).astype(float), np.ones(sum(map(len, at))), np.concatenate(shares))
    question = SETTINGS.errors
    won = running(tally, bets(question.centre, question.spread), margin=question.margin)
    return _first(won >= -math.log(question.alpha), np.concatenate(at))


def _one_by_minutes(numbers: np.random.Generator, traffic: Traffic, shift: Shift, green: float) -> float:
    """The same by closed minutes; the shift begins in the middle of one."""
    steps = shift.steps
    minutes = []
    for number in range(-HISTORY, int(shift.compared_minutes) + 1):
        spans = [(max(number - 0.5, start), min(number + 0.5, end), share) for (start, share), end in _with_ends(steps)]
        on_green = sum(max(0.0, end - start) * share for start, end, share in spans)
        for role, part, rate in (("green", on_green, green), ("blue", 1 - on_green, traffic.error_rate)):
            requests = 60 * traffic.requests_per_second * part
            bad = numbers.poisson(requests * rate)
            good = numbers.poisson(requests * (1 - rate))
            at = START + timedelta(minutes=number)
            minutes.append(ClosedMinute(at, role, bad + good, bad, 0.0))  # type: ignore[arg-type]
    counts = count_minutes(minutes, lambda minute: minute.failed)
    question = SETTINGS.errors
    won = running(counts.tally, bets(question.centre, question.spread), margin=question.margin)
    wanted = -math.log(question.strict_alpha)
    enough = capped(won, wanted / (SETTINGS.least_minutes - 0.5)) >= wanted
    ends = (counts.at - START.timestamp()) / 60 - 0.5
    return _first(enough & (ends <= shift.compared_minutes), ends)


def _with_ends(steps: tuple[tuple[float, float], ...]) -> list[tuple[tuple[float, float], float]]:
    ends = [start for start, _ in steps[1:]]
    return list(zip(steps, [*ends, math.inf], strict=True))


def _first(enough: np.ndarray, at: np.ndarray) -> float:
    return float(at[enough.argmax()]) if enough.any() else math.inf
