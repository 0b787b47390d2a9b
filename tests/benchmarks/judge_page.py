"""Writes notebooks/reference/judge.md and its chart from what the benchmark measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runbook_lib.analysis import Settings
from runbook_lib.check import Verdict
from runbook_lib.forecast.promise import CHANCE_ERROR, TIME_ERROR
from tests.benchmarks import ours
from tests.benchmarks.foretold import RELEASES, Promise
from tests.benchmarks.harness import ROOT

if TYPE_CHECKING:
    from tests.benchmarks.judge import Row

PAGE = ROOT / "notebooks" / "reference" / "judge.md"
CHART = PAGE.with_name("judge.svg")
HEAD = """# How good the judge is

This page is written by `make bench NAME=judge`: simulated releases with fixed seeds, every rule on the same traffic.

A canary gets 10 percent of 100 requests a second, and each rule watches for an hour: 36,000 requests of the canary.
Figures are **requests of the canary until the rollback**, the median and the 95th percentile: the evidence that a rule
needs, without the time that data take to arrive (own probes: none; metrics: about 3 minutes; access logs: about 10).
A rule is *honest* when it rolls back at most 1 percent of good releases, with nothing wrong **and** in an outage that
hits both versions (4 percent errors, or half as slow again, for 5 minutes). "-" means that it did not roll back.
"""
FINAL = (Verdict.OK, Verdict.INCONCLUSIVE, Verdict.FAIL)
FALSE = ("nothing wrong", "shared outage", "bursts", "10 a second")
FOUND = ("1 -> 3 %", "0.1 -> 1 %", "1 -> 2 %", "bursts, 1 -> 3 %", "10 a second, 1 -> 3 %")
FALSE_LATENCY = ("latency, nothing wrong", "latency, shared outage")
FOUND_LATENCY = ("latency p95 +25 %",)
RULES = """
## The rules

* **The judge** bets at every error on whether it comes from the new version (`runbook_lib/analysis`). One configuration
  for all rows: {errors};
  {latency}.
  Errors of one client within {window:g} s count once.
  *Closed minutes* is the same judge where nobody knows clients, as with CloudWatch: alphas of a tenth, evidence from at
  least {minutes} different minutes, divided by how much an hour of the former version's minutes scatters.
  It answers for errors and latency at once, and each of its rows stands for 400 releases.
* **Flagger**: failed checks are counted up and never forgotten. **Argo Rollouts**: failureLimit 0, its default.
* **Kayenta-style**: Mann-Whitney over the minutes of the canary and of a third fleet of the same size with the former
  version; bad where the lower end of the 98 percent interval of the shift is above a quarter of the shift. A
  re-implementation of the published algorithm, without its outlier step and its scores.
* **z-test**: two proportions, looked at every minute. **Oracle**: Wald's test of one who knows both true rates.
* **Told the ratio**: the same bets with all the money on the ratio that is true. Nobody who looks after every error
  with the same alpha does much better (Wald); where a fifth of a peer's requests is less than that, it cannot be had.
* Bursts: every error is the first of a client that tries again, three errors on average; peers count them all.
"""


def write(rows: Mapping[tuple[str, str], Row], promises: Sequence[Promise]) -> None:
    """The page with its tables, and the chart."""
    parts = [HEAD, "\n![Requests of the canary until a rollback, errors 1 -> 3 %](judge.svg)\n"]
    parts += ["\n## Errors\n", *_table(rows, FALSE, FOUND, "")]
    parts += ["\n## Latency\n", *_table(rows, FALSE_LATENCY, FOUND_LATENCY, "latency, ")]
    parts += [*_little(rows), *_promises(promises), _rules()]
    PAGE.write_text("".join(parts), encoding="utf-8")
    draw(rows)


def draw(rows: Mapping[tuple[str, str], Row]) -> None:
    """How many of the bad releases are rolled back by how many requests of the canary; what is not honest is grey."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from tests.benchmarks.judge import US, honest

    scenario = "1 -> 3 %"
    with rc_context({"svg.hashsalt": "judge", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4), layout="constrained")
        plot = figure.subplots()
        for rule, name in rows:
            if name == scenario:
                _curve(plot, rows[rule, name], rule == US, honest(rows, rule))
        plot.set_xscale("log")
        plot.set_xlim(50, 40_000)
        plot.set_xticks([100, 1000, 10_000], ["100", "1,000", "10,000"])
        plot.set_ylim(0, 100)
        plot.set_xlabel("requests of the canary", fontsize=9)
        plot.set_ylabel("releases rolled back, percent", fontsize=9)
        title = "A version that fails three times as often is found out with few requests"
        plot.set_title(title, loc="left", fontsize=11, fontweight="bold")
        plot.tick_params(labelsize=8)
        plot.grid(color="#dddddd", linewidth=0.6)
        for side in ("top", "right"):
            plot.spines[side].set_visible(False)
        plot.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), title="dotted: not honest")
        figure.savefig(CHART, format="svg", metadata={"Date": None})


def _curve(plot: Any, row: Row, mine: bool, is_honest: bool) -> None:
    after = np.sort(row.after)
    style = {"linewidth": 2.5, "color": "#009E73"} if mine else {"linewidth": 1.3 if is_honest else 0.9}
    line = "-" if is_honest else (0, (1, 1.5))
    plot.plot(after, 100 * np.arange(1, len(after) + 1) / len(after), linestyle=line, label=row.rule, **style)


def _table(rows: Mapping[tuple[str, str], Row], false: Sequence[str], found: Sequence[str], kind: str) -> Iterator[str]:
    from tests.benchmarks.judge import honest

    names = [name.removeprefix(kind) for name in (*false, *found)]
    yield f"\n| rule | {' | '.join(names)} | honest |\n|---|{'--:|' * len(names)}---|\n"
    for rule in dict.fromkeys(rule for rule, name in rows if name == false[0]):
        cells = [f"{100 * rows[rule, name].rolled_back:.2f} %" for name in false]
        cells += [f"{_number(rows[rule, name].median)} / {_number(rows[rule, name].late)}" for name in found]
        yield f"| {rule} | {' | '.join(cells)} | {'yes' if honest(rows, rule, kind) else 'no'} |\n"
    yield "\nThe first columns are rollbacks of good releases in an hour.\n"


def _little(rows: Mapping[tuple[str, str], Row]) -> Iterator[str]:
    from tests.benchmarks.judge import ERRORS, SEED, US, US_MINUTES

    yield "\n## Ten requests a second\n\nThe canary gets one request a second. Found out, of releases with 1 -> 3 %:\n"
    yield "\n| rule | in 5 minutes | in 15 minutes | in an hour |\n|---|--:|--:|--:|\n"
    for rule in (US, US_MINUTES):
        row = rows[rule, "10 a second, 1 -> 3 %"]
        yield f"| {rule} | {' | '.join(f'{100 * row.by(60 * minutes):.1f} %' for minutes in (5, 15, 60))} |\n"
    yield "\nWhat the judge says after 15 minutes, of 300 releases each, by errors alone:\n"
    yield "\n| releases | OK | INCONCLUSIVE | FAIL |\n|---|--:|--:|--:|\n"
    for name, (scenario, _) in ERRORS.items():
        if scenario.requests_per_second == 10:
            found = ours.verdicts(scenario, 300, 15, SEED)
            yield f"| {name} | {' | '.join(f'{100 * found[verdict]:.1f} %' for verdict in FINAL)} |\n"
    yield "\nThe forecast says so before the release, and proposes more time.\n"


def _promises(promises: Sequence[Promise]) -> Iterator[str]:
    yield f"""
## What the forecast promises, and what {RELEASES:,} simulated releases did

The chance to be stopped in time (before green has all the traffic, the lag of the data included), within
{CHANCE_ERROR:g}; and the requests of the canary until the evidence is there, in the middle, within {TIME_ERROR:.0%} of
the time or one closed minute.

| traffic | shift | data | errors | chance promised | happened | requests promised | happened |
|---|---|---|---|--:|--:|--:|--:|
"""
    for promise in promises:
        foretold, errors = promise.forecast, promise.forecast.errors
        traffic = f"{foretold.traffic.requests_per_second:g} a second"
        traffic += f", bursts of {foretold.traffic.burst:g}" if foretold.traffic.burst > 1 else ""
        rates = f"{100 * errors.base:g} -> {100 * errors.demanded:g} %"
        cells = (
            f"{errors.chance:.3f} | {promise.chance:.3f} | "
            f"{_number(errors.median_requests)} | {_number(promise.median_requests)}"
        )
        yield f"| {traffic} | {foretold.shift} | {foretold.source.name} | {rates} | {cells} |\n"


def _rules() -> str:
    settings = Settings()
    asked = {"errors": settings.errors, "latency": settings.latency}
    told = {
        name: f"{name} with alpha {question.alpha:g}, bets on ratios around {question.centre:g}"
        for name, question in asked.items()
    }
    return RULES.format(**told, window=settings.client_window_seconds, minutes=settings.least_minutes)


def _number(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:,.0f}"
