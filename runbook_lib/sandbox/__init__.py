"""An AWS account that behaves, in this process or served on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.clock import Clock
from runbook_lib.errors import Refused
from runbook_lib.sandbox.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbook_lib.sandbox.disturbance import Disturbance
    from runbook_lib.sandbox.memory import Memory
    from runbook_lib.sandbox.remote import RemoteSandbox
    from runbook_lib.sandbox.visiting import Found
    from runbook_lib.sandbox.world import World

__all__ = ["Sandbox", "Settings", "connect", "embedded"]

_embedded: Sandbox | None = None


class Sandbox:
    """A world in this process, its clock and its clients."""

    def __init__(self, world: World) -> None:
        self._adopt(world)

    def _adopt(self, world: World) -> None:
        from runbook_lib.sandbox.clocks import clock_of

        self.world = world
        self._clock = clock_of(world)

    @classmethod
    def new(cls, settings: Settings) -> Sandbox:
        """A world of its own, for tests that want more than one."""
        from runbook_lib.sandbox.world import World

        return cls(World(settings))

    @property
    def clock(self) -> Clock:
        return self._clock

    def client(self, service: str, *, region: str | None = None, user_agent: str | None = None) -> Any:
        """A boto3 client that calls as the operator of the account."""
        gateway = self.world.gateway
        gateway.before = self._clock.catch_up
        return gateway.client(service, caller=self.world.operator, region=region, user_agent=user_agent)

    def status(self) -> dict[str, Any]:
        """What can be said of the world at a glance; times are epoch seconds."""
        from runbook_lib.sandbox.attendant import status_of

        return status_of(self.world)

    def visit(self, url: str) -> Found:
        """A GET at a load balancer's address, as a user makes it: status, headers and milliseconds.

        With live traffic it is a request over HTTP; else the model answers, and has no time of its own (None).  A
        status None says that nobody is there.
        """
        from urllib.parse import urlsplit

        from runbook_lib.sandbox.traffic import answering, live

        self._clock.catch_up()
        if live.is_live(self.world):
            return live.visit(self.world, url)
        parts = urlsplit(url)
        if answering.resolve(self.world, parts.hostname or "", str(parts.port or 80)) != "here":
            return None, {}, None
        status, headers, _ = answering.answer(self.world, "GET", url, {})
        return status, dict(headers), None

    def traffic(self) -> dict[str, Any]:
        """What came of the live traffic: addresses, processes, and the load's counts, failures and latencies."""
        from runbook_lib.sandbox.attendant import traffic_of

        return traffic_of(self.world)

    def tell(self, story: str, given: Iterable[Disturbance]) -> None:
        """Let a story happen: what will disturb the traffic, and its name."""
        from runbook_lib.sandbox import disturbance

        disturbance.tell(self.world, story, given)

    def told(self) -> frozenset[str]:
        """The names of the stories that were told."""
        from runbook_lib.sandbox import disturbance

        return disturbance.told(self.world)

    def save(self, path: str | Path) -> None:
        """Write the world into a file."""
        from runbook_lib.sandbox import save

        save.save(self.world, path)

    def load(self, path: str | Path) -> None:
        """Go on in the world of a file; clients made before belong to the world that was left."""
        from runbook_lib.sandbox import moto_seam, save

        loaded = save.load(path)
        self.world.participants.close()
        moto_seam.forget(self.world)
        self._adopt(loaded)

    def become(self, path: str | Path) -> None:
        """Let this world have the content of a file; its clock and its clients stay what they are."""
        from runbook_lib.sandbox import moto_seam, save

        loaded = save.load(path)
        moto_seam.forget(self.world)
        self.world.become(loaded)
        moto_seam.claim(self.world)

    def memory(self, inputs: str) -> Memory:
        """What is remembered of worlds that follow from the same inputs."""
        from runbook_lib.sandbox.memory import Memory

        return Memory(self, inputs)

    def close(self) -> None:
        """End the world: its children, and what moto keeps for it."""
        global _embedded
        from runbook_lib.sandbox import moto_seam

        self.world.participants.close()
        moto_seam.leave(self.world)
        if _embedded is self:
            _embedded = None


def embedded(settings: Settings) -> Sandbox:
    """The sandbox of this process; asking again with equal settings gives the same one."""
    global _embedded
    if _embedded is None:
        _embedded = Sandbox.new(settings)
    if _embedded.world.settings != settings:
        raise Refused(
            where="sandbox",
            seen=f"a world in this process with {_embedded.world.settings}",
            wanted=f"one world a process, with {settings}",
            next_step="restart the kernel, or close the other sandbox first",
        )
    return _embedded


def connect(url: str) -> RemoteSandbox:
    """The world that another process serves at a URL."""
    from runbook_lib.sandbox import remote

    return remote.connect(url)
