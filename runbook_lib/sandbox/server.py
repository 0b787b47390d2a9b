"""The owner of a served world: it answers what the listener brings and loses no change that it acknowledged.

With a state file that holds when the process is killed, too. A world is deterministic: what came from outside, in its
order and at its times, gives the same world again. So each input is written to a journal before it is acknowledged
(sandbox/keeper.py), and after a start what the journal holds is done again upon the last save (sandbox/following.py).
Inputs are

* calls that may change the world; reads are none (sandbox/inputs.py);
* waits, on the virtual clock; on the scaled one the time that it is, before anybody can see that something happened;
* what was seen outside, by Server.input(name, content): a health check of a real process, its exit, a request that it
  answered. The clock lets the owner look (traffic/live/plane.py), and what it saw is one input.

What children do is no input but a consequence (sandbox/participants.py). All that waits in the inbox is done first and
put on the disk at once; then everybody is answered.
"""

from __future__ import annotations

import json
import queue
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from runbook_lib.errors import BadInput, Refused, RunbookError
from runbook_lib.sandbox import inputs, moto_seam
from runbook_lib.sandbox.attendant import Attendant, as_json, internal_failure, refusal, status_of
from runbook_lib.sandbox.child import Exited
from runbook_lib.sandbox.clocks import ScaledClock, clock_of
from runbook_lib.sandbox.front import Front, Inbox, Reply, Ticket
from runbook_lib.sandbox.inputs import Input
from runbook_lib.sandbox.keeper import Keeper
from runbook_lib.sandbox.participants import SLEEP
from runbook_lib.sandbox.world import World

AT_ONCE = 32  # answers that wait for the same writing to the disk
STOP = object()
# Python runs a signal's handler between two instructions: one that comes just before a wait is heeded only after it.
HEED = 0.5
LONGEST = 10 * 366 * 86400.0  # seconds that time moves at once; far behind that there are no dates any more


class Server:
    """The one owner of a served world: it takes what the listener brings, one item after the other."""

    def __init__(self, world: World, *, front: Front, inbox: Inbox, keeper: Keeper | None = None) -> None:
        self._inbox, self._front, self._keeper = inbox, front, keeper
        self._waiting: list[tuple[float, Ticket]] = []
        self._unsaid: list[tuple[Ticket, Reply]] = []  # answers that wait until what they say is on the disk
        self._drawn: Counter[str] = Counter()
        self._marked = world.now
        self._running = True
        self._adopt(world)

    def _adopt(self, world: World) -> None:
        self.world, self._attendant = world, Attendant(world)
        world.participants.join(self._inbox)
        before = Counter(world.ids.counters)
        self.clock = clock_of(world, tell=self.input, url=self._front.url)
        self._drawn += Counter(world.ids.counters) - before  # by tasks that were started again

    @property
    def url(self) -> str:
        return self._front.url

    def stop(self) -> None:
        """End run() after what is being done now; may be called from a signal handler."""
        self._inbox.put(STOP)

    def run(self) -> None:
        """Serve until somebody asks to stop; then save."""
        self._front.open()
        while self._running:
            item = self._next()
            with self._at_work():
                self._step(item)
        self._end()

    def _end(self) -> None:
        self._acknowledge()
        lives = bool(self.world.participants.children)
        self.world.participants.close()
        if self._keeper is not None and not lives:
            self._keeper.save(self.world)
        # With a child the journal is what is kept: it is run again from its beginning when the world is served again.
        self._front.close()

    def _step(self, item: Any) -> None:
        self._catch_up()
        if item is STOP:
            self._running = False
        elif isinstance(item, Exited) or (isinstance(item, Ticket) and item.path == SLEEP):
            self.world.participants.held.append(item)
        elif item is not None:
            self._take(item)
        self._release()
        if len(self._unsaid) >= AT_ONCE or (self._inbox.empty() and not self.world.participants.deferred):
            self._acknowledge()

    def _take(self, ticket: Ticket) -> None:
        if ticket.from_child:
            self._attendant.serve(ticket)
        elif ticket.path in MOVES:
            self._acknowledge()
            self._move(ticket)
        elif inputs.only_reads(ticket):
            self._read(ticket)
        else:
            reply = self._attendant.reply(ticket)
            self._note(inputs.call(self.world.now, ticket, reply))
            self._unsaid.append((ticket, reply))

    def _next(self) -> Any:
        deferred = self.world.participants.deferred
        if deferred:
            return deferred.pop(0)
        try:
            return self._inbox.get(timeout=self._patience())
        except queue.Empty:
            return None

    def _patience(self) -> float:
        """How long to wait for the next item: until something is due by the scaled clock, and never past HEED."""
        if not isinstance(self.clock, ScaledClock):
            return HEED
        due = self.world.next_event_time()
        moments = [until for until, _ in self._waiting] + ([] if due is None else [due])
        return min(HEED, self.clock.left_until(min(moments, default=float("inf"))))

    # ---- what is kept

    def input(self, name: str, content: Any) -> None:
        """Let a handler happen now, handler(world, content), with something that was seen outside; content is JSON.

        It is written down like a call: a world that is served again lets it happen again, at the same time.
        """
        self.world.happen(name, content)
        self._note(Input(self.world.now, "seen", {"name": name, "content": content}))

    def _note(self, given: Input) -> None:
        if self._keeper is not None:
            self._keeper.note(given.after(self._drawn))
            self._drawn.clear()
            self._marked = given.time

    def _read(self, ticket: Ticket) -> None:
        """Answer at once, unless an answer before it still waits; note what the world's counters lost by it."""
        before = Counter(self.world.ids.counters)
        self._unsaid.append((ticket, self._attendant.reply(ticket)))
        self._drawn += Counter(self.world.ids.counters) - before

    def _catch_up(self) -> None:
        """Let happen what is due by the wall; a world that somebody has seen later does not go back behind it."""
        due = self.world.next_event_time()
        self.clock.catch_up()
        if not isinstance(self.clock, ScaledClock):
            return
        happened = due is not None and due <= self.world.now and due > self._marked
        if happened or self.world.now - self._marked > self.clock.scale:
            self._note(Input(self.world.now, "time", {}))

    def _acknowledge(self) -> None:
        """Give the answers that waited for the disk."""
        if self._keeper is not None and self._unsaid:
            self._keeper.sync()
        for ticket, reply in self._unsaid:
            ticket.answer.set_result(reply)
        self._unsaid.clear()
        if self._keeper is not None and self._keeper.due and not self.world.participants.children:
            self._save_by_itself(self._keeper)

    def _save_by_itself(self, keeper: Keeper) -> None:
        try:
            keeper.save(self.world)
        except OSError as error:
            keeper.put_off(str(error.strerror))

    def _at_work(self) -> AbstractContextManager[None]:
        return nullcontext() if self._keeper is None else self._keeper.working()

    # ---- what moves time, or replaces the world

    def _move(self, ticket: Ticket) -> None:
        try:
            MOVES[ticket.path](self, ticket)
        except RunbookError as error:
            ticket.answer.set_result(refusal(error))
        except Exception as error:  # noqa: BLE001 - the one who waits must be told, whatever it is
            ticket.answer.set_result(internal_failure(error, ticket.path))

    def _wait(self, ticket: Ticket) -> None:
        wanted = _asked(ticket)
        until = wanted["until"] if "until" in wanted else self.world.now + wanted["seconds"]
        if not until - self.world.now <= LONGEST:
            raise _senseless(ticket, f"from 0 to {LONGEST:.0f} seconds at once")
        if isinstance(self.clock, ScaledClock):
            self._waiting.append((until, ticket))
            return
        self._let_pass(until)
        self._unsaid.append((ticket, self._status()))

    def _let_pass(self, until: float) -> None:
        since, broke = self.world.now, ""
        try:
            self.world.run_until(until)
        except Exception as error:
            broke = type(error).__name__
            raise
        finally:
            self._note(Input(since, "wait", {"until": until, "broke": broke}))

    def _release(self) -> None:
        over = [each for each in self._waiting if each[0] <= self.world.now]
        self._waiting = [each for each in self._waiting if each[0] > self.world.now]
        self._unsaid += [(ticket, self._status()) for _, ticket in over]

    def _save(self, ticket: Ticket) -> None:
        if self._keeper is None:
            raise BadInput(
                where=self.url,
                seen="no state file",
                wanted="a server started with --state FILE",
                next_step="restart it",
            )
        if self.world.participants.children:
            raise Refused(
                seen=f"{len(self.world.participants.children)} running build or other process",
                wanted="none, because a process cannot be saved",
                next_step="nothing is lost meanwhile, for the journal has it; save again when it has ended",
            )
        self._keeper.save(self.world)
        ticket.answer.set_result(as_json({"saved": str(self._keeper.state.absolute())}))

    def _reset(self, ticket: Ticket) -> None:
        self.world.participants.close()
        moto_seam.leave(self.world)
        self._adopt(World(self.world.settings))
        self._drawn.clear()
        self._marked = self.world.now
        if self._keeper is not None:
            self._keeper.save(self.world)
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
        raise _senseless(ticket, '{"seconds": 60} or {"until": 1772442060}')
    if not value >= 0:  # nor what is no number
        raise _senseless(ticket, "0 or more seconds: time does not go back")
    return wanted


def _senseless(ticket: Ticket, wanted: str) -> BadInput:
    return BadInput(
        where=ticket.path,
        seen=ticket.body.decode(errors="replace")[:200],
        wanted=wanted,
        next_step="send it as JSON, or use runbook sandbox advance SECONDS",
    )
