"""The world: one heap of events that are data, a time that only waiting moves, and the stores of the services."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import services
from runbook_lib.sandbox.calls import CallRecord, Calls
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.ids import Ids
from runbook_lib.sandbox.settings import Settings

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Gateway
    from runbook_lib.sandbox.participants import Participants
    from runbook_lib.sandbox.trail import Wire

__all__ = ["CallRecord", "World"]


class World:
    """Everything that is so at a moment, and what is going to happen; picklable as a whole."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = float(settings.start)
        self.ids = Ids(settings.seed)
        self.calls = Calls()
        self.principals: dict[str, str] = {}  # access key -> ARN of the one who calls with it
        self.operator = self.arn("iam", "user/operator", regional=False)
        self._stores: dict[str, Any] = {}
        self._heap: list[tuple[float, int, str, tuple[Any, ...], bool]] = []
        self._sequence = 0
        self._foreground = 0
        self._attach()

    def _attach(self) -> None:
        self._busy = False
        self._gateway: Gateway | None = None
        self._participants: Participants | None = None

    # ---- time

    def at(self, when: float, handler: str, *args: Any, background: bool = False) -> None:
        """Let a handler be called at a time: not before now; at equal times in the order of these calls."""
        self._sequence += 1
        self._foreground += not background
        heapq.heappush(self._heap, (max(when, self.now), self._sequence, handler, args, background))

    def after(self, delay: float, handler: str, *args: Any, background: bool = False) -> None:
        """Let a handler be called some seconds from now."""
        self.at(self.now + delay, handler, *args, background=background)

    def run_until(self, when: float) -> None:
        """Let everything happen that is due until then; afterwards it is that time (never earlier than before)."""
        if self._busy:
            raise SandboxError("a handler may not wait: let it leave an event with world.after() instead")
        self._busy = True
        try:
            while self._heap and self._heap[0][0] <= when:
                self._step()
        finally:
            self._busy = False
        self.now = max(self.now, when)

    def _step(self) -> None:
        when, _, handler, args, background = heapq.heappop(self._heap)
        self._foreground -= not background
        self.now = when
        services.handler(handler)(self, *args)

    def happen(self, handler: str, *args: Any) -> None:
        """Let a handler be called now with something from outside, as if it were an event."""
        if self._busy:
            raise SandboxError("a handler is running: what comes from outside waits until it has ended")
        self._busy = True
        try:
            services.handler(handler)(self, *args)
        finally:
            self._busy = False

    @property
    def busy(self) -> bool:
        """Whether a handler is running now."""
        return self._busy

    def idle(self) -> bool:
        """Whether nothing but background events is left to happen."""
        return self._foreground == 0

    def next_event_time(self) -> float | None:
        """When the next event is due; None when nothing will happen."""
        return self._heap[0][0] if self._heap else None

    def datetime(self, t: float | None = None) -> datetime:
        """A time of the world as an aware datetime in UTC; now, when none is given."""
        return datetime.fromtimestamp(self.now if t is None else t, UTC)

    # ---- services

    def store(self, name: str) -> Any:
        """The store of a service, made when it is first asked for."""
        if name not in self._stores:
            self._stores[name] = services.new_store(name)
        return self._stores[name]

    def has(self, name: str) -> bool:
        """Whether a service has a store yet, that is, whether anybody has used it."""
        return name in self._stores

    @property
    def gateway(self) -> Gateway:
        """The door through which AWS's protocols come in."""
        if self._gateway is None:
            from runbook_lib.sandbox.gateway import Gateway

            self._gateway = Gateway(self)
        return self._gateway

    @property
    def participants(self) -> Participants:
        """The child processes that live in this world."""
        if self._participants is None:
            from runbook_lib.sandbox.participants import Participants

            self._participants = Participants(self)
        return self._participants

    def client(self, service: str) -> Any:
        """A boto3 client that stays in this process and acts as AWS itself; its calls are not recorded."""
        return self.gateway.client(service)

    def log_call(
        self,
        *,
        caller: str,
        service: str,
        operation: str,
        error: str = "",
        region: str = "",
        wire: Wire | None = None,
    ) -> None:
        """Record an API call that was answered at this moment."""
        number = self.ids.number("call")
        self.calls.add(CallRecord(self.now, caller, service, operation, error, region, number, wire))

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """The ARN of a resource of this account: arn("iam", "role/x", regional=False)."""
        own = self.settings
        return f"arn:{own.partition}:{service}:{own.region if regional else ''}:{own.account}:{resource}"

    # ---- saving

    def __getstate__(self) -> dict[str, Any]:
        if self._busy:
            raise SandboxError("a world can be saved between events only, and a handler is running")
        if self._participants is not None:
            self._participants.check_none_lives()
        return {k: v for k, v in self.__dict__.items() if k not in ("_busy", "_gateway", "_participants")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._attach()

    def become(self, other: World) -> None:
        """Have the content of another world from now on; the door and who came through it stay."""
        self.__dict__.update(other.__getstate__())
