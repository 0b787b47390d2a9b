"""What the candidates are asked of, and the arithmetic that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_lib.deployment import Deployment
from runbook_lib.incident.changed import Difference
from runbook_lib.incident.concentration import Concentration
from runbook_lib.incident.damage import Damage
from runbook_lib.incident.harm import Harm
from runbook_lib.incident.roles import Tenure, role_of
from runbook_lib.incident.told import Timeline
from runbook_lib.metric import Metrics, Minute

STRONG, WEAK = "strong", "weak"
SOON = timedelta(minutes=15)  # what happened so long before harm is looked at
MORE = 2.0  # times as many failures as another version: they differ


@dataclass(frozen=True)
class Facts:
    """All that is known of an incident."""

    harm: Harm
    measured: Metrics
    tenures: tuple[Tenure, ...]
    damage: Damage
    timeline: Timeline
    deployments: tuple[Deployment, ...]
    differences: tuple[Difference, ...]  # between the former and the new revision of the deployment in question
    files: tuple[str, ...] | None  # that its commit changed; None: not known
    concentration: Concentration | None = None  # of the harm on few paths; None: none, or no access log

    def where(self) -> tuple[str, ...]:
        """On which part of the application the harm lies, where it is a part."""
        return (str(self.concentration),) if self.concentration else ()

    def minutes(self, tenure: Tenure | None) -> list[Minute]:
        """The minutes in which a version had traffic, oldest first."""
        own = self.measured.of(tenure.group) if tenure else ()
        return [minute for minute in own if tenure and tenure.holds(minute.at) and minute.requests]

    def served(self, tenure: Tenure | None) -> Served | None:
        """What a version served during the harm; None when it had no traffic then."""
        return served(minute for minute in self.minutes(tenure) if self.during(minute))

    def during(self, minute: Minute) -> bool:
        return self.harm.start <= minute.at < self.harm.end

    def versions(self) -> list[tuple[str, Served]]:
        """Each version that had traffic during the harm, the one with the most first: its name, and what it served.

        A revision is one version, whatever its roles; one that nobody remembers is known by its target group.
        """
        return _summed(self._by_minute())

    def together(self) -> list[tuple[str, Served]]:
        """The same of those minutes alone in which several versions had traffic: there they can be compared."""
        return _summed(minutes for minutes in self._by_minute() if len(minutes) > 1)

    def _by_minute(self) -> list[dict[str, Minute]]:
        found: dict[datetime, dict[str, Minute]] = {}
        for minute in self.measured.minutes:
            tenure = role_of(self.tenures, minute.group, minute.at)
            if tenure and minute.requests and self.during(minute):
                found.setdefault(minute.at, {})[tenure.revision or tenure.group] = minute
        return list(found.values())


@dataclass(frozen=True)
class Served:
    """Requests of some minutes, how many failed, and the worst p99 in seconds."""

    requests: float
    failed: float
    p99: float

    @property
    def rate(self) -> float:
        return self.failed / self.requests


@dataclass(frozen=True)
class Cause:
    """A candidate: what it is, how much speaks for it, and what; `modes` are failure modes by their ids.

    `version`: the revision that is to blame, so that its commit must not be deployed again as it is.  `clears`: the
    versions were compared, and it was neither.
    """

    what: str
    weight: str  # strong or weak
    evidence: tuple[str, ...]
    modes: tuple[str, ...] = ()
    version: str | None = None
    clears: bool = False


def served(minutes: Iterable[Minute]) -> Served | None:
    """The sums over minutes with traffic; None when there is none."""
    own = list(minutes)
    requests, failed = sum(m.requests or 0 for m in own), sum(m.failed or 0 for m in own)
    return Served(requests, failed, max((m.p99 or 0.0 for m in own), default=0.0)) if requests else None


def _summed(found: Iterable[Mapping[str, Minute]]) -> list[tuple[str, Served]]:
    minutes: dict[str, list[Minute]] = {}
    for each in found:
        for version, minute in each.items():
            minutes.setdefault(version, []).append(minute)
    sums = [(version, served(own)) for version, own in minutes.items()]
    return sorted(((version, sum_) for version, sum_ in sums if sum_), key=lambda one: -one[1].requests)


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def ms(seconds: float | None) -> str:
    return f"{1000 * (seconds or 0):.0f} ms"


def listed(names: Iterable[str], most: int = 4) -> str:
    """The first names, and that there are more."""
    names = list(names)
    return f"{', '.join(names[:most])}{' and more' if len(names) > most else ''}"
