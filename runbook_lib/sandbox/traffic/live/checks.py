"""Health checks that are made: each target of a group in use is asked over HTTP as its group's settings say.

The interval is the world's, at the pace of its clock; what the network takes, and so the timeout of a check, is the
wall's.  Checks run on threads of their own; what they find is put into an inbox and taken by the owner of the world.
"""

from __future__ import annotations

import http.client
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from runbook_lib.sandbox.services.elbv2.health import Answer
from runbook_lib.sandbox.traffic.live.ports import LOOPBACK

OFTEN = 0.1  # seconds of the wall: no target is asked more often, however fast the clock
USER_AGENT = "ELB-HealthChecker/2.0"  # ELB guide, target-group-health-checks


@dataclass(frozen=True)
class Where:
    """A target that is checked."""

    group: str  # ARN
    ip: str
    port: int


@dataclass(frozen=True)
class Order:
    """How it is checked; `address` is its port of loopback, None when nobody has its address in the world."""

    address: int | None
    path: str
    interval: float  # seconds of the wall
    timeout: float  # seconds of the wall
    version: int  # of the checks: a target that begins anew gets another one


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    where: Where
    order: Order
    answer: Answer


Inbox = queue.SimpleQueue[Finding]


class Checks:
    """The checks that run now."""

    def __init__(self) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self._running: dict[Where, tuple[Order, threading.Event]] = {}

    def follow(self, wanted: Mapping[Where, Order]) -> None:
        """Run exactly these checks from now on; those that run already go on."""
        for where, (order, stop) in list(self._running.items()):
            if wanted.get(where) != order:
                stop.set()
                del self._running[where]
        for where, order in wanted.items():
            if where not in self._running:
                stop = threading.Event()
                self._running[where] = (order, stop)
                threading.Thread(target=self._repeat, args=(where, order, stop), daemon=True).start()

    def _repeat(self, where: Where, order: Order, stop: threading.Event) -> None:
        while not stop.is_set():
            answer = ask(order)
            if not stop.is_set():
                self.inbox.put(Finding(where, order, answer))
            stop.wait(max(OFTEN, order.interval))

    def findings(self) -> list[Finding]:
        """What was found since the last time."""
        return [self.inbox.get() for _ in range(self.inbox.qsize())]

    def close(self) -> None:
        """Check nobody any more."""
        self.follow({})


def ask(order: Order) -> Answer:
    """One check: the status, or no answer at once, or none in time."""
    if order.address is None:
        return Answer(0.0, None, silent=True)  # nobody has the address: a check runs into its timeout
    line = http.client.HTTPConnection(LOOPBACK, order.address, timeout=order.timeout)
    try:
        line.request("GET", order.path, headers={"User-Agent": USER_AGENT, "Connection": "close"})
        return Answer(0.0, line.getresponse().status)
    except TimeoutError:
        return Answer(0.0, None, silent=True)
    except (OSError, http.client.HTTPException):
        return Answer(0.0, None)
    finally:
        line.close()
