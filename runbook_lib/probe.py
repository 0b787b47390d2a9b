"""Own probes: requests as a user makes them, to the production and the test listener, known in seconds.

They cost no call of an API.  Each is a client of its own: none tries again, so none fails twice for one reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.check import Check, Verdict, unknown
from runbook_lib.system import System

Place = Literal["production", "test"]
BAD = 500  # from this status on the answer is a failure; below it the client is to blame


@dataclass(frozen=True)
class Probed:
    """One probe: when, where and what was asked, and how it was answered; `version` is what the answer calls itself."""

    at: datetime
    place: Place
    path: str
    status: int | None  # None: no answer
    version: str | None
    ms: float | None  # None where the time is not the wall's

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= BAD


def address(system: System, balancer: Balancer, place: Place) -> str | None:
    """Where a listener is asked, None while the load balancer has no name."""
    if balancer.dns_name is None:
        return None
    ports = system.params.balancer
    port = ports.production_port if place == "production" else ports.test_port
    return f"{'https' if ports.certificate else 'http'}://{balancer.dns_name}:{port}"


def send(account: Account, system: System, balancer: Balancer, place: Place, many: int) -> tuple[Probed, ...]:
    """So many probes to each path of the parameters; none where a listener has no address."""
    base, release = address(system, balancer, place), system.params.release
    if base is None or account.visit is None:
        return ()
    found = []
    for path in release.probe_paths:
        for _ in range(many):
            answer = account.visit(f"{base}{path}")
            version = answer.headers.get(release.probe_version_header.lower())
            found.append(Probed(account.clock.now(), place, path, answer.status, version, answer.ms))
    return tuple(found)


def check(probed: Iterable[Probed], *, most_failed_percent: float) -> Check:
    """Does the new version answer at the test listener?  Nobody at home is no answer to that."""
    question, probes = "Does the new version answer at the test listener?", list(probed)
    failed = [probe for probe in probes if probe.failed]
    wanted = f"at most {most_failed_percent:g} % failed"
    if not any(probe.status is not None for probe in probes):
        remedy = "let this machine reach the test listener (network.test_from), or set release.probe to false"
        return unknown(question, seen=f"no answer to {len(probes)} probes", wanted=wanted, remedy=remedy)
    good = 100 * len(failed) <= most_failed_percent * len(probes)
    told = ", ".join(sorted({f"{probe.path} {probe.status or 'no answer'}" for probe in failed}))
    seen = f"{len(failed)} of {len(probes)} failed" + (f" ({told})" if told else "")
    return Check(question, Verdict.OK if good else Verdict.FAIL, seen, wanted, "" if good else "stop the deployment")
