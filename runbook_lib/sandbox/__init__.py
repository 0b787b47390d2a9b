"""An AWS account that behaves, in this process or served on loopback."""

from __future__ import annotations

from typing import Any

from runbook_lib.clock import Clock
from runbook_lib.errors import Refused
from runbook_lib.sandbox.settings import Settings

__all__ = ["Sandbox", "Settings", "embedded"]

_embedded: Sandbox | None = None


class Sandbox:
    """A world in this process, its clock and its clients."""

    def __init__(self, settings: Settings) -> None:
        from runbook_lib.sandbox.clocks import clock_of
        from runbook_lib.sandbox.world import World

        self.world = World(settings)
        self._clock = clock_of(self.world)

    @property
    def clock(self) -> Clock:
        return self._clock

    def client(self, service: str, *, region: str | None = None, user_agent: str | None = None) -> Any:
        """A boto3 client that calls as the operator of the account."""
        self._clock.catch_up()
        return self.world.gateway.client(service, caller=self.world.operator, region=region, user_agent=user_agent)


def embedded(settings: Settings) -> Sandbox:
    """The sandbox of this process; asking again with equal settings gives the same one."""
    global _embedded
    if _embedded is None:
        _embedded = Sandbox(settings)
    if _embedded.world.settings != settings:
        raise Refused(
            seen=f"a sandbox with other settings in this process: {_embedded.world.settings}",
            wanted=f"one sandbox a process, with {settings}",
            next_step="close the other one first, or restart the kernel",
        )
    return _embedded
