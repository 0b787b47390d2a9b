"""The files that blue/green needs in the repository: taskdef.json, appspec.yaml, and a buildspec for both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook_lib import build, pipeline, repository, service
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks
from runbook_lib.documents import appspec, buildspec, imagedetail, taskdef
from runbook_lib.documents.edit import Edit
from runbook_lib.errors import CheckFailed
from runbook_lib.handle import Handle
from runbook_lib.step import Plan, Step
from runbook_lib.story import follow
from runbook_lib.system import System
from runbook_lib.table import Table, table

TASKDEF, APPSPEC = "taskdef.json", "appspec.yaml"
MOST_BYTES = 3_000_000  # CodePipeline user guide, limits: the input artifacts of CodeDeployToECS
DRAFT = "blue-green"  # a branch that no pipeline watches: all files reach the pipeline's branch in one commit


@dataclass(frozen=True)
class Text:
    """A file as the reader sees it."""

    name: str
    text: str

    def __repr__(self) -> str:
        return f"{self.name}\n\n{self.text.rstrip()}"


def present(account: Account, system: System) -> Table:
    """Which of the files that matter are on the pipeline's branch and on the draft branch."""
    names = (TASKDEF, APPSPEC, system.application.buildspec_path, system.application.dockerfile_path)
    main = repository.read_repository(account, system, names)
    draft = repository.read_repository(account, system, names, branch=DRAFT)
    rows = [{"file": name, main.branch: name in main.files, DRAFT: name in draft.files} for name in names]
    return table(f"Files of {system.repository}", rows)


def draft_taskdef(account: Account, system: System) -> Text:
    """taskdef.json from the running revision: cleaned, with the placeholder."""
    answer = service.read_task_definition(account, _running(account, system))
    placeholder = {system.container: system.params.pipeline.placeholder}
    return Text(TASKDEF, taskdef.from_running(answer, containers=placeholder))


def draft_appspec(account: Account, system: System) -> Text:
    """appspec.yaml for the container and port that receive the traffic."""
    del account
    return Text(APPSPEC, appspec.build(appspec.AppSpec(container=system.container, port=system.port)))


def check_drafts(account: Account, system: System) -> Checks:
    """Do the two files fit the parameters and each other?"""
    definition = draft_taskdef(account, system).text
    spec = appspec.parse(draft_appspec(account, system).text)
    containers = {container.name: container for container in taskdef.containers(definition)}
    named = containers.get(spec.container)
    return checks(
        "The drafts",
        (
            ask(
                "Is the placeholder in taskdef.json the one of the parameters?",
                taskdef.placeholders(definition) == (system.params.pipeline.placeholder,),
                seen=", ".join(f"<{name}>" for name in taskdef.placeholders(definition)) or "none",
                wanted=f"<{system.params.pipeline.placeholder}>",
                remedy="correct pipeline.placeholder",
            ),
            ask(
                "Does appspec.yaml name a container of taskdef.json, and a port of it?",
                named is not None and spec.port in named.ports,
                seen=f"{spec.container}:{spec.port}",
                wanted=", ".join(f"{c.name}:{port}" for c in containers.values() for port in c.ports),
                remedy="correct service.container or service.port",
            ),
        ),
    )


def plan_files(account: Account, system: System) -> Plan:
    """Both files onto the draft branch, where no pipeline sees them yet."""
    drafts = (draft_taskdef(account, system), draft_appspec(account, system))
    files = {draft.name: draft.text.encode() for draft in drafts}
    source = repository.read_repository(account, system, files)
    draft = repository.read_repository(account, system, files, branch=DRAFT)
    # A branch that is about to be made starts as what the pipeline's branch is now.
    base = draft if draft.head else replace(source, branch=DRAFT)
    commit = repository.plan_commit(
        system, base, files, step="files.commit", message="Task definition and AppSpec", why="not there yet"
    )
    steps = (repository.plan_branch(system, source, draft), _unless_in_use(account, system, commit))
    return Plan("Bring the files", system.name, steps)


def buildspec_text(account: Account, system: System) -> Text:
    """The buildspec on the pipeline's branch."""
    path = system.application.buildspec_path
    return Text(path, _draft(account, system, (path,), branch=system.branch).files[path].decode())


def buildspec_diff(account: Account, system: System) -> Text:
    """The lines of the buildspec that change."""
    edit = _edit(account, system)
    return Text(f"{system.application.buildspec_path}: {'; '.join(edit.reasons)}", edit.diff or "nothing to change")


def buildspec_repairs(account: Account, system: System) -> Table:
    """Repairs that the buildspec could use beyond the move; none is applied here."""
    found = buildspec.repairs(buildspec_text(account, system).text)
    rows = [{"repair": repair.title, "why": repair.reason, "required": repair.required} for repair in found]
    return table("Repairs on offer", rows, ("repair", "why", "required"))


def check_publishable(account: Account, system: System) -> Checks:
    """May the files be published: are the drafts there, and is the way into Deploy closed?"""
    delivery = pipeline.read_pipeline(account, system)
    stage = delivery.stage(pipeline.DEPLOY) if delivery else None
    closed = bool(stage and not stage.open) or bool(delivery and delivery.deploy_provider == "CodeDeployToECS")
    deploy = ask(
        "Is the way into Deploy closed?",
        closed,
        seen="closed" if closed else "open",
        wanted="closed: the rolling action cannot deploy to a service of CodeDeploy",
        remedy="run 15_move_service again: it freezes the pipeline",
    )
    return checks("Ready to publish", (*check_files(account, system, branch=DRAFT).answers, deploy))


def wait_for_build(account: Account, system: System) -> Handle:
    """Wait until the pipeline has built the head of its branch."""
    head = repository.read_repository(account, system).head
    if head is None:
        raise CheckFailed(seen="a branch without a commit", wanted=system.branch, next_step="run 10_provision first")
    run = follow.run_of_commit(account, system, head.id)
    build = follow.built(account, system, run.id)
    return Handle(build.id, f"build {build.id.rpartition(':')[2][:8]} of commit {head.id[:7]} {build.status}")


def check_artifact(account: Account, system: System) -> Checks:
    """Does the build's artifact hold all files at its root, and is it small enough?"""
    names, size = build.read_artifact(account, system)
    wanted = (TASKDEF, APPSPEC, imagedetail.DETAIL)
    missing = [name for name in wanted if name not in names]
    return checks(
        "The build's artifact",
        (
            ask(
                "Does it hold every file at its root?",
                not missing,
                seen=", ".join(names) or "nothing",
                wanted=", ".join(wanted),
                remedy="see artifacts.files of the buildspec",
            ),
            ask(
                "Is it at most 3 MB?",
                size <= MOST_BYTES,
                seen=f"{size} bytes",
                wanted=f"at most {MOST_BYTES}",
                remedy="let the build hand over nothing but these files",
            ),
        ),
    )


def plan_buildspec(account: Account, system: System) -> Plan:
    """The buildspec that writes imageDetail.json and hands over all files, onto the draft branch."""
    path = system.application.buildspec_path
    source, edit = _draft(account, system, (path,)), _edit(account, system)
    step = repository.plan_commit(
        system,
        source,
        {path: edit.after.encode()},
        step="buildspec.commit",
        message="The build hands over what blue/green needs",
        why="; ".join(edit.reasons),
    )
    return Plan("Edit the buildspec", system.name, (step,))


def plan_publish(account: Account, system: System) -> Plan:
    """All files in one commit onto the branch that the pipeline watches."""
    paths = (TASKDEF, APPSPEC, system.application.buildspec_path)
    draft = _draft(account, system, paths)
    source = repository.read_repository(account, system, paths)
    why = "one commit for all files: the pipeline runs once"
    step = repository.plan_commit(
        system, source, draft.files, step="files.publish", message="Blue/green deployments", why=why
    )
    return Plan("Publish the files", system.name, (_unless_in_use(account, system, step),))


def check_files(account: Account, system: System, *, branch: str) -> Checks:
    """Are the files in the repository, and do they fit each other?"""
    path = system.application.buildspec_path
    source = repository.read_repository(account, system, (TASKDEF, APPSPEC, path), branch=branch)
    wanted = f"<{system.params.pipeline.placeholder}>"
    names = taskdef.placeholders(source.files.get(TASKDEF, b"{}").decode())
    return checks(
        "The files",
        [
            ask(
                f"Is {name} on the branch {branch}?",
                name in source.files,
                seen="there" if name in source.files else "not there",
                wanted="there",
                remedy="run 20_source_files",
            )
            for name in (TASKDEF, APPSPEC)
        ]
        + [
            ask(
                "Is the placeholder in taskdef.json the one that the pipeline will replace?",
                system.params.pipeline.placeholder in names,
                seen=", ".join(f"<{name}>" for name in names) or "none",
                wanted=wanted,
                remedy="use the same name in taskdef.json (with brackets) and in the pipeline (without)",
            )
        ],
    )


def _unless_in_use(account: Account, system: System, step: Step) -> Step:
    """The step, or nothing to do once releases use the files: the draft is older than what they have become."""
    found = pipeline.read_pipeline(account, system)
    if step.needed and found is not None and found.deploy_provider == "CodeDeployToECS":
        return replace(
            step, reason="the pipeline deploys with these files: releases change them from here on", present={}
        )
    return step


def _running(account: Account, system: System) -> str:
    found = service.read_service(account, system, system.service)
    if found is None:
        raise CheckFailed(
            seen="no service behind CodeDeploy", wanted=system.service, next_step="run 15_move_service first"
        )
    return found.revision


def _edit(account: Account, system: System) -> Edit:
    path = system.application.buildspec_path
    source = _draft(account, system, (path,))
    return buildspec.to_blue_green(source.files[path], container=system.container, name=path)


def _draft(account: Account, system: System, paths: tuple[str, ...], *, branch: str = DRAFT) -> repository.Repository:
    source = repository.read_repository(account, system, paths, branch=branch)
    missing = [path for path in paths if path not in source.files]
    if missing:
        raise CheckFailed(
            where=f"branch {branch}",
            seen=f"no {missing[0]}",
            wanted=", ".join(paths),
            next_step="run 20_source_files first",
        )
    return source
