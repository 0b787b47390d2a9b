"""Runs the commands of a phase: really, in the build's workshop, or played back from a build that was run before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_lib.sandbox import participants, services
from runbook_lib.sandbox.services.codebuild import (
    artifacts,
    authority,
    entrance,
    environment,
    logs,
    memo,
    shell,
    workshop,
)
from runbook_lib.sandbox.services.codebuild.buildspec import PhaseSpec
from runbook_lib.sandbox.services.codebuild.store import Attempt, Build, Collected
from runbook_lib.sandbox.services.codebuild.workshop import Workshop
from runbook_lib.sandbox.shims import wire
from runbook_lib.sandbox.shims.wire import Exchange, Reply

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

KILLED = 124  # how participants report a child that used up its time on the wall
PATIENCE = 120.0  # seconds on the wall that a shell may take without sleeping in the world
SLEEP, NOW = "/_sandbox/sleep?seconds=", "/_sandbox/now"


def begin(world: World, build: Build, start: int) -> None:
    """Run the current phase's commands from one of them on; "codebuild.exited" is told when the shell has ended."""
    build.run.start, build.run.begun, build.run.played = start, world.now, []
    if _remembered(world, build) is not None:
        play(world, build)
    else:
        build.run.memo = ""
        _run(world, build, workshop.find(world, build) or _restored(world, build))


def spec_of(build: Build, phase: str) -> PhaseSpec:
    """What the buildspec says of a phase; an empty one where it says nothing."""
    assert build.run.spec is not None
    return build.run.spec.phases.get(phase.lower(), PhaseSpec())


def ended(world: World, build: Build, exit_code: int, output: str) -> Attempt:
    """Write down the attempt that has ended."""
    shop = workshop.find(world, build)
    known = _memo(world, build)
    if known is not None or shop is None:
        exchanges = tuple(build.run.played)
        # The last attempt's values are those that count; nobody may remember them when the build ends.
        build.run.exported = known.exported if known else {}
    else:
        exchanges, output = shop.exchanges(), shop.clean(output.encode()).decode()
        wire.forget_before(shop.seat)
        build.run.exported = _exported(shop)
    # A shell that a signal ended counts as its own parent shell would count it.
    code = exit_code if exit_code >= 0 else 128 - exit_code
    attempt = Attempt(build.phase.type, build.run.start, build.succeeding, code, output, exchanges)
    build.run.attempts.append(attempt)
    return attempt


def hung(attempt: Attempt) -> bool:
    """Whether the shell was ended because it used up its time on the wall."""
    done = shell.steps(attempt.output, 0)
    return attempt.exit_code == KILLED and (not done or done[-1].status is None)


def let_go(world: World, build: Build) -> None:
    """End the shell that still runs for a build that is over."""
    own = world.participants
    child = own.children.get(build.run.child)
    if child is None:
        return
    child.kill_group()
    if child.sleeping is not None:  # any other child is waited for where it was started
        own.wake(child)
        own.pump(child)


def collect(world: World, build: Build) -> dict[str, Collected]:
    """The artifacts that somebody waits for."""
    known = _memo(world, build)
    if known is not None:
        return known.artifacts
    assert build.run.spec is not None
    shop = workshop.find(world, build) or _restored(world, build)
    source = shop.source(build.run.folder)
    wanted = artifacts.wanted(build, build.run.spec)
    return {name: artifacts.collect(source, spec, shop.seat) for name, spec in wanted.items()}


def exported(world: World, build: Build) -> dict[str, str]:
    """The variables that the buildspec exports, as the last shell left them."""
    if build.run.spec is None:
        return {}
    values = {**build.run.variables, **build.run.exported}
    kept = environment.kept_back(build)
    wanted = [name for name in build.run.spec.exported if not name.startswith("AWS_") and name not in kept]
    return {name: values[name] for name in wanted if name in values}


def remember(world: World, build: Build) -> None:
    """Keep a build that was run to its end for the next one with the same inputs."""
    if build.run.key and not build.run.memo:
        memo.keep(build.run.key, memo.Memo(tuple(build.run.attempts), build.run.collected, build.run.exported))


# ---- really


def _run(world: World, build: Build, shop: Workshop) -> None:
    job = _job(build, build.phase.type, build.run.start, build.succeeding)
    child = participants.run_child(
        world,
        shop.command(job),
        directory=shop.seat.root,
        environment=shop.environment,
        role_arn=build.plan.settings["serviceRole"],
        timeout_wall=PATIENCE,
        on_exit=("codebuild.exited", build.id),
        session=authority.session(build),
    )
    if child in world.participants.children:  # it sleeps; one that has ended may have had successors already
        build.run.child = child


def _job(build: Build, phase: str, start: int, succeeding: bool) -> shell.Job:
    assert build.run.spec is not None
    spec = spec_of(build, phase)
    return shell.Job(spec.commands, spec.finally_, start, succeeding, build.run.spec.exported)


def _restored(world: World, build: Build) -> Workshop:
    """The workshop as the attempts so far left it, made again in this process."""
    shop = workshop.make(world, build)
    for attempt in build.run.attempts:
        shop.repeat(_job(build, attempt.phase, attempt.start, attempt.succeeding), attempt.exchanges)
    build.run.exported = _exported(shop)
    return shop


def _exported(shop: Workshop) -> dict[str, str]:
    found = shell.read_exported(shop.seat.root)
    return {name: shop.clean(value.encode()).decode() for name, value in found.items()}


# ---- played back


def _memo(world: World, build: Build) -> memo.Memo | None:
    return memo.find(build.run.memo) if build.run.memo else None


def _remembered(world: World, build: Build) -> Attempt | None:
    known = _memo(world, build)
    number = len(build.run.attempts)
    if known is None or number >= len(known.attempts):
        return None
    found = known.attempts[number]
    return found if (found.phase, found.start) == (build.phase.type, build.run.start) else None


def play(world: World, build: Build) -> None:
    """Ask again what was asked, in order, as long as the answers are the same."""
    remembered = _remembered(world, build)
    if remembered is None:
        _take_up(world, build)
        return
    world.gateway.credentials_for(authority.caller(build))
    for exchange in remembered.exchanges[len(build.run.played) :]:
        if exchange.target.startswith(SLEEP):
            build.run.sleeping = exchange
            world.after(float(exchange.target.removeprefix(SLEEP)), "codebuild.slept", build.id)
            return
        if not _played(build, exchange, _ask(world, build, exchange)):
            _take_up(world, build)
            return
    services.handler("codebuild.exited")(world, build.id, remembered.exit_code, remembered.output)


def slept(world: World, build: Build) -> None:
    """The time has passed that a played command slept."""
    exchange, build.run.sleeping = build.run.sleeping, None
    assert exchange is not None
    if _played(build, exchange, Reply(200, {}, f"{world.now:.3f}\n".encode())):
        play(world, build)
    else:
        _take_up(world, build)


def _played(build: Build, exchange: Exchange, reply: Reply) -> bool:
    build.run.played.append(replace(exchange, reply=reply))
    return (reply.status, reply.body) == (exchange.reply.status, exchange.reply.body)


def _ask(world: World, build: Build, exchange: Exchange) -> Reply:
    if exchange.target == NOW:
        return Reply(200, {}, f"{world.now:.3f}\n".encode())
    headers = dict(exchange.headers)
    return Reply(*entrance.ask(world, build, exchange.method, exchange.target, headers, exchange.body))


def _take_up(world: World, build: Build) -> None:
    """Go on for real, from what the world has answered so far."""
    build.run.memo = ""
    shop = _restored(world, build)
    wire.lay_before(shop.seat, build.run.played)
    build.run.played = []
    _run(world, build, shop)


# ---- in the log


def log_lines(world: World, build: Build, attempt: Attempt) -> list[logs.Line]:
    """What an attempt shows in the log."""
    job = _job(build, attempt.phase, attempt.start, attempt.succeeding)
    lines: list[logs.Line] = []
    began = build.run.begun
    for step in shell.steps(attempt.output, began):
        command, status = job.all[step.number], attempt.exit_code if step.status is None else step.status
        lines.append(logs.container(began, f"Running command {command}", world))
        for time, text in step.output:
            lines += [(time, line) for line in text.splitlines()]
            began = time
        if status != 0 and not (step.status is None and hung(attempt)):
            lines += [(began, ""), logs.container(began, _failed(command, status), world)]
    return lines


def _failed(command: str, status: int) -> str:
    return f"Command did not exit successfully {command} exit status {status}"
