"""Who was hurt and how much, from the load balancer's metrics: by role, and against the objective."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_lib.accesslog.window import Window
from runbook_lib.incident.harm import PHASES, Harm
from runbook_lib.incident.roles import Tenure, role_of
from runbook_lib.metric import Metrics, Minute
from runbook_lib.sections import Objective
from runbook_lib.table import Table, table

NOBODY = "none"  # the role of what no version of this system got


@dataclass(frozen=True)
class Part:
    """What one role of one target group served in a phase; latencies are seconds, None without traffic."""

    phase: str  # one of harm.PHASES
    role: str
    group: str
    revision: str | None
    requests: float
    failed: float
    own_errors: float  # 5xx that the application answered; the rest of the failed had no answer of a target
    worst_p99: float | None

    @property
    def rate(self) -> float | None:
        """The share of its requests that failed, 0 to 1; None without requests."""
        return self.failed / self.requests if self.requests else None


@dataclass(frozen=True)
class Budget:
    """The error budget: what the objective allows in its days of failures and of slow answers, and what it took.

    `slow` is None where no access log tells.
    """

    days: int
    requests: float  # in those days
    allowed: float  # failures
    failed: float  # during the incident
    elsewhere: float  # failures in the window's other harm
    slow_allowed: float
    slow: int | None

    @property
    def burnt(self) -> float | None:
        """The part of the failures' budget that the incident took, 1 for all; None where there was no traffic."""
        return self.failed / self.allowed if self.allowed else None

    @property
    def all_burnt(self) -> float | None:
        """The part of it that all the harm of the window took."""
        return (self.failed + self.elsewhere) / self.allowed if self.allowed else None

    @property
    def slow_burnt(self) -> float | None:
        """The same of the slow answers."""
        return self.slow / self.slow_allowed if self.slow is not None and self.slow_allowed else None

    @property
    def worst(self) -> float:
        """The larger of the two parts, 0 where neither is known."""
        return max(self.burnt or 0.0, self.slow_burnt or 0.0)


@dataclass(frozen=True)
class Damage:
    """The damage in parts; requests are the load balancer's counts of closed minutes."""

    parts: tuple[Part, ...]
    budget: Budget

    def sum(self, name: str, phase: str = "during", role: str | None = None) -> float:
        """The sum of a figure over the parts of a phase, and of one role where it is named."""
        parts = (part for part in self.parts if part.phase == phase and role in (None, part.role))
        return sum(getattr(part, name) for part in parts)

    def rate(self, phase: str = "during", role: str | None = None) -> float | None:
        """The share of requests that failed in a phase, 0 to 1; None without requests."""
        requests = self.sum("requests", phase, role)
        return self.sum("failed", phase, role) / requests if requests else None

    def table(self) -> Table:
        """The parts, one line each."""
        rows = [
            {
                "phase": part.phase,
                "role": part.role,
                "target group": part.group,
                "revision": part.revision,
                "requests": f"{part.requests:.0f}",
                "failed": f"{part.failed:.0f}",
                "share": f"{100 * part.rate:.2f} %" if part.rate is not None else None,
                "own 5xx": f"{part.own_errors:.0f}",
                "worst p99": f"{1000 * part.worst_p99:.0f} ms" if part.worst_p99 is not None else None,
            }
            for part in self.parts
        ]
        return table("Damage", rows)


def damage(
    measured: Metrics,
    tenures: Sequence[Tenure],
    harm: Harm,
    objective: Objective,
    *,
    requests_in_days: float,
    slow: int | None = None,
) -> Damage:
    """The damage of an incident before, during and after it, and of other harm, by the roles of the groups by then.

    `slow` are the slow answers during it, as the access log tells.
    """
    parts: dict[tuple[int, str, str, str], list[Minute]] = {}
    revisions: dict[tuple[int, str, str, str], str | None] = {}
    for minute in measured.minutes:
        tenure = role_of(tenures, minute.group, minute.at) if minute.requests else None
        role, revision = (tenure.role, tenure.revision) if tenure else (NOBODY, None)
        if minute.requests:
            key = (harm.phase(minute.at), role, minute.group, revision or "")
            parts.setdefault(key, []).append(minute)
            revisions[key] = revision
    found = tuple(_part(key, minutes, revisions[key]) for key, minutes in sorted(parts.items()))
    failed = sum(part.failed for part in found if part.phase == "during")
    allowed, slow_allowed = (
        requests_in_days * (1 - percent / 100)
        for percent in (objective.availability_percent, objective.latency_percent)
    )
    budget = Budget(objective.window_days, requests_in_days, allowed, failed, harm.elsewhere, slow_allowed, slow)
    return Damage(found, budget)


def budget_table(budget: Budget) -> Table:
    """The error budget in a few lines."""
    no_traffic = "not known: no traffic was measured"
    burnt, all_burnt, slow_burnt = (
        no_traffic if part is None else f"{100 * part:.1f} %"
        for part in (budget.burnt, budget.all_burnt, budget.slow_burnt)
    )
    rows = [
        (f"requests in the last {budget.days} days", f"{budget.requests:.0f}"),
        ("failures that the objective allows in them", f"{budget.allowed:.0f}"),
        ("failures during the incident", f"{budget.failed:.0f}"),
        ("of the budget, this incident took", burnt),
    ]
    if budget.elsewhere:
        rows += [
            ("failures in the window's other harm", f"{budget.elsewhere:.0f}"),
            ("of the budget, all of it took", all_burnt),
        ]
    if budget.slow is not None:
        rows += [
            ("slow answers that the objective allows in them", f"{budget.slow_allowed:.0f}"),
            ("slow answers during the incident", f"{budget.slow}"),
            ("of the budget of slow answers, this incident took", slow_burnt),
        ]
    return table("Error budget", [{"what": what, "seen": seen} for what, seen in rows])


def by_minute(measured: Metrics, tenures: Sequence[Tenure], window: Window) -> Iterable[tuple[datetime, str, Minute]]:
    """Each measured minute with the role that its group had."""
    for minute in measured.minutes:
        tenure = role_of(tenures, minute.group, minute.at)
        if tenure and window.holds(minute.at):
            yield minute.at, tenure.role, minute


def _part(key: tuple[int, str, str, str], minutes: Sequence[Minute], revision: str | None) -> Part:
    phase, role, group, _ = key
    return Part(
        phase=PHASES[phase],
        role=role,
        group=group,
        revision=revision,
        requests=sum(minute.requests or 0 for minute in minutes),
        failed=sum(minute.failed or 0 for minute in minutes),
        own_errors=sum(minute.own_errors or 0 for minute in minutes),
        worst_p99=max((minute.p99 for minute in minutes if minute.p99 is not None), default=None),
    )
