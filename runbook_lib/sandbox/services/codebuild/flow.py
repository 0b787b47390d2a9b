"""A build on its way through the phases (CodeBuild user guide, view-build-details-phases)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.sandbox import services
from runbook_lib.sandbox.services.codebuild import logs, notices, performing, shell, workshop
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import (
    FAILED,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    Attempt,
    Build,
    Phase,
    Run,
)
from runbook_lib.sandbox.services.codebuild.work import WORK

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

ORDER = (
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
)
COMMANDS = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
# What follows a phase that failed, where it is not the next one: facts of the page's picture and of on-failure.
AFTER_FAILURE = {
    "SUBMITTED": "COMPLETED",
    "QUEUED": "COMPLETED",
    "PROVISIONING": "COMPLETED",
    "DOWNLOAD_SOURCE": "FINALIZING",
    "INSTALL": "FINALIZING",
    "PRE_BUILD": "FINALIZING",
}
COMMAND_FAILED, CLIENT_ERROR = "COMMAND_EXECUTION_ERROR", "CLIENT_ERROR"


def begin(world: World, build: Build) -> None:
    """Let a new build go its way."""
    world.at(_limit(build), "codebuild.timeout", build.id, background=True)
    _enter(world, build, "SUBMITTED")
    notices.build_changed(world, build)


def _limit(build: Build) -> float:
    """When the project's time for a build is over."""
    return build.started + 60 * float(build.plan.settings["timeoutInMinutes"])


def _enter(world: World, build: Build, phase: str) -> None:
    build.phases.append(Phase(phase, world.now))
    if phase == "COMPLETED":
        _complete(world, build)
        return
    if phase in COMMANDS:
        _commands(world, build)
        return
    try:
        WORK.get(phase, _nothing)(world, build)
    except PhaseFailed as failed:
        build.phase.code, build.phase.message = failed.code, failed.message
    _leave_later(world, build)


def _nothing(world: World, build: Build) -> None:
    """Some phases only take their time."""


def _leave_later(world: World, build: Build) -> None:
    phase = build.phase
    seconds = world.settings.build_phase_seconds[phase.type] if _has_work(build, phase.type) else 0
    world.at(max(phase.started + seconds, world.now), "codebuild.leave", build.id, phase.type)


def _has_work(build: Build, phase: str) -> bool:
    if phase not in COMMANDS:
        return True
    spec = performing.spec_of(build, phase)
    return bool(spec.commands or spec.finally_)


def leave(world: World, build_id: str, phase: str) -> None:
    """The declared time of a phase is over."""
    build = _running(world, build_id)
    if build is None or build.phase.type != phase:
        return
    _close(world, build, FAILED if build.phase.code else SUCCEEDED)
    _enter(world, build, _next(build))


def _close(world: World, build: Build, status: str) -> None:
    phase = build.phase
    phase.ended, phase.status = world.now, status
    notices.phase_ended(world, build)
    if phase.type in (*COMMANDS, "DOWNLOAD_SOURCE", "UPLOAD_ARTIFACTS"):
        logs.say(
            world,
            build,
            f"Phase complete: {phase.type} State: {status}",
            f"Phase context status code: {phase.code} Message: {phase.message}",
        )


def _next(build: Build) -> str:
    phase = build.phase
    following = ORDER[ORDER.index(phase.type) + 1]
    if phase.status == SUCCEEDED:
        return following
    on_failure = performing.spec_of(build, phase.type).on_failure if phase.type in COMMANDS else ""
    if on_failure == "CONTINUE":
        return following
    if on_failure:
        return "FINALIZING"
    return AFTER_FAILURE.get(phase.type, following)


# ---- commands


def _commands(world: World, build: Build) -> None:
    logs.say(world, build, f"Entering phase {build.phase.type}")
    if _has_work(build, build.phase.type):
        performing.begin(world, build, 0)
    else:
        _leave_later(world, build)


def exited(world: World, build_id: str, exit_code: int, output: str) -> None:
    """A shell has ended: go on with what it left undone, or with the next phase."""
    build = _running(world, build_id)
    if build is None:
        return
    attempt = performing.ended(world, build, exit_code, output)
    logs.write(world, build, performing.log_lines(world, build, attempt))
    if performing.hung(attempt):
        # The limit itself is a background event: nobody has to wait for it as long as something else will happen.
        world.at(_limit(build), "codebuild.timeout", build.id)
        return
    undone = _judge(build, attempt)
    if undone is not None:
        performing.begin(world, build, undone)
    else:
        _leave_later(world, build)


def _judge(build: Build, attempt: Attempt) -> int | None:
    """Note the first failure; the command from which a further shell must go on, None when all is done."""
    spec = performing.spec_of(build, attempt.phase)
    every, last = [*spec.commands, *spec.finally_], len(spec.commands)
    done = shell.steps(attempt.output, 0)
    if not done:
        build.phase.code, build.phase.message = CLIENT_ERROR, f"the shell did not start: {attempt.output}"
        return None
    failed = [step for step in done if (attempt.exit_code if step.status is None else step.status) != 0]
    if failed and not build.phase.code:
        status = attempt.exit_code if failed[0].status is None else failed[0].status
        build.phase.code = COMMAND_FAILED
        build.phase.message = f"Error while executing command: {every[failed[0].number]}. Reason: exit status {status}"
    if any(step.number >= last for step in failed):
        return None
    rest = max(done[-1].number + 1, last if failed else 0)
    return rest if rest < len(every) else None


# ---- the end


def end(world: World, build: Build, status: str, code: str, message: str) -> None:
    """End a build before its time: stopped, or out of time."""
    build.phase.code, build.phase.message = code, message
    build.run.key = ""
    _close(world, build, status)
    build.phases.append(Phase("COMPLETED", world.now))
    _complete(world, build, status)


def timeout(world: World, build_id: str) -> None:
    """The time that the project gives its builds is over."""
    build = _running(world, build_id)
    if build is not None:
        end(world, build, TIMED_OUT, "BUILD_TIMED_OUT", "Build has timed out. ")


def slept(world: World, build_id: str) -> None:
    """The time has passed that a played command slept."""
    build = _running(world, build_id)
    if build is not None:
        performing.slept(world, build)


def _complete(world: World, build: Build, status: str = "") -> None:
    build.exported = performing.exported(world, build)
    build.status = status or (SUCCEEDED if build.succeeding else FAILED)
    build.ended = world.now
    performing.let_go(world, build)
    performing.remember(world, build)
    workshop.close(world, build)
    build.run = Run()
    notices.build_changed(world, build)
    if build.on_done:
        name, *args = build.on_done
        services.handler(name)(world, *args, build.id)


def stop(world: World, build: Build) -> None:
    """Stop a running build; one that is over stays as it is."""
    if not build.over:
        end(world, build, STOPPED, "", "")


def _running(world: World, build_id: str) -> Build | None:
    build: Build | None = world.store("codebuild").builds.get(build_id)
    return build if build is not None and not build.over else None


HANDLERS = {
    "codebuild.leave": leave,
    "codebuild.exited": exited,
    "codebuild.slept": slept,
    "codebuild.timeout": timeout,
}
