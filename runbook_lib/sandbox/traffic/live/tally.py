"""What came of the load, as plain data of the world: it is saved with it and can be asked for at any time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60
KEPT = 1000  # failures, the newest
HURTS = 500  # a status from here on is a failed request


@dataclass(frozen=True)
class Failure:
    """A request that failed: when (the world's time), and how; status 0 when nothing was answered."""

    at: float
    status: int
    why: str
    version: str


@dataclass
class Minute:
    """A minute of the world: requests by status, failures, and answers by version."""

    sent: int = 0
    failed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)


@dataclass
class LoadTally:
    """All requests by minute, the newest failures, and latencies by millisecond.

    What failed before a target was healthy for the first time is counted apart: there was nobody yet to be hurt.
    """

    begun: float | None = None  # when a target was healthy for the first time
    early: int = 0
    minutes: dict[int, Minute] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    milliseconds: Counter[int] = field(default_factory=Counter)

    def add(self, at: float, latency: float, status: int, trouble: str, version: str) -> None:
        """Count a request: when it was due (the world's time), milliseconds, and what came of it (generator.py)."""
        minute = self.minutes.setdefault(int(at // MINUTE) * MINUTE, Minute())
        minute.sent += 1
        minute.statuses[str(status) if status else trouble] += 1
        self.milliseconds[round(latency)] += 1
        if version:
            minute.versions[version] += 1
        if status and status < HURTS:
            return
        if self.begun is None or at < self.begun:
            self.early += 1
        else:
            minute.failed += 1
            self.failures.append(Failure(at, status, trouble, version))
            del self.failures[:-KEPT]

    def told(self, *, since: float = 0.0) -> dict[str, Any]:
        """Counts from a time of the world on, in whole minutes; latencies in milliseconds are of all requests."""
        chosen = [minute for at, minute in self.minutes.items() if at + MINUTE > since]
        statuses, versions = Counter[str](), Counter[str]()
        for minute in chosen:
            statuses.update(minute.statuses)
            versions.update(minute.versions)
        return {
            "sent": sum(minute.sent for minute in chosen),
            "failed": sum(minute.failed for minute in chosen),
            "early": self.early,
            "statuses": dict(sorted(statuses.items())),
            "versions": dict(sorted(versions.items())),
            "milliseconds": {name: self.percentile(share) for name, share in (("p50", 50), ("p99", 99), ("max", 100))},
            "last_failures": [vars(failure) for failure in self.failures[-20:] if failure.at >= since],
        }

    def percentile(self, share: float) -> int | None:
        """The latency within which that percentage of requests was answered; None without any."""
        wanted, seen = self.milliseconds.total() * share / 100, 0
        for latency, count in sorted(self.milliseconds.items()):
            seen += count
            if seen >= wanted:
                return latency
        return None
