"""How strict the judge is: one configuration for every service, with the reason for each figure."""

from __future__ import annotations

from dataclasses import dataclass, field

from runbook_lib.errors import BadInput


@dataclass(frozen=True)
class Question:
    """How one question (do more requests fail? are more of them slow?) is asked.

    `alpha` is the chance that it ends a release whose versions do not differ, however often it is asked meanwhile;
    `strict_alpha` holds where clients are unknown. `centre` and `spread` say which ratios green : blue are bet on: a
    lognormal around `centre`, `spread` wide. A ratio up to `margin` is no difference. `harm` is the rise (in shares of
    requests, 0.01 is one percentage point) that must not be missed: OK means that a rise so large is out of the
    question. A rise below `negligible` never ends a release, however sure it is.
    """

    alpha: float
    strict_alpha: float
    centre: float
    spread: float
    margin: float
    harm: float
    negligible: float

    def __post_init__(self) -> None:
        for name in ("alpha", "strict_alpha"):
            _require(0 < getattr(self, name) < 1, name, getattr(self, name), "a probability between 0 and 1")
        _require(self.centre > 1, "centre", self.centre, "a ratio above 1: a bad version is worse than the former one")
        _require(self.spread > 0, "spread", self.spread, "more than 0")
        _require(self.margin >= 1, "margin", self.margin, "a ratio of at least 1")
        _require(0 <= self.negligible < self.harm <= 1, "harm", self.harm, "more than negligible, at most 1")


@dataclass(frozen=True)
class Settings:
    """The judge's configuration; the false alarms of all questions together stay below the sum of their alphas.

    Measured with these figures: `notebooks/reference/judge.md`. The alphas are 1 percent in sum, and 0.1 percent
    without clients. Errors of one client within `client_window_seconds` count once: a client that tries again is one
    witness, not three. With fewer than `least_clients` different clients, or more than `most_per_client` requests of a
    client in a window (a proxy in front), clients are taken for unknown. Where they are, evidence must come from
    `least_minutes` different minutes at least, none of which may bring more than its part, and it is divided by how
    much more blue's minutes scatter than chance.
    """

    errors: Question = field(
        default_factory=lambda: Question(
            alpha=0.009, strict_alpha=0.0009, centre=3.5, spread=0.6, margin=1, harm=0.01, negligible=0.0005
        )
    )
    latency: Question = field(
        default_factory=lambda: Question(
            alpha=0.001, strict_alpha=0.0001, centre=3, spread=0.7, margin=1.1, harm=0.05, negligible=0.005
        )
    )
    client_window_seconds: float = 30
    least_clients: int = 50
    most_per_client: float = 20
    least_minutes: int = 3
    least_requests: int = 100  # of green, and of blue at the same time: below it nothing is said but a clear FAIL
    confidence: float = 0.95  # of the intervals, at every look at once
    power: float = 0.8  # with which the smallest effect would have been seen
    slow_percent: float = 5  # of blue's requests are slow: the limit is its p95

    def __post_init__(self) -> None:
        _require(self.client_window_seconds > 0, "client_window_seconds", self.client_window_seconds, "more than 0")
        _require(self.least_minutes >= 1, "least_minutes", self.least_minutes, "at least 1")
        _require(self.least_requests >= 1, "least_requests", self.least_requests, "at least 1: no data is never a pass")
        for name in ("confidence", "power"):
            _require(0.5 <= getattr(self, name) < 1, name, getattr(self, name), "at least 0.5 and below 1")
        _require(0 < self.slow_percent < 50, "slow_percent", self.slow_percent, "between 0 and 50")


def _require(good: bool, name: str, seen: float, wanted: str) -> None:
    if not good:
        raise BadInput(
            where=f"judge: {name}", seen=f"{seen:g}", wanted=wanted, next_step="see what Settings says of it"
        )
