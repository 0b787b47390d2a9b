"""Child processes that live in a world: a build, a hook, a task that is a process of its own.

The world has one owner, the thread that waits on it. It starts a child and pumps: it answers the requests of the
child until that exits or sleeps, at a time that stands still. So time advances only when every child waits in the
world or has ended, and no handler ever runs on two threads.

Children have a listener of their own. What comes through it is a consequence of what the world does, and is answered
at once; what somebody else wants to change meanwhile waits until the child sleeps or has ended. So a child finds the
same world each time that it is run at the same moment, whoever else is there, and a journal of what came from outside
is enough to have everything again (sandbox/server.py). On the scaled clock those others wait as long as the child
works, which takes no time of the world; on the virtual clock the end of the whole wait in which it was started.
"""

from __future__ import annotations

import atexit
import queue
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from runbook_lib.sandbox import services
from runbook_lib.sandbox.attendant import Attendant
from runbook_lib.sandbox.child import Child, Exited
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.front import Front, Inbox, Ticket

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

CHILD_ID = "RUNBOOK_SANDBOX_CHILD"
URL = "RUNBOOK_SANDBOX_URL"
SLEEP = "/_sandbox/sleep"


def run_child(
    world: World,
    command: list[str],
    *,
    directory: str | Path,
    environment: Mapping[str, str],
    role_arn: str,
    timeout_wall: float = 120,
    on_exit: tuple[Any, ...],
    session: str = "child",
) -> str:
    """Start a command in the world and answer it until it exits or sleeps; gives its id.

    on_exit is (handler name, *args): handler(world, *args, exit_code, output). The child calls as a session of
    its role. timeout_wall counts the seconds of the wall in which the child did not sleep in the world.
    """
    services.handler(on_exit[0])  # an unknown name is found out now, not after the build
    own = world.participants
    child = own.start(
        command,
        directory=str(directory),
        environment={**environment, **own.environment_for(role_arn, session)},
        timeout=timeout_wall,
        on_exit=on_exit,
    )
    own.pump(child)
    return child.id


def _wake(world: World, child_id: str) -> None:
    own = world.participants
    child = own.children.get(child_id)
    if child is not None:
        own.wake(child)
        own.pump(child)


HANDLERS = {"participants.wake": _wake}


class Participants:
    """The children of a world that are alive, and the listener through which they call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.children: dict[str, Child] = {}
        self.inbox: Inbox = queue.SimpleQueue()
        self.held: list[Exited | Ticket] = []  # from children that were asleep when they sent it
        self.deferred: list[Ticket] = []  # what changes the world from outside, and came while a child was running
        self._front: Front | None = None
        self._stays = False
        self._next = 0
        _all.add(self)

    def join(self, inbox: Inbox) -> None:
        """Let what children send come into the inbox of a server; their listener stays open once it is."""
        self.inbox, self._stays = inbox, True

    @property
    def listening(self) -> bool:
        """Whether a listener is open."""
        return self._front is not None

    def check_none_lives(self) -> None:
        """Raise when a child is alive: a process cannot be saved."""
        if self.children:
            raise SandboxError(
                f"seen: {len(self.children)} running child process(es) in the world; wanted: none, because a process "
                "cannot be saved; next: let time go on until the build has ended, and save then"
            )

    def environment_for(self, role_arn: str, session: str) -> dict[str, str]:
        """Where a child finds the world, and the credentials of its role."""
        from runbook_lib.sandbox.services.sts import session_arn

        if self._front is None:
            self._front = Front(self.inbox, for_children=True).open()
        own = self.world.settings
        key, secret = self.world.gateway.credentials_for(session_arn(role_arn, session))
        return {
            "AWS_ENDPOINT_URL": self._front.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": key,
            "AWS_REGION": own.region,
            "AWS_DEFAULT_REGION": own.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            URL: self._front.url,
        }

    def start(
        self,
        command: list[str],
        *,
        directory: str,
        environment: dict[str, str],
        timeout: float,
        on_exit: tuple[Any, ...],
    ) -> Child:
        """Start a child without answering it yet."""
        self._next += 1
        id = str(self._next)
        try:
            child = Child(
                id,
                command,
                directory=directory,
                environment={**environment, CHILD_ID: id},
                timeout=timeout,
                on_exit=on_exit,
                tell=self.inbox.put,
            )
        except OSError as error:
            self._close_if_alone()
            raise SandboxError(f"seen: {command[0]!r} cannot be started ({error}); wanted: a command") from error
        self.children[id] = child
        return child

    # ---- the owner's work

    def pump(self, child: Child) -> None:
        """Answer what comes until the child exits or sleeps; time stands still meanwhile."""
        attendant = Attendant(self.world)
        while not child.sleeping and child.id in self.children:
            item = self._next_item(child)
            if item is None:
                child.time_out()
            elif self.belongs_to(item, child.id) not in (child.id, None):
                self.held.append(item)
            elif isinstance(item, Exited):
                self._forget(child)
            elif item.path == SLEEP:
                self._sleep(item, child)
            elif attendant.waits_for_children(item):
                self.deferred.append(item)
            else:
                attendant.serve(item)
        if not child.sleeping:
            self._ended(child)

    @staticmethod
    def belongs_to(item: Exited | Ticket, active: str | None) -> str | None:
        """The child that sent its end or its wish to sleep; None for any other request."""
        if isinstance(item, Exited):
            return item.child.id
        return item.query.get("child", active) if item.path == SLEEP else None

    def _next_item(self, child: Child) -> Any:
        """The next item for the owner; None when the child has used up its time."""
        for item in self.held:
            if self.belongs_to(item, None) == child.id:
                self.held.remove(item)
                return item
        started = time.monotonic()
        try:
            return self.inbox.get(timeout=child.seconds_left if child.seconds_left > 0 else None)
        except queue.Empty:
            return None
        finally:
            child.seconds_left = max(0.0, child.seconds_left - (time.monotonic() - started))

    def _sleep(self, ticket: Ticket, child: Child) -> None:
        """A child sleeps in the world: it is answered when the world's time is there."""
        try:
            seconds = float(ticket.query.get("seconds", ""))
        except ValueError:
            seconds = -1
        if not 0 <= seconds < float("inf"):
            ticket.answer.set_result((400, {}, b"seconds: wanted a number of at least 0\n"))
            return
        child.sleeping = ticket
        self.world.after(seconds, "participants.wake", child.id)

    def wake(self, child: Child) -> None:
        """Answer a sleeping child: its time has come."""
        ticket, child.sleeping = child.sleeping, None
        if ticket is not None:
            ticket.answer.set_result((200, {"Content-Type": "text/plain"}, f"{self.world.now:.3f}\n".encode()))

    def _ended(self, child: Child) -> None:
        name, *args = child.on_exit
        services.handler(name)(self.world, *args, child.exit_code, child.output)

    def _forget(self, child: Child) -> None:
        self.children.pop(child.id, None)
        self._close_if_alone()

    def _close_if_alone(self) -> None:
        if not self.children and not self._stays and self._front is not None:
            self._front.close()
            self._front = None

    def close(self) -> None:
        """End all children, what runs beside a world with live traffic, and the listener."""
        self._stays = False
        if self.world.settings.traffic == "live":
            from runbook_lib.sandbox.traffic import live

            live.close(self.world)
        for child in list(self.children.values()):
            child.kill_group()
            self._forget(child)
        self._close_if_alone()


_all: WeakSet[Participants] = WeakSet()


@atexit.register
def _end_all() -> None:
    for participants in _all:
        participants.close()
