"""What is done in the phases that run no commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runbook_lib.sandbox import permissions
from runbook_lib.sandbox.services.codebuild import (
    artifacts,
    authority,
    buildspec,
    environment,
    logs,
    memo,
    performing,
    source,
)
from runbook_lib.sandbox.services.codebuild.failure import PhaseFailed
from runbook_lib.sandbox.services.codebuild.store import Build, Place

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

SERVICE = "codebuild.amazonaws.com"
CLIENT_ERROR, YAML_ERROR = "CLIENT_ERROR", "YAML_FILE_ERROR"


def _submit(world: World, build: Build) -> None:
    role = build.plan.settings["serviceRole"]
    if permissions.assumable(world, role, SERVICE):
        raise PhaseFailed(
            "ACCESS_DENIED", f"CodeBuild is not authorized to perform: sts:AssumeRole on service role {role}"
        )


def _provision(world: World, build: Build) -> None:
    """Without a log there is no build: the role is asked for it before anything else."""
    place = logs.place(build)
    denied = authority.refusal(world, build, *_log_wishes(world, *place)) if place else ""
    if denied:
        role, arn = build.plan.settings["serviceRole"], world.arn("codebuild", f"build/{build.id}")
        raise PhaseFailed(
            "ACCESS_DENIED",
            f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build "
            f"{arn}. Error message: {denied}",
        )


def _log_wishes(world: World, group: str, stream: str) -> list[authority.Wish]:
    whole = world.arn("logs", f"log-group:{group}")
    known = world.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    make = [] if any(one["logGroupName"] == group for one in known) else [authority.Wish("logs:CreateLogGroup", whole)]
    actions = ("logs:CreateLogStream", "logs:PutLogEvents")
    return [*make, *(authority.Wish(action, f"{whole}:log-stream:{stream}") for action in actions)]


def _download(world: World, build: Build) -> None:
    run = build.run
    run.folder = "src" + world.ids.digits("codebuild source", 9)
    logs.say(world, build, "Waiting for agent ping", "Waiting for DOWNLOAD_SOURCE", "Phase is DOWNLOAD_SOURCE")
    run.sources = source.fetch_all(world, build)
    for each in run.sources.values():
        source.members(each)
    build.resolved = run.sources[""].revision if "" in run.sources else ""
    folder = f"/codebuild/output/{run.folder}/src"
    logs.say(world, build, f"CODEBUILD_SRC_DIR={folder}")
    text, file = _buildspec(world, build, folder)
    logs.say(world, build, f"YAML location is {file}", "Processing environment variables")
    try:
        run.spec = buildspec.parse(text, file.removeprefix(f"{folder}/"))
    except buildspec.BuildspecError as error:
        raise PhaseFailed(YAML_ERROR, str(error)) from None
    run.variables, run.secrets = environment.resolve(world, build, run.spec)
    # What a command does that the settings allow is seen by nobody, so such a build is always run.
    run.key = "" if world.settings.allow_commands else memo.key(world, build)
    run.memo = run.key if run.key and memo.find(run.key) else ""
    logs.say(world, build, *_introduction(run.spec, folder))


def _buildspec(world: World, build: Build, folder: str) -> tuple[str, str]:
    """The text of the buildspec and where the log says it lies."""
    given = build.plan.source.get("buildspec", "")
    if "\n" in given or given.startswith("version:"):
        return given, "/codebuild/readonly/buildspec.yml"
    name = given or "buildspec.yml"
    if given.startswith("arn:"):
        place = Place(*given.partition(":::")[2].split("/", 1))
        return source.fetch_object(world, build, place).decode(), given
    file = source.members(build.run.sources[""]).get(name.removeprefix("./")) if "" in build.run.sources else None
    if file is None:
        raise PhaseFailed(YAML_ERROR, f"stat {folder}/{name}: no such file or directory")
    return file.content.decode("utf-8-sig", errors="replace"), f"{folder}/{name}"


def _introduction(spec: buildspec.Spec, folder: str) -> list[str]:
    counts = [f" {name.upper()}: {len(phase.commands)} commands" for name, phase in spec.phases.items()]
    runtimes = [f"{name}={version}" for phase in spec.phases.values() for name, version in phase.runtimes.items()]
    users = {user for user in (spec.user, *(phase.user for phase in spec.phases.values())) if user}
    said = [f"Selecting runtime {each}: nothing to install in the sandbox" for each in runtimes]
    said += [] if runtimes else ["No runtime version selected in buildspec."]
    said += [f"run-as {user} is ignored in the sandbox: commands run as its own user" for user in sorted(users)]
    retried = [name for name, phase in spec.phases.items() if phase.on_failure.startswith("RETRY")]
    said += [f"on-failure: RETRY of {name} is not served in the sandbox: it aborts" for name in retried]
    said += [f"{section} is not served in the sandbox" for section in spec.unserved]
    return [*said, f"Moving to directory {folder}", f"Phases found in YAML: {len(spec.phases)}", *counts]


def _upload(world: World, build: Build) -> None:
    assert build.run.spec is not None
    build.run.collected = performing.collect(world, build)
    wanted = artifacts.wanted(build, build.run.spec)
    for name, found in build.run.collected.items():
        logs.say(world, build, *found.said, *([found.problem] if found.problem else []))
        if found.problem:
            raise PhaseFailed(CLIENT_ERROR, found.problem)
        artifacts.upload(world, build, name, found.packed, wanted[name])


WORK: dict[str, Callable[[World, Build], None]] = {
    "SUBMITTED": _submit,
    "PROVISIONING": _provision,
    "DOWNLOAD_SOURCE": _download,
    "UPLOAD_ARTIFACTS": _upload,
}
