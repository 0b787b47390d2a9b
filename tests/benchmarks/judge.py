"""The judge and its peers on the same simulated traffic: false rollbacks, and requests of the canary until a rollback.

Each scenario is played once, and every rule looks at the same releases. Writes the tables and the chart of
`notebooks/reference/judge.md`; the same seeds give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from runbook_lib.analysis import Settings
from runbook_lib.analysis.evidence import Bets
from runbook_lib.analysis.settings import Question
from runbook_lib.forecast.promise import CHANCE_ERROR, TIME_ERROR
from tests.benchmarks import foretold, judge_page, ours, peers
from tests.benchmarks.harness import Measure
from tests.benchmarks.releases import NORMAL, P50, SIGMA, Releases, Scenario, percentiles, simulate, slow_share

SEED = 20261125
SETTINGS = Settings()
OUTAGE_FACTOR = 1.5  # both take so much longer in an outage of a dependency
MINUTES_OF = 400  # releases that the judge of closed minutes is asked about, one by one
HONEST = 0.01  # false rollbacks at most, with nothing wrong and in a shared outage
US, US_MINUTES = "the judge, after every error", "the judge, closed minutes"
TOLD, ORACLE = "the judge, were it told the ratio", "oracle (knows both rates)"

ERRORS = {
    "nothing wrong": (Scenario("nothing wrong", 0.01, 0.01), 4000),
    "shared outage": (Scenario("shared outage", 0.01, 0.01, outage=0.04), 2000),
    "1 -> 3 %": (Scenario("1 -> 3 %", 0.01, 0.03), 2000),
    "0.1 -> 1 %": (Scenario("0.1 -> 1 %", 0.001, 0.01), 2000),
    "1 -> 2 %": (Scenario("1 -> 2 %", 0.01, 0.02), 2000),
    "bursts": (Scenario("bursts", 0.01, 0.01, burst=3), 2000),
    "bursts, 1 -> 3 %": (Scenario("bursts, 1 -> 3 %", 0.01, 0.03, burst=3), 2000),
    "10 a second": (Scenario("10 a second", 0.01, 0.01, requests_per_second=10), 2000),
    "10 a second, 1 -> 3 %": (Scenario("10 a second, 1 -> 3 %", 0.01, 0.03, requests_per_second=10), 2000),
}
LATENCY = {
    "latency, nothing wrong": (Scenario("latency, nothing wrong", 0.05, 0.05), 2000),
    "latency, shared outage": (
        Scenario("latency, shared outage", 0.05, 0.05, outage=slow_share(OUTAGE_FACTOR)),
        1000,
    ),
    "latency p95 +25 %": (Scenario("latency p95 +25 %", 0.05, slow_share(1.25)), 1000),
}
GOOD, OUTAGE = "nothing wrong", "shared outage"


@dataclass(frozen=True)
class Row:
    """One rule in one scenario: requests of the canary at the rollback of each release, inf for none."""

    rule: str
    scenario: str
    after: np.ndarray

    @property
    def rolled_back(self) -> float:
        """The share of releases that were rolled back."""
        return float(np.isfinite(self.after).mean())

    @property
    def median(self) -> float:
        return float(np.quantile(self.after, 0.5, method="higher"))

    @property
    def late(self) -> float:
        """The 95th percentile."""
        return float(np.quantile(self.after, 0.95, method="higher"))

    def by(self, requests: float) -> float:
        """The share that was rolled back within so many requests of the canary."""
        return float((self.after <= requests).mean())


Rows = Mapping[tuple[str, str], Row]  # (rule, scenario)


def measure() -> list[Measure]:
    """The figures that the judge promises; writes its page on the way."""
    rows = {**play(ERRORS, by_errors), **play(LATENCY, by_latency)}
    promises = foretold.promises(SEED)
    judge_page.write(rows, promises)
    return [*_promised(rows), *_foretold(promises)]


def play(scenarios: Mapping[str, tuple[Scenario, int]], rules: Callable[[Releases], dict[str, np.ndarray]]) -> Rows:
    """Every rule on every scenario."""
    out: dict[tuple[str, str], Row] = {}
    for number, (name, (scenario, count)) in enumerate(scenarios.items()):
        found: dict[str, list[np.ndarray]] = {}
        for some in simulate(scenario, count, SEED + number):
            for rule, after in rules(some).items():
                found.setdefault(rule, []).append(after)
        for some in simulate(scenario, MINUTES_OF, SEED + 100 + number, each=MINUTES_OF):
            found[US_MINUTES] = [by_minutes(some, SEED + 200 + number)]
        out |= {(rule, name): Row(rule, name, np.concatenate(after)) for rule, after in found.items()}
    return out


def by_errors(some: Releases) -> dict[str, np.ndarray]:
    """All rules on the rate of errors, in requests of the canary."""
    canary, baseline = some.green_bad / np.maximum(some.green, 1), some.baseline_bad / np.maximum(some.baseline, 1)
    scenario = some.scenario
    bad = scenario.green if scenario.green > scenario.blue else 3 * scenario.blue
    minutes = {
        "Argo Rollouts, a minute above 1 %": peers.argo(canary, above=0.01),
        "alarm above 2 %, 1 of 1": peers.alarm(canary, above=0.02, breaching=1, evaluated=1),
        "alarm above 2 %, 3 of 5": peers.alarm(canary, above=0.02, breaching=3, evaluated=5),
        "Flagger, 10 minutes above 1 %": peers.flagger(canary, above=0.01, threshold=10),
        "Flagger tuned, 5 minutes above 2 %": peers.flagger(canary, above=0.02, threshold=5),
        **_kayenta(canary, baseline),
        **_z_tests(some),
        ORACLE: peers.oracle(some, good=scenario.blue, bad=bad, alpha=0.01),
    }
    return {**_ours(some, SETTINGS.errors), **_requests(some, minutes)}


def by_latency(some: Releases) -> dict[str, np.ndarray]:
    """All rules on the latency: the p95 of each minute, or the requests above today's p95."""
    numbers = np.random.default_rng(SEED)
    factor = _factor(some)
    today = P50 * np.exp(SIGMA * NORMAL.inv_cdf(0.95))
    canary = percentiles(numbers, some.green, factor)[95.0] / today
    baseline = percentiles(numbers, some.baseline, np.where(_in_outage(some), OUTAGE_FACTOR, 1.0))[95.0] / today
    bad = slow_share(1.25)
    minutes = {
        "Argo Rollouts, a minute above today +10 %": peers.argo(canary, above=1.1),
        "alarm above today +10 %, 1 of 1": peers.alarm(canary, above=1.1, breaching=1, evaluated=1),
        "alarm above today +10 %, 3 of 5": peers.alarm(canary, above=1.1, breaching=3, evaluated=5),
        "Flagger, 10 minutes above 500 ms": peers.flagger(canary, above=500 / today, threshold=10),
        "Flagger tuned, 5 minutes above today +10 %": peers.flagger(canary, above=1.1, threshold=5),
        **_kayenta(canary, baseline),
        **_z_tests(some),
        ORACLE: peers.oracle(some, good=0.05, bad=bad, alpha=0.01),
    }
    return {**_ours(some, SETTINGS.latency), **_requests(some, minutes)}


def by_minutes(some: Releases, seed: int) -> np.ndarray:
    """The judge of closed minutes, on errors and latency at once."""
    if not some.scenario.name.startswith("latency"):
        return ours.by_minutes(some, seed)
    outage = OUTAGE_FACTOR if some.scenario.outage else 1.0
    slower = 1.25 if some.scenario.green > some.scenario.blue else 1.0
    rare = replace(some, scenario=replace(some.scenario, blue=0.01, green=0.01))
    numbers = np.random.default_rng(seed + 1)
    errors = replace(rare, green_bad=numbers.binomial(some.green, 0.01), blue_bad=numbers.binomial(some.blue, 0.01))
    return ours.by_minutes(errors, seed, factor=slower, outage=outage)


def honest(rows: Rows, rule: str, kind: str = "") -> bool:
    """Whether a rule leaves good releases alone, also in a shared outage."""
    return all(rows[rule, f"{kind}{name}"].rolled_back <= HONEST for name in (GOOD, OUTAGE))


def best_peer(rows: Rows, scenario: str, kind: str = "") -> Row:
    """The honest rule of the others that needs the fewest requests in a scenario."""
    others = {rule for rule, name in rows if name == scenario} - {US, US_MINUTES, TOLD, ORACLE}
    return min((rows[rule, scenario] for rule in others if honest(rows, rule, kind)), key=lambda row: row.median)


def _promised(rows: Rows) -> list[Measure]:
    found = rows[US, "1 -> 3 %"]
    both = rows[US, GOOD].rolled_back + rows[US, f"latency, {GOOD}"].rolled_back
    outage = rows[US, OUTAGE].rolled_back + rows[US, f"latency, {OUTAGE}"].rolled_back
    little = rows[US, "10 a second, 1 -> 3 %"]
    return [
        Measure("median_1_to_3", found.median, 450, "requests", "of the canary until the evidence is there"),
        Measure("late_1_to_3", found.late, 1250, "requests", "95th percentile"),
        Measure("false_rollbacks", both, HONEST, "", "36,000 canary requests, errors and latency together"),
        Measure("false_shared_outage", outage, HONEST, "", "thresholds: 0.99 to 1"),
        Measure("false_bursts", rows[US, "bursts"].rolled_back, HONEST, "", "errors of one client come in threes"),
        Measure("median_bursts", rows[US, "bursts, 1 -> 3 %"].median, 2000, "requests", "the same, 1 -> 3 %"),
        Measure("false_little_traffic", rows[US, "10 a second"].rolled_back, HONEST, "", "10 requests a second"),
        Measure("missed_little_traffic", 1 - little.rolled_back, 0.05, "", "1 -> 3 % in an hour, 10 requests a second"),
        Measure("false_minutes", rows[US_MINUTES, GOOD].rolled_back, HONEST, "", "closed minutes without clients"),
        Measure("false_minutes_bursts", rows[US_MINUTES, "bursts"].rolled_back, HONEST, "", "the same with bursts"),
        *(
            _against(rows, scenario, kind)
            for scenario, kind in (
                ("1 -> 3 %", ""),
                ("0.1 -> 1 %", ""),
                ("1 -> 2 %", ""),
                ("latency p95 +25 %", "latency, "),
            )
        ),
    ]


def _against(rows: Rows, scenario: str, kind: str) -> Measure:
    """Our median over the one of the best honest peer: a fifth is wanted."""
    mine, other = rows[US, scenario], best_peer(rows, scenario, kind)
    name = "of_best_peer_" + "".join(letter if letter.isalnum() else "_" for letter in scenario)
    return Measure(name, mine.median / other.median, 0.2, "x", f"{other.rule}: {mine.median:.0f} / {other.median:.0f}")


def _foretold(promises: list[foretold.Promise]) -> list[Measure]:
    against = f"{len(promises)} configurations, {foretold.RELEASES:,} simulated releases each"
    return [
        Measure("forecast_chance_off", max(p.chance_off for p in promises), CHANCE_ERROR, "", against),
        Measure("forecast_median_off", max(p.median_off for p in promises), TIME_ERROR, "", against),
    ]


def _ours(some: Releases, question: Question) -> dict[str, np.ndarray]:
    """The judge; and what it could do at best, with all its money on the ratio that is true."""
    scenario = some.scenario
    ratio = scenario.green / scenario.blue if scenario.green > scenario.blue else question.centre
    # With a margin the bet pays as if that ratio were no difference: what is left of it is the best bet.
    told = Bets(np.array([ratio / question.margin]), np.ones(1))
    return {
        US: ours.after_every_error(some, question),
        TOLD: ours.after_every_error(some, question, told),
    }


def _kayenta(canary: np.ndarray, baseline: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "Kayenta-style, every 5 minutes": peers.kayenta(canary, baseline),
        "Kayenta-style, once after an hour": peers.kayenta(canary, baseline, start=canary.shape[1]),
    }


def _z_tests(some: Releases) -> dict[str, np.ndarray]:
    return {f"z-test every minute, {alpha:g}": peers.z_test(some, alpha=alpha) for alpha in (0.05, 0.001)}


def _requests(some: Releases, minutes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Minutes of rollbacks as requests of the canary."""
    so_far = some.canary_by_minute.astype(float)
    every = np.arange(len(so_far))
    return {rule: np.where(at >= 0, so_far[every, np.maximum(at, 0)], np.inf) for rule, at in minutes.items()}


def _in_outage(some: Releases) -> np.ndarray:
    return some.scenario.rates("blue") != some.scenario.blue


def _factor(some: Releases) -> np.ndarray:
    """How many times as long green's requests take in each minute."""
    slower = 1.25 if some.scenario.green > some.scenario.blue else 1.0
    return np.where(_in_outage(some), OUTAGE_FACTOR, slower)
