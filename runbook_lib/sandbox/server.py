"""Serves a world on loopback for other processes: notebooks of one walk, the AWS CLI, any AWS client.

    python -m runbook_lib.sandbox.server --port 0 --state FILE [--set seed=2] [--set clock=scaled]

prints one JSON line with its URL when it is ready, and saves the world into FILE when it ends.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox import moto_seam, save
from runbook_lib.sandbox.attendant import Attendant, as_json, internal_failure, status_of
from runbook_lib.sandbox.child import Exited
from runbook_lib.sandbox.clocks import ScaledClock, clock_of
from runbook_lib.sandbox.front import Front, Inbox, Reply, Ticket
from runbook_lib.sandbox.participants import SLEEP
from runbook_lib.sandbox.settings import Settings, from_texts
from runbook_lib.sandbox.world import World

STOP = object()
# Python runs a signal's handler between two instructions: one that comes just before a wait is heeded only after it.
HEED = 0.5


class Server:
    """The one owner of a served world: it takes what the listener brings, one item after the other."""

    def __init__(self, world: World, *, port: int = 0, state: Path | None = None) -> None:
        self.state = state
        self._inbox: Inbox = queue.SimpleQueue()
        self._front = Front(self._inbox, port=port)
        self._waiting: list[tuple[float, Ticket]] = []
        self._running = True
        self._adopt(world)

    def _adopt(self, world: World) -> None:
        self.world, self.clock, self._attendant = world, clock_of(world), Attendant(world)
        world.participants.inbox = self._inbox
        world.participants.serve(self._front)

    @property
    def url(self) -> str:
        return self._front.url

    def stop(self) -> None:
        """End run() after what is being done now; may be called from a signal handler."""
        self._inbox.put(STOP)

    def run(self) -> None:
        """Serve until somebody asks to stop; then save."""
        while self._running:
            self._step()
        self.world.participants.close()
        if self.state is not None:
            save.save(self.world, self.state)
        self._front.close()

    def _step(self) -> None:
        item = self._next()
        self.clock.catch_up()
        if item is STOP:
            self._running = False
        elif isinstance(item, Exited) or (isinstance(item, Ticket) and item.path == SLEEP):
            self.world.participants.held.append(item)
        elif item is not None and self._attendant.moves_time(item):
            self._move(item)
        elif item is not None:
            self._attendant.serve(item)
        self._release()

    def _next(self) -> Any:
        deferred = self.world.participants.deferred
        if deferred:
            return deferred.pop(0)
        try:
            return self._inbox.get(timeout=self._patience())
        except queue.Empty:
            return None

    def _patience(self) -> float:
        """How long to wait for the next item: until something is due on the scaled clock, and never past HEED."""
        if not isinstance(self.clock, ScaledClock):
            return HEED
        moments = [until for until, _ in self._waiting]
        due = self.world.next_event_time()
        if due is not None:
            moments.append(due)
        return min(HEED, max(0.0, (min(moments) - self.clock.due()) / self.clock.scale)) if moments else HEED

    # ---- what moves time, or replaces it

    def _move(self, ticket: Ticket) -> None:
        try:
            MOVES[ticket.path](self, ticket)
        except RunbookError as error:
            ticket.answer.set_result(as_json({"error": str(error)}, 400))
        except Exception as error:  # noqa: BLE001 - the one who waits must be told, whatever it is
            ticket.answer.set_result(internal_failure(error, ticket.path))

    def _wait(self, ticket: Ticket) -> None:
        wanted = _asked(ticket)
        until = wanted["until"] if "until" in wanted else self.world.now + wanted["seconds"]
        if isinstance(self.clock, ScaledClock):
            self._waiting.append((until, ticket))
            return
        self.world.run_until(until)
        ticket.answer.set_result(self._status())

    def _release(self) -> None:
        over = [each for each in self._waiting if each[0] <= self.world.now]
        self._waiting = [each for each in self._waiting if each[0] > self.world.now]
        for _, ticket in over:
            ticket.answer.set_result(self._status())

    def _save(self, ticket: Ticket) -> None:
        if self.state is None:
            raise BadInput(seen="no state file", wanted="a server started with --state FILE", next_step="restart it")
        save.save(self.world, self.state)
        ticket.answer.set_result(as_json({"saved": str(self.state)}))

    def _reset(self, ticket: Ticket) -> None:
        self.world.participants.close()
        moto_seam.leave(self.world)
        self._adopt(World(self.world.settings))
        ticket.answer.set_result(self._status())

    def _stop(self, ticket: Ticket) -> None:
        self._running = False
        ticket.answer.set_result(self._status())

    def _status(self) -> Reply:
        return as_json(status_of(self.world))


MOVES: dict[str, Callable[[Server, Ticket], None]] = {
    "/_sandbox/wait": Server._wait,
    "/_sandbox/advance": Server._wait,
    "/_sandbox/save": Server._save,
    "/_sandbox/reset": Server._reset,
    "/_sandbox/stop": Server._stop,
}


def _asked(ticket: Ticket) -> dict[str, float]:
    """{"seconds": n} from now, or {"until": epoch seconds}."""
    try:
        wanted = json.loads(ticket.body or b"null")
    except json.JSONDecodeError:
        wanted = None
    value = next(iter(wanted.values())) if isinstance(wanted, dict) and len(wanted) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not set(wanted) <= {"seconds", "until"}:
        raise BadInput(
            where=ticket.path,
            seen=ticket.body.decode(errors="replace")[:200],
            wanted='{"seconds": 60} or {"until": 1772442060}',
            next_step="send one of them as JSON",
        )
    return wanted


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; the exit code is 0, or that of the error that kept it from starting."""
    asked = _parser().parse_args(arguments)
    try:
        settings = from_texts(asked.set)
        with save.locked(asked.state):
            server = Server(_world(settings, asked), port=asked.port, state=asked.state)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _stopper(server))
            print(json.dumps({"url": server.url, "pid": os.getpid()}), flush=True)  # noqa: T201
            server.run()
    except RunbookError as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runbook_lib.sandbox.server", description="Serve a sandbox world.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--state", type=Path, help="file that the world is loaded from and saved to")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a figure of the settings")
    return parser


def _world(settings: Settings, asked: argparse.Namespace) -> World:
    if asked.state is None or not asked.state.exists():
        return World(settings)
    world = save.load(asked.state)
    if asked.set and world.settings != settings:
        raise BadInput(
            where=str(asked.state),
            seen=f"a world with {world.settings}",
            wanted=f"a world with {settings}",
            next_step="start without --set, or remove the state file to begin anew",
        )
    return world


def _stopper(server: Server) -> Callable[[int, FrameType | None], None]:
    return lambda number, frame: server.stop()


if __name__ == "__main__":
    sys.exit(main())
