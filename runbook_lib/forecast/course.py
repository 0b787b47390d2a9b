"""What a release is planned to do: its traffic, how the traffic moves, the waits, the alarms, and what must be seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from runbook_lib.errors import BadInput
from runbook_lib.suggest import did_you_mean

Kind = Literal["canary", "linear", "all_at_once"]
# All five that AWS has for ECS (CodeDeploy user guide, deployment-configurations).
STOCK: dict[str, tuple[Kind, int, int]] = {
    "CodeDeployDefault.ECSAllAtOnce": ("all_at_once", 100, 0),
    "CodeDeployDefault.ECSCanary10Percent5Minutes": ("canary", 10, 5),
    "CodeDeployDefault.ECSCanary10Percent15Minutes": ("canary", 10, 15),
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": ("linear", 10, 1),
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": ("linear", 10, 3),
}
P95 = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class Traffic:
    """What the service does today: requests a second, share of failed ones (0 to 1), and the target's time in ms.

    `burst` is how many errors come from one client at once, 1 where nobody tries again. The latency is taken for
    lognormal through both percentiles. `seen_per_second` is what the source of the judge sees of the requests, None for
    all of them: own probes are only as many as are sent.
    """

    requests_per_second: float
    error_rate: float
    p50_ms: float
    p95_ms: float
    burst: float = 1.0
    seen_per_second: float | None = None

    def __post_init__(self) -> None:
        _require(self.requests_per_second > 0, "requests_per_second", self.requests_per_second, "more than 0")
        _require(0 <= self.error_rate < 1, "error_rate", self.error_rate, "a share of requests, below 1")
        _require(0 < self.p50_ms < self.p95_ms, "p95_ms", self.p95_ms, f"more than the p50, {self.p50_ms:g} ms")
        _require(self.burst >= 1, "burst", self.burst, "at least 1")
        _require(self.seen > 0, "seen_per_second", self.seen, "more than 0")

    @property
    def seen(self) -> float:
        """Requests a second that the judge can look at."""
        return self.requests_per_second if self.seen_per_second is None else self.seen_per_second

    def slow_share(self, factor: float) -> float:
        """The share of requests above today's p95 once every request takes `factor` times as long."""
        sigma = math.log(self.p95_ms / self.p50_ms) / P95
        return 1 - NormalDist().cdf(P95 - math.log(factor) / sigma)

    def slow_factor(self, share: float) -> float:
        """How many times as long requests take when this share of them is above today's p95: the opposite of it."""
        sigma = math.log(self.p95_ms / self.p50_ms) / P95
        return math.exp(sigma * (P95 - NormalDist().inv_cdf(1 - share)))


@dataclass(frozen=True)
class Shift:
    """How the traffic moves, as a CodeDeploy configuration says it: a kind, its percentage, its interval in minutes."""

    kind: Kind
    percent: int
    minutes: int

    def __post_init__(self) -> None:
        if self.kind != "all_at_once":
            # Stated for Lambda and believed for ECS: at most 99 percent a step (CodeDeploy user guide, limits).
            _require(1 <= self.percent <= 99, "percent", self.percent, "1 to 99")
            _require(self.minutes >= 1, "minutes", self.minutes, "at least 1")

    @property
    def steps(self) -> tuple[tuple[float, float], ...]:
        """(minutes since the shift began, green's share from then on), the last one with the whole traffic."""
        if self.kind == "all_at_once":
            return ((0.0, 1.0),)
        if self.kind == "canary":
            return (0.0, self.percent / 100), (float(self.minutes), 1.0)
        count = math.ceil(100 / self.percent)
        return tuple((float(n * self.minutes), min(1.0, (n + 1) * self.percent / 100)) for n in range(count))

    @property
    def compared_minutes(self) -> float:
        """How long both versions have traffic: nothing can be compared before or after."""
        return self.steps[-1][0]

    def green_until(self, minute: float, requests_per_second: float) -> float:
        """How many requests green has got by a minute of the shift."""
        starts = [start for start, _ in self.steps]
        ends = [*starts[1:], math.inf]
        spans = zip(self.steps, ends, strict=True)
        seconds = sum(60 * share * max(0.0, min(minute, end) - start) for (start, share), end in spans)
        return seconds * requests_per_second

    def __str__(self) -> str:
        if self.kind == "all_at_once":
            return "all at once"
        every = "every" if self.kind == "linear" else "for"
        return f"{self.kind}, {self.percent} percent {every} {self.minutes} min"


@dataclass(frozen=True)
class Waits:
    """The waits around the shift in minutes: until green is healthy, hooks, the ready wait, and blue's reprieve."""

    start: float
    hooks: float
    ready: float
    termination: float

    def __post_init__(self) -> None:
        for name in ("start", "hooks", "ready", "termination"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0 minutes")


@dataclass(frozen=True)
class AlarmRule:
    """An alarm on failed requests: `breaching` of `evaluated` minutes above `rate` (0 to 1), with enough requests."""

    rate: float
    breaching: int
    evaluated: int
    least_requests: int
    lag_seconds: float


@dataclass(frozen=True)
class Objective:
    """What must be seen: a rise of the share of failed requests (0.01: one percentage point), and of the latency.

    `latency_factor` 1.25 means that every request takes a quarter longer; `chance` is how surely, 0 to 1.
    """

    error_rise: float
    latency_factor: float = 1.25
    chance: float = 0.8

    def __post_init__(self) -> None:
        _require(0 < self.error_rise <= 1, "error_rise", self.error_rise, "a share of requests above 0")
        _require(self.latency_factor > 1, "latency_factor", self.latency_factor, "more than 1")
        _require(0 < self.chance < 1, "chance", self.chance, "a probability between 0 and 1")


def shift_of(config: str) -> Shift:
    """The shift of one of CodeDeploy's own configurations for ECS; another name is refused with the nearest one."""
    if config in STOCK:
        return Shift(*STOCK[config])
    raise BadInput(
        where="forecast: traffic configuration",
        seen=config,
        wanted="a configuration that AWS has, or the percentage and interval of your own",
        next_step=did_you_mean(config, list(STOCK), otherwise="build a Shift from its percentage and interval"),
    )


def config_of(shift: Shift) -> str | None:
    """The name of CodeDeploy's own configuration for a shift, None where it takes one of your own."""
    wanted = (shift.kind, shift.percent, shift.minutes)
    return next((name for name, stock in STOCK.items() if stock == wanted), None)


def _require(good: bool, name: str, seen: float, wanted: str) -> None:
    if not good:
        raise BadInput(
            where=f"forecast: {name}", seen=f"{seen:g}", wanted=wanted, next_step="correct it in the parameters"
        )
