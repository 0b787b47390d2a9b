"""The judge: is green worse than blue? May be asked after every request; the answer is never a guess.

FAIL: green is worse, and that this is said of a good version happens with probability alpha at most, over all looks.
OK: a rise as large as the harm that must not be missed is out of the question. INCONCLUSIVE: neither, and why.
No data, too little traffic, old data or no traffic on the other colour are INCONCLUSIVE: never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from runbook_lib.analysis.bounds import rate_bounds
from runbook_lib.analysis.counting import (
    Comparable,
    Counts,
    Sample,
    as_minutes,
    cells_as_minutes,
    comparable,
    count_cells,
    count_minutes,
    count_rows,
    slow_requests,
    told_apart,
)
from runbook_lib.analysis.evidence import bets, ratio_interval, running, without_best
from runbook_lib.analysis.observed import Cells, ClosedMinute, Observed, Source, moment
from runbook_lib.analysis.power import mean_for, needed
from runbook_lib.analysis.settings import Question, Settings
from runbook_lib.check import Check, Checks, Verdict, checks
from runbook_lib.errors import BadInput

ERRORS, LATENCY = "errors", "latency"
ROUNDING = 1e-9
THOUSAND, MANY = 1e3, 1e6  # winnings from which on tenths, and digits at all, tell nobody anything
STALE_BINS = 2  # data that ends so many bins before it could have been read is old


@dataclass(frozen=True)
class Finding:
    """The answer of one source to one question: `errors` or `latency`.

    Rates are shares of requests, 0 to 1. `ratio` is green : blue with its interval, `rise` green minus blue with its
    largest possible value, which hold at every look at once; both are of rates in which each time counts alike for both
    colours (Sample.rate), not of the plain sums in `green` and `blue`. `winnings` are what bets against green
    have won at most, `wanted` what they must win for a FAIL. `decided_at` is when the evidence was there and
    `decided_after` how many requests of green it took (None without a FAIL); `acts_at` is when it could have been acted
    on, the lag of the source included. `smallest` is the rate of green that would have been seen with the settings'
    power, None where none would.
    """

    question: str
    source: Source
    verdict: Verdict
    reason: str
    green: Sample
    blue: Sample
    ratio: float | None
    ratio_low: float
    ratio_high: float
    rise: float | None
    rise_high: float
    winnings: float
    wanted: float
    decided_at: datetime | None
    decided_after: int | None
    acts_at: datetime | None
    smallest: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What all sources say to all questions: a question gets its surest answer, and the worst question wins."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL where any source is sure of it; OK where every question has a source that is; else INCONCLUSIVE."""
        return max((self.of(question) for question in (ERRORS, LATENCY)), default=Verdict.INCONCLUSIVE)

    def of(self, question: str) -> Verdict:
        """The verdict of one question over all sources; INCONCLUSIVE when nobody was asked."""
        found = [finding.verdict for finding in self.findings if finding.question == question]
        if Verdict.FAIL in found:
            return Verdict.FAIL
        return Verdict.OK if Verdict.OK in found else Verdict.INCONCLUSIVE

    @property
    def deciding(self) -> Finding | None:
        """The finding that ended it: the earliest FAIL that could be acted on; None without one."""
        failed = [finding for finding in self.findings if finding.verdict == Verdict.FAIL and finding.acts_at]
        return min(failed, key=lambda finding: finding.acts_at or self.at, default=None)

    def checks(self) -> Checks:
        """The findings as answers, for a table or a gate."""
        return checks("Is the new version as good as the former one?", [_check(finding) for finding in self.findings])


def judge(observed: Sequence[Observed], *, now: datetime, settings: Settings | None = None) -> Judgement:
    """Compare green with blue by everything that was observed up to now; the same for a release of the past.

    Several sources share the chance of a false alarm. Asked again with more data it never takes a FAIL back.
    """
    settings = settings or Settings()
    late = next((one for one in observed if one.until > now), None)
    if late is not None:
        raise BadInput(
            where=f"judge: {late.source.name}",
            seen=f"data until {late.until:%H:%M:%S}",
            wanted=f"at most now, {now:%H:%M:%S}",
            next_step="give `until` as the end of the last bin that was read, by the clock of the account",
        )
    findings = [finding for one in observed for finding in _findings(one, len(observed), now, settings)]
    return Judgement(now, tuple(findings))


def _findings(observed: Observed, sources: int, now: datetime, settings: Settings) -> list[Finding]:
    old = _old(observed, now)
    asked = {ERRORS: settings.errors, LATENCY: settings.latency}
    counted = _count(observed, settings)
    return [
        _finding(name, observed.source, counts, _limits(asked[name], counts, sources, settings), old, settings)
        for name, counts in counted.items()
    ]


def _count(observed: Observed, settings: Settings) -> dict[str, Counts | str]:
    """The witnesses of each question, or why it cannot be asked."""
    if observed.cells is not None:
        return _count_cells(observed, observed.cells, settings)
    return _count_minutes(observed, settings) if observed.minutes else _count_rows(observed, settings)


def _old(observed: Observed, now: datetime) -> str | None:
    """Why the data are too old to pass anything; None while they are fresh."""
    source = observed.source
    allowed = timedelta(seconds=source.lag_seconds + STALE_BINS * max(source.bin_seconds, 60))
    if now - observed.until <= allowed:
        return None
    return f"the data end {(now - observed.until).total_seconds() / 60:.0f} minutes ago"


def _count_rows(observed: Observed, settings: Settings) -> dict[str, Counts | str]:
    found = comparable(observed, settings)
    rows = found.rows
    slow_ms = observed.slow_ms or _blue_limit(found, settings)
    if not found.clients:
        minutes = as_minutes(found, observed.until.timestamp(), slow_ms)
        return _of_minutes(minutes, slow_ms, found.notes)
    answered = np.isfinite(rows.latency_ms)
    errors = count_rows(found, rows.failed, np.ones(len(rows), dtype=bool), settings)
    if slow_ms is None:
        return {ERRORS: errors, LATENCY: _NO_LIMIT}
    with np.errstate(invalid="ignore"):
        slow = count_rows(found, rows.latency_ms > slow_ms, answered, settings)
    return {ERRORS: errors, LATENCY: replace(slow, slow_ms=slow_ms)}


def _count_cells(observed: Observed, cells: Cells, settings: Settings) -> dict[str, Counts | str]:
    closed = cells.at + 60 <= observed.until.timestamp()
    cells = Cells(**{name: column[closed] for name, column in vars(cells).items()})
    apart, notes = told_apart(cells, settings)
    if not apart:
        return _of_minutes(cells_as_minutes(cells), observed.slow_ms, notes)
    errors = count_cells(cells, cells.failed, observed.weights, notes)
    if observed.slow_ms is None:
        return {ERRORS: errors, LATENCY: _NO_LIMIT}
    slow = count_cells(cells, cells.slow, observed.weights, notes)
    return {ERRORS: errors, LATENCY: replace(slow, slow_ms=observed.slow_ms)}


def _count_minutes(observed: Observed, settings: Settings) -> dict[str, Counts | str]:
    minute = timedelta(seconds=60)
    closed = tuple(found for found in observed.minutes if found.at + minute <= observed.until)
    return _of_minutes(closed, observed.slow_ms or _blue_p95(closed, settings), ())


def _of_minutes(
    minutes: Sequence[ClosedMinute], slow_ms: float | None, notes: Sequence[str]
) -> dict[str, Counts | str]:
    errors = count_minutes(minutes, _failed, notes)
    if slow_ms is None:
        return {ERRORS: errors, LATENCY: _NO_LIMIT}
    slow = count_minutes(minutes, lambda minute: slow_requests(minute, slow_ms), notes)
    return {ERRORS: errors, LATENCY: replace(slow, slow_ms=slow_ms)}


_NO_LIMIT = "no latency of blue to compare with"


def _failed(minute: ClosedMinute) -> float:
    return minute.failed


def _blue_limit(found: Comparable, settings: Settings) -> float | None:
    """The p95 of blue's requests, where there are enough to know it."""
    times = found.rows.latency_ms[~found.rows.green]
    times = times[np.isfinite(times)]
    return float(np.percentile(times, 100 - settings.slow_percent)) if len(times) >= settings.least_requests else None


def _blue_p95(minutes: Sequence[ClosedMinute], settings: Settings) -> float | None:
    """The middle of the p95 of blue's minutes."""
    wanted = 100 - settings.slow_percent
    blue = (minute for minute in minutes if minute.role == "blue")
    found = [ms for minute in blue for percent, ms in minute.percentiles if percent == wanted]
    return float(np.median(found)) if found else None


@dataclass(frozen=True)
class _Limits:
    """What a question demands of this source: the winnings' logarithm, and how many looks cannot decide alone."""

    question: Question
    log_wanted: float
    too_few: int


def _limits(question: Question, counts: Counts | str, sources: int, settings: Settings) -> _Limits:
    strict = isinstance(counts, Counts) and counts.strict
    alpha = (question.strict_alpha if strict else question.alpha) / sources
    return _Limits(question, -math.log(alpha), settings.least_minutes - 1 if strict else 0)


def _finding(
    name: str, source: Source, counts: Counts | str, limits: _Limits, old: str | None, settings: Settings
) -> Finding:
    if isinstance(counts, str):
        return _unknown(name, source, counts, limits)
    question = limits.question
    log_won = running(counts.tally, bets(question.centre, question.spread), margin=question.margin)
    looks = np.flatnonzero(_enough(counts, log_won, limits))
    first = int(looks[0]) if len(looks) else None
    low, high = ratio_interval(counts.tally, confidence=settings.confidence)
    rise_high = _rise_high(counts, settings)
    verdict, reason = _verdict(counts, first, rise_high, question, old, settings.least_requests)
    green, blue = counts.green.rate, counts.blue.rate
    decided = moment(float(counts.at[first])) if first is not None else None
    return Finding(
        question=name,
        source=source,
        verdict=verdict,
        reason=reason,
        green=counts.green,
        blue=counts.blue,
        ratio=green / blue if green is not None and blue else None,
        ratio_low=low,
        ratio_high=high,
        rise=green - blue if green is not None and blue is not None else None,
        rise_high=rise_high,
        winnings=math.exp(min(700.0, float(log_won.max()))) if len(log_won) else 1.0,
        wanted=math.exp(limits.log_wanted),
        decided_at=decided,
        decided_after=int(counts.green_requests[first]) if first is not None else None,
        acts_at=decided + timedelta(seconds=source.lag_seconds) if decided else None,
        smallest=_smallest(counts, limits, settings),
        notes=counts.notes,
    )


def _enough(counts: Counts, log_won: np.ndarray, limits: _Limits) -> np.ndarray:
    """At which looks the evidence ends the release: enough won, not by a few minutes alone, and a rise that matters."""
    enough = (log_won >= limits.log_wanted) & (counts.rise >= limits.question.negligible)
    return enough & (without_best(log_won, limits.too_few) > ROUNDING) if limits.too_few else enough


def _verdict(
    counts: Counts, first: int | None, rise_high: float, question: Question, old: str | None, least: int
) -> tuple[Verdict, str]:
    green, blue = counts.green, counts.blue
    if first is not None:
        return Verdict.FAIL, _told(counts)
    if old is not None:
        return Verdict.INCONCLUSIVE, old
    if min(green.requests, blue.requests) < least:
        told = f"{green.requests:.0f} requests of green and {blue.requests:.0f} of blue at equal time"
        return Verdict.INCONCLUSIVE, f"{told}: {least} of each are needed"
    if rise_high <= question.harm:
        return Verdict.OK, f"{_told(counts)}; a rise of more than {rise_high:.2%} is out of the question"
    told = f"a rise of up to {rise_high:.2%} is still possible, {question.harm:.2%} would be harm"
    return Verdict.INCONCLUSIVE, f"{_told(counts)}; {told}"


def _told(counts: Counts) -> str:
    """What there was, and the shares at equal time: those of the sums mix times at which green had little and much."""
    green, blue = counts.green, counts.blue
    bad = "failed" if counts.slow_ms is None else f"took longer than {counts.slow_ms:.0f} ms"
    told = f"{green.bad:.0f} of {green.requests:.0f} requests of green {bad}"
    told += f", {blue.bad:.0f} of {blue.requests:.0f} of blue"
    if green.rate is None or blue.rate is None:
        return told
    return f"{told}: {green.rate:.2%} and {blue.rate:.2%} at equal time"


def _rise_high(counts: Counts, settings: Settings) -> float:
    """The largest rise that is possible: by both rates, or by the ratio, whichever is less; half of the doubt each."""
    doubt = (1 - settings.confidence) / 2
    witnesses = counts.green.counted + counts.blue.counted
    each = max(1.0, (counts.green.bad + counts.blue.bad) / witnesses) if witnesses else 1.0
    green, blue = (
        rate_bounds(colour.alike_bad / each, colour.alike_requests / each, confidence=1 - doubt / 2)
        for colour in (counts.green, counts.blue)
    )
    _, ratio = ratio_interval(counts.tally, confidence=1 - doubt)
    by_ratio = (ratio - 1) * blue[1] if ratio < math.inf else 1.0
    return max(0.0, min(green[1] - blue[0], by_ratio))


def _smallest(counts: Counts, limits: _Limits, settings: Settings) -> float | None:
    """The smallest rate of green that would have ended the release by now, with the power of the settings."""
    if not counts.green.requests or not counts.blue.requests:
        return None
    question, tally = limits.question, counts.tally
    share = counts.green.requests / (counts.green.requests + counts.blue.requests)
    shares, where = np.unique(tally.share, return_inverse=True) if len(tally) else (np.array([share]), np.zeros(0, int))
    blue = np.bincount(where, weights=(tally.total - tally.green) / tally.dispersion, minlength=len(shares))
    count = needed(
        blue, shares, bets(question.centre, question.spread), limit=limits.log_wanted, margin=question.margin
    )
    if count is None:
        return None
    witnesses = counts.green.counted + counts.blue.counted
    each = max(1.0, (counts.green.bad + counts.blue.bad) / witnesses) if witnesses else 1.0
    rate = mean_for(count, settings.power) * each / counts.green.requests
    return rate if rate <= 1 else None


def _unknown(name: str, source: Source, reason: str, limits: _Limits) -> Finding:
    nothing = Sample(0.0, 0.0, 0.0, 0.0, 0.0)
    return Finding(
        question=name,
        source=source,
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
        green=nothing,
        blue=nothing,
        ratio=None,
        ratio_low=0.0,
        ratio_high=math.inf,
        rise=None,
        rise_high=1.0,
        winnings=1.0,
        wanted=math.exp(limits.log_wanted),
        decided_at=None,
        decided_after=None,
        acts_at=None,
        smallest=None,
    )


def _check(finding: Finding) -> Check:
    question = {ERRORS: "Do no more requests fail than before?", LATENCY: "Are no more requests slow than before?"}
    remedies = {
        Verdict.FAIL: "stop the deployment with rollback",
        Verdict.INCONCLUSIVE: "wait for more requests, or give the canary a longer interval or a larger share",
    }
    return Check(
        f"{question[finding.question]} ({finding.source.name})",
        finding.verdict,
        finding.reason,
        f"winnings below {finding.wanted:.0f}; they are {_amount(finding.winnings)}",
        remedies.get(finding.verdict, ""),
    )


def _amount(winnings: float) -> str:
    """Winnings for people: beyond a million the power of ten says all."""
    if winnings >= MANY:
        return f"over 10^{math.floor(math.log10(winnings))}"
    return f"{winnings:.1f}" if winnings < THOUSAND else f"{winnings:.0f}"
