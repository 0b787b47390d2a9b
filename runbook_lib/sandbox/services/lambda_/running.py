"""An invocation from its start to its end: a process that lives in the world, and what its function's log says of it.

A function that is invoked asynchronously sleeps in the world.  The caller of a synchronous invocation is answered at
the moment at which it asked: what such a function sleeps is counted, against its time-out too, and moves nothing.
How long the rest takes is not measured (the figures would differ from run to run).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox import participants
from runbook_lib.sandbox.services.lambda_ import logs, verdicts, workplace
from runbook_lib.sandbox.services.lambda_.store import Function, Invocation, Outcome, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

PATIENCE = 30.0  # seconds on the wall that a function may take without sleeping, whatever its time-out
PYTHON = "python3."


def begin(world: World, function: Function, event: str, *, waits: bool, id: str, attempt: int = 0) -> None:
    """Run a function; when it has ended the outcome of a synchronous invocation is kept for its caller."""
    made = Invocation(id, function, event, waits, _log_stream(world, function), world.now, attempt)
    store(world).running[id] = made
    if function.package != "Zip" or not function.runtime.startswith(PYTHON):
        _end(world, made, verdicts.not_simulated(made), "")
        return
    made.folder = workplace.furnish(world, made)
    made.child = participants.run_child(
        world,
        workplace.command(made.folder),
        directory=f"{made.folder}/{workplace.TASK}",
        environment=workplace.CLEAN,
        role_arn=function.role,
        timeout_wall=PATIENCE,
        on_exit=("lambda.exited", id),
        session=function.name,
    )
    if id in store(world).running:
        # In the background: the process that sleeps is what keeps the world from rest.
        world.after(function.timeout, "lambda.time_out", id, background=True)


def _log_stream(world: World, function: Function) -> str:
    return f"{world.datetime():%Y/%m/%d}/[{function.version}]{world.ids.hex('lambda-log-stream', 32)}"


def exited(world: World, id: str, exit_code: int, output: str) -> None:
    """Handler lambda.exited: the process has ended by itself, or was ended."""
    made = store(world).running[id]
    verdict = verdicts.judge(made, workplace.result(made.folder), exit_code, now=world.now)
    _end(world, made, verdict, output)


def time_out(world: World, id: str) -> None:
    """Handler lambda.time_out: ends a function that still sleeps when its time is over."""
    made = store(world).running.get(id)
    child = world.participants.children.get(made.child) if made else None
    if made is None or child is None:
        return
    made.timed_out = True
    child.kill_group()
    if child.sleeping is not None:
        world.participants.wake(child)
        world.participants.pump(child)


def _end(world: World, made: Invocation, verdict: verdicts.Verdict, output: str) -> None:
    del store(world).running[made.id]
    lines = logs.lines(made, verdict, workplace.clean(made.folder, output) if made.folder else output)
    logs.write(world, made, lines)
    payload = workplace.clean(made.folder, verdict.payload) if made.folder else verdict.payload
    workplace.close(world, made)
    if made.waits:
        world.after(0, "lambda.over", made, verdict.error)
    else:
        store(world).ended[made.id] = Outcome(payload, verdict.error, logs.tail(lines))
