"""When a target's health changes, worked out from its check settings and from what it answers over time.

Nothing happens check by check: the next change is found in one step, so that an hour of checks costs nothing.
Rules: ELB guide, target-group-health-checks (a new target is healthy after one passed check, whatever the threshold).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from runbook_lib.sandbox.services.elbv2.store import HealthCheck

DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.HealthCheckDisabled": "Health checks are disabled",
}


@dataclass(frozen=True)
class Answer:
    """What a target answers from a moment on; `status` is None when it gives no answer, at once or (silent) in time."""

    since: float
    status: int | None
    silent: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the checks make of an answer from a moment on; `reason` is None when they pass."""

    since: float
    reason: str | None
    description: str = ""
    lasts: float = 0.0  # seconds from the start of a check to its verdict

    @property
    def passes(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Schedule:
    """When checks start: at `first` and every `interval` after it."""

    first: float
    interval: float

    def next(self, moment: float, *, after: bool = False) -> float:
        """The first check at a moment or later (or later only)."""
        number = max(0, math.ceil((moment - self.first) / self.interval - 1e-9))
        found = self.first + number * self.interval
        return found + self.interval if after and found <= moment + 1e-9 else found

    def last(self, moment: float) -> float | None:
        """The last check that started at a moment or before, None before the first one."""
        number = math.floor((moment - self.first) / self.interval + 1e-9)
        return self.first + number * self.interval if number >= 0 else None


@dataclass(frozen=True)
class Change:
    """The state that a target enters, and when."""

    at: float
    state: str


@dataclass(frozen=True)
class Streak:
    """How many checks in a row passed or failed since a target entered its state, and what it failed with last."""

    state: str
    passes: int = 0
    fails: int = 0
    last_failure: Verdict | None = None

    def after(self, verdict: Verdict) -> Streak:
        """With one more check."""
        if verdict.passes:
            return replace(self, passes=self.passes + 1, fails=0)
        return replace(self, passes=0, fails=self.fails + 1, last_failure=verdict)

    def turns_to(self, check: HealthCheck) -> str:
        """The state that the target is in after these checks."""
        enough = 1 if self.state == "initial" else check.healthy
        if self.state != "healthy" and self.passes >= enough:
            return "healthy"
        if self.state != "unhealthy" and self.fails >= check.unhealthy:
            return "unhealthy"
        return self.state


def verdicts(check: HealthCheck, answers: Iterable[Answer]) -> tuple[Verdict, ...]:
    """What the checks make of a target's answers."""
    return tuple(_verdict(check, answer) for answer in answers)


def _verdict(check: HealthCheck, answer: Answer) -> Verdict:
    if answer.status is None:
        reason = "Target.Timeout" if answer.silent else "Target.FailedHealthChecks"
        return Verdict(answer.since, reason, DESCRIPTIONS[reason], check.timeout if answer.silent else 0.0)
    if accepts(check.codes, answer.status):
        return Verdict(answer.since, None)
    description = f"Health checks failed with these codes: [{answer.status}]"
    return Verdict(answer.since, "Target.ResponseCodeMismatch", description)


def accepts(codes: str, status: int) -> bool:
    """Whether a matcher such as 200,202 or 200-299 accepts a status."""
    spans = [part.partition("-") for part in codes.split(",")]
    return any(int(low) <= status <= int(high or low) for low, _, high in spans)


def next_change(
    state: str, since: float, check: HealthCheck, schedule: Schedule, found: Sequence[Verdict]
) -> Change | None:
    """The next change of a checked target that entered `state` at `since`; None when it stays as it is.

    `found` is in the order of time and its first verdict holds from the beginning.
    """
    begin = schedule.first if state == "initial" else schedule.next(since, after=True)
    wanted = {
        "initial": ((True, 1, "healthy"), (False, check.unhealthy, "unhealthy")),
        "healthy": ((False, check.unhealthy, "unhealthy"),),
        "unhealthy": ((True, check.healthy, "healthy"),),
    }[state]
    met = _met(schedule, found)
    changes = [_first(schedule, begin, met, *one) for one in wanted]
    return min((change for change in changes if change), key=lambda change: change.at, default=None)


def _first(
    schedule: Schedule, begin: float, found: Sequence[Verdict], passes: bool, threshold: int, state: str
) -> Change | None:
    for start, end in _spans(found, passes):
        last = schedule.next(max(start, begin)) + (threshold - 1) * schedule.interval
        if last < end:
            return Change(last + _at(found, last).lasts, state)
    return None


def _met(schedule: Schedule, found: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that a check meets: what comes and goes between two checks is not seen."""
    ends = [*(after.since for _, after in pairwise(found)), math.inf]
    return [one for one, end in zip(found, ends, strict=True) if schedule.next(one.since) < end]


def _spans(found: Sequence[Verdict], passes: bool) -> list[tuple[float, float]]:
    """The stretches of time in which every check passes (or fails)."""
    ends = [*(after.since for _, after in pairwise(found)), math.inf]
    spans: list[tuple[float, float]] = []
    for verdict, end in zip(found, ends, strict=True):
        if verdict.passes is not passes:
            continue
        if spans and spans[-1][1] == verdict.since:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((verdict.since, end))
    return spans


def _at(found: Sequence[Verdict], moment: float) -> Verdict:
    return [found[0], *(verdict for verdict in found if verdict.since <= moment)][-1]


def verdict_at(schedule: Schedule, found: Sequence[Verdict], moment: float) -> Verdict | None:
    """The verdict of the last check, None before the first one."""
    last = schedule.last(moment)
    return None if last is None else _at(found, last)
