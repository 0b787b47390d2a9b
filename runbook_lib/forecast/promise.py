"""The forecast of a release: its time line, what the judge and the alarms can see of it, and a better configuration.

All of it is calculated from the traffic and the traffic configuration; nothing is simulated and nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from runbook_lib.analysis.counting import caution
from runbook_lib.analysis.observed import Source
from runbook_lib.analysis.settings import Question, Settings
from runbook_lib.check import Check, Checks, Verdict, checks
from runbook_lib.forecast.chance import Course, Watch, course, smallest, watch
from runbook_lib.forecast.course import AlarmRule, Objective, Shift, Traffic, Waits
from runbook_lib.forecast.reach import Reach, reach

HISTORY = 60  # minutes of blue that the judge is given to know how much they scatter
BINS = 2  # closed bins that a canary must last beside the lag of the data
# What is proposed: longer first, then larger; 10 percent for 15 minutes is what AWS has and what fits most services.
PROPOSALS = tuple(
    Shift("canary", percent, minutes)
    for percent, minutes in (
        (10, 15), (10, 30), (20, 15), (20, 30), (25, 30), (50, 30), (25, 60), (50, 60), (50, 120),
    )
)  # fmt: skip
# How far the calculation may be from 2,000 simulated releases, as a chance and as a part of the time that it takes (of
# which a closed minute is the grain): `make bench NAME=judge` measures it.
CHANCE_ERROR = 0.05
TIME_ERROR = 0.1


@dataclass(frozen=True)
class Stage:
    """A stage of the release: minutes since the deployment began, green's share, and whether going back is instant."""

    name: str
    start: float
    end: float
    share: float
    instant_back: bool


@dataclass(frozen=True)
class Power:
    """What the judge can see of one question with this traffic; rates are shares of requests, minutes of the shift.

    `demanded` is the rate of green that the objective wants to be seen, `chance` how surely the release is stopped for
    it before green has all the traffic (with the error of the calculation), `chance_late` how surely it is found out at
    all while both versions can be compared. `smallest` is the smallest rate that is stopped in time as surely as the
    objective wants, None when none is; `smallest_factor` says it as a factor of the latency. `median_requests` and
    `late_requests` (95th percentile) are requests of green until the evidence is there, `acted` minutes until it can be
    acted on, the lag included, in the middle; None where fewer releases are found out. `hurt` are the requests that
    fail (or are slow) on green beyond what would have on blue, on average until somebody acts.
    """

    question: str
    base: float
    demanded: float
    chance: float
    chance_low: float
    chance_high: float
    chance_late: float
    smallest: float | None
    smallest_factor: float | None
    median_requests: float | None
    late_requests: float | None
    acted: float | None
    hurt: float


@dataclass(frozen=True)
class Forecast:
    """What will happen in a release, before it begins; `refused` says why it must not begin like this."""

    traffic: Traffic
    shift: Shift
    source: Source
    objective: Objective
    stages: tuple[Stage, ...]
    instant_until: float  # minutes since the deployment began
    errors: Power
    latency: Power
    alarm: Reach
    refused: str | None
    better: Shift | None  # None: this one sees what the objective wants, or none of the proposals does

    @property
    def sees_enough(self) -> bool:
        """Whether the judge sees what the objective wants, as surely as it wants, in time."""
        return min(self.errors.chance, self.latency.chance) >= self.objective.chance

    def checks(self) -> Checks:
        """The forecast as answers for the gate: FAIL where it is refused, INCONCLUSIVE where too little can be seen."""
        return checks(
            "Can this release be judged?", (self._length(), self._power(self.errors), self._power(self.latency))
        )

    def _length(self) -> Check:
        wanted = f"at least {_least_minutes(self.source):g} min with traffic on both versions"
        seen = f"{self.shift.compared_minutes:g} min ({self.shift})"
        verdict = Verdict.FAIL if self.refused else Verdict.OK
        return Check(
            "Is the shift long enough to be judged?", verdict, seen, wanted, self._remedy if self.refused else ""
        )

    def _power(self, power: Power) -> Check:
        seen = f"{power.chance:.0%} in time, {power.chance_late:.0%} at all"
        wanted = f"{self.objective.chance:.0%} in time for {power.base:.2%} -> {power.demanded:.2%}"
        good = power.chance >= self.objective.chance
        question = f"Would the judge see what must be seen ({power.question})?"
        return Check(question, Verdict.OK if good else Verdict.INCONCLUSIVE, seen, wanted, "" if good else self._remedy)

    @property
    def _remedy(self) -> str:
        if self.better is None:
            return "no canary up to two hours sees it with this traffic: probe more, or ask for less in the objective"
        values = f"step_percent={self.better.percent}, step_minutes={self.better.minutes}"
        return f"{self.better}: release.traffic=canary, {values}"


def forecast(
    traffic: Traffic,
    shift: Shift,
    waits: Waits,
    *,
    alarm: AlarmRule,
    source: Source,
    objective: Objective,
    settings: Settings | None = None,
) -> Forecast:
    """What a release with this traffic and this configuration will look like, and what of it can be seen in time."""
    plan = _Plan(traffic, waits, source, objective, settings or Settings())
    errors, latency = (_power(plan, asked, shift) for asked in plan.asked)
    refused = _refusal(shift, source)
    enough = min(errors.chance, latency.chance) >= objective.chance
    stages = tuple(_stages(shift, waits))
    return Forecast(
        traffic=traffic,
        shift=shift,
        source=source,
        objective=objective,
        stages=stages,
        instant_until=stages[-1].end,
        errors=errors,
        latency=latency,
        alarm=reach(alarm, traffic, shift, objective.error_rise),
        refused=refused,
        better=None if enough and not refused else _better(plan, shift),
    )


@dataclass(frozen=True)
class _Asked:
    """A question with today's share of bad requests, and the one that must be seen."""

    name: str
    question: Question
    base: float
    demanded: float


@dataclass(frozen=True)
class _Plan:
    """What stays the same whichever way the traffic moves."""

    traffic: Traffic
    waits: Waits
    source: Source
    objective: Objective
    settings: Settings

    @property
    def asked(self) -> tuple[_Asked, _Asked]:
        """Both questions."""
        base, rise, slow = self.traffic.error_rate, self.objective.error_rise, self.settings.slow_percent / 100
        slower = self.traffic.slow_share(self.objective.latency_factor)
        return (
            _Asked("errors", self.settings.errors, base, min(1.0, base + rise)),
            _Asked("latency", self.settings.latency, slow, slower),
        )


def _least_minutes(source: Source) -> float:
    return (source.lag_seconds + BINS * source.bin_seconds) / 60


def _refusal(shift: Shift, source: Source) -> str | None:
    """Why a shift cannot be judged at all; all at once is said to be so, and is a choice."""
    least = _least_minutes(source)
    if shift.kind == "all_at_once" or shift.compared_minutes >= least:
        return None
    lag = f"{source.name} come {source.lag_seconds / 60:g} min late in bins of {source.bin_seconds / 60:g} min"
    return f"{shift} is over after {shift.compared_minutes:g} min; {lag}: it takes {least:g} min to see anything"


def _seen(plan: _Plan, asked: _Asked, shift: Shift) -> tuple[Watch, Course]:
    """How a question is watched during a shift, and how soon the rate that is demanded is found out."""
    each = _each(plan.traffic, asked.name, plan.source)
    watched = watch(shift, plan.traffic.seen, asked.base / each, plan.source, asked.question, plan.settings)
    return watched, course(watched, asked.demanded / each)


def _power(plan: _Plan, asked: _Asked, shift: Shift) -> Power:
    traffic, objective = plan.traffic, plan.objective
    each = _each(traffic, asked.name, plan.source)
    lag = plan.source.lag_seconds / 60
    in_time = shift.compared_minutes - lag
    watched, found = _seen(plan, asked, shift)
    least = smallest(watched, objective.chance, by=in_time)
    rate = least * each if least is not None and least * each <= 1 else None
    middle, late = found.quantile(0.5), found.quantile(0.95)
    chance = found.by(in_time)
    return Power(
        question=asked.name,
        base=asked.base,
        demanded=asked.demanded,
        chance=chance,
        chance_low=max(0.0, chance - CHANCE_ERROR),
        chance_high=min(1.0, chance + CHANCE_ERROR),
        chance_late=found.by(shift.compared_minutes),
        smallest=rate,
        smallest_factor=traffic.slow_factor(rate)
        if asked.name == "latency" and rate is not None and rate < 1
        else None,
        median_requests=_requests(shift, traffic, middle),
        late_requests=_requests(shift, traffic, late),
        acted=middle + lag if middle is not None else None,
        hurt=_hurt(found, shift, traffic, plan.waits, lag) * (asked.demanded - asked.base),
    )


def _each(traffic: Traffic, name: str, source: Source) -> float:
    """How many bad requests make one witness: bursts of errors count once, or by how much they scatter.

    Bursts of geometric length with mean m scatter 2m - 1 times as much as single errors; and the judge, who knows the
    scatter from an hour of minutes, is as cautious as they are few.
    """
    burst = traffic.burst if name == "errors" else 1.0
    return (2 * burst - 1) * caution(HISTORY) if source.bin_seconds else burst


def _requests(shift: Shift, traffic: Traffic, minute: float | None) -> float | None:
    return None if minute is None else shift.green_until(minute, traffic.requests_per_second)


def _hurt(found: Course, shift: Shift, traffic: Traffic, waits: Waits, lag: float) -> float:
    """Requests of green until somebody acts, on average; what is never found out lasts until blue is gone."""
    rate = traffic.requests_per_second
    last = shift.green_until(shift.compared_minutes + waits.termination, rate)
    total, before = 0.0, 0.0
    for look, chance in zip(found.looks.tolist(), found.found.tolist(), strict=True):
        total += (chance - before) * min(last, shift.green_until(look + lag, rate))
        before = chance
    return total + (1 - before) * last


def _better(plan: _Plan, shift: Shift) -> Shift | None:
    """The first proposal that sees what must be seen in time."""
    for proposal in PROPOSALS:
        if proposal != shift and _refusal(proposal, plan.source) is None:
            in_time = proposal.compared_minutes - plan.source.lag_seconds / 60
            if all(_seen(plan, asked, proposal)[1].by(in_time) >= plan.objective.chance for asked in plan.asked):
                return proposal
    return None


def _stages(shift: Shift, waits: Waits) -> Iterator[Stage]:
    at = 0.0
    for name, minutes in (
        ("green starts", waits.start),
        ("hooks and test traffic", waits.hooks),
        ("wait", waits.ready),
    ):
        if minutes:
            yield Stage(name, at, at + minutes, 0.0, True)
            at += minutes
    steps = shift.steps
    for (start, share), (end, _) in pairwise(steps):
        yield Stage(f"{share:.0%} on green", at + start, at + end, share, True)
    at += steps[-1][0]
    yield Stage("all on green, blue waits", at, at + waits.termination, 1.0, True)
