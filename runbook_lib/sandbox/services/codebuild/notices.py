"""What CodeBuild tells EventBridge of builds and phases (CodeBuild user guide, sample-build-notifications-ref)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild.store import Build, Phase

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SOURCE = "aws.codebuild"


def build_changed(world: World, build: Build) -> None:
    """A build has begun, or is over."""
    detail = {
        "build-status": build.status,
        "current-phase": build.phase.type,
        "current-phase-context": _context(build.phase) if build.phase.code else "[]",
    }
    _emit(world, build, "CodeBuild Build State Change", detail)


def phase_ended(world: World, build: Build) -> None:
    """The current phase of a build is over."""
    from runbook_lib.sandbox.services import events

    phase = build.phase
    if phase.ended is None or not events.heard(world, SOURCE):
        return
    detail = {
        "completed-phase": phase.type,
        "completed-phase-status": phase.status,
        "completed-phase-context": _context(phase),
        "completed-phase-duration-seconds": phase.ended - phase.started,
        "completed-phase-start": _written(world.datetime(phase.started)),
        "completed-phase-end": _written(world.datetime(phase.ended)),
    }
    _emit(world, build, "CodeBuild Build Phase Change", detail)


def _emit(world: World, build: Build, detail_type: str, detail: dict[str, Any]) -> None:
    from runbook_lib.sandbox.services import events

    arn = world.arn("codebuild", f"build/{build.id}")
    common = {"project-name": build.plan.project, "build-id": arn, "version": "1"}
    told = {**detail, **common, "additional-information": _information(world, build)}
    events.emit(world, source=SOURCE, detail_type=detail_type, resources=[arn], detail=told)


def _information(world: World, build: Build) -> dict[str, Any]:
    from runbook_lib.sandbox.services.codebuild import builds

    shown = builds.shown(world, build)
    logs = shown["logs"]
    found = {
        "artifact": _artifact(shown["artifacts"]),
        "environment": _environment(shown["environment"]),
        "timeout-in-minutes": float(shown["timeoutInMinutes"]),
        "build-complete": build.over,
        "build-number": float(build.number),
        "initiator": build.initiator,
        "build-start-time": _written(world.datetime(build.started)),
        "source": {key: shown["source"][key] for key in ("location", "type") if key in shown["source"]},
        "source-version": shown.get("sourceVersion"),
        "logs": {"group-name": logs.get("groupName"), "stream-name": logs.get("streamName")},
        "phases": [_phase(world, phase) for phase in build.phases],
    }
    return {key: value for key, value in found.items() if value is not None}


def _artifact(shown: dict[str, Any]) -> dict[str, Any]:
    names = {"md5sum": "md5sum", "sha256sum": "sha256sum", "location": "location"}
    return {name: shown[key] for name, key in names.items() if key in shown}


def _environment(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "image": shown["image"],
        "privileged-mode": shown.get("privilegedMode", False),
        "compute-type": shown["computeType"],
        "type": shown["type"],
        "environment-variables": list(shown.get("environmentVariables", ())),
    }


def _phase(world: World, phase: Phase) -> dict[str, Any]:
    found: dict[str, Any] = {"phase-type": phase.type, "start-time": _written(world.datetime(phase.started))}
    if phase.ended is not None:
        found |= {
            "phase-context": [_context(phase)[1:-1]],
            "end-time": _written(world.datetime(phase.ended)),
            "duration-in-seconds": phase.ended - phase.started,
            "phase-status": phase.status,
        }
    return found


def _context(phase: Phase) -> str:
    return f"[{phase.code}: {phase.message}]"


def _written(moment: datetime) -> str:
    """Sep 1, 2017 4:12:29 PM."""
    return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
