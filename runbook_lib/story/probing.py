"""Probing a deployment under way: green at the test listener, blue at the production listener, every few seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_lib import balancer, probe
from runbook_lib.account import Account
from runbook_lib.analysis import Event
from runbook_lib.balancer import Balancer
from runbook_lib.check import Check
from runbook_lib.probe import Probed
from runbook_lib.story.tracking import Seen
from runbook_lib.system import System

EVERY = timedelta(seconds=10)
AT_ONCE = 5  # probes to each path and listener at a time


@dataclass
class Prober:
    """Sends probes while both versions can be asked, and knows which version answered."""

    account: Account
    system: System
    events: list[Event] = field(default_factory=list)
    lb: Balancer | None = None
    green: set[str | None] = field(default_factory=set)  # what answers at the test listener call themselves
    sent: datetime | None = None
    number: int = 0

    def due(self, seen: Seen) -> bool:
        """Whether it is time for the next probes: from the test traffic on, until all traffic is on green."""
        shown = any(e.name == "AllowTestTraffic" and e.status == "Succeeded" for e in seen.deployment.events)
        open_ = shown and not seen.deployment.over and not seen.deployment.shifted
        return open_ and (self.sent is None or seen.at - self.sent >= EVERY)

    def look(self, seen: Seen) -> None:
        """Send the next probes where it is time."""
        if not self.due(seen):
            return
        self.sent = seen.at
        test = probe.send(self.account, self.system, self._balancer(), "test", AT_ONCE)
        self.green |= {one.version for one in test}
        self._keep(test, "green", seen)
        known = probe.send(self.account, self.system, self._balancer(), "production", AT_ONCE)
        # An answer of the load balancer's own, or one without a name, could be either version's.
        self._keep([one for one in known if one.version is not None and one.version not in self.green], "blue", seen)

    def check(self, seen: Seen) -> Check:
        """Does green answer, before production traffic moves?"""
        del seen
        many = self.system.params.release.probe_requests
        probed = probe.send(self.account, self.system, self._balancer(), "test", many)
        return probe.check(probed, most_failed_percent=self.system.params.release.probe_failed_percent)

    def _keep(self, probed: tuple[Probed, ...] | list[Probed], role: str, seen: Seen) -> None:
        for one in probed:
            self.number += 1
            colour = "green" if role == "green" else "blue"
            self.events.append(Event(seen.at, colour, f"probe-{self.number}", one.status, one.ms))  # type: ignore[arg-type]

    def _balancer(self) -> Balancer:
        if self.lb is None:
            self.lb = balancer.read_balancer(self.account, self.system)
        return self.lb
