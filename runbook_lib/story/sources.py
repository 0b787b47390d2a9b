"""The files that blue/green needs in the repository: taskdef.json, appspec.yaml, and a buildspec for both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook_lib import repository, service
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks
from runbook_lib.documents import appspec, buildspec, taskdef
from runbook_lib.errors import CheckFailed
from runbook_lib.step import Plan
from runbook_lib.system import System

TASKDEF, APPSPEC = "taskdef.json", "appspec.yaml"
DRAFT = "blue-green"  # a branch that no pipeline watches: all files reach the pipeline's branch in one commit


@dataclass(frozen=True)
class Drafts:
    """The files as they will be committed."""

    taskdef: str
    appspec: str


def draft_files(account: Account, system: System) -> Drafts:
    """taskdef.json from the running revision, cleaned, with the placeholder; appspec.yaml for its container."""
    running = _running(account, system)
    answer = service.read_task_definition(account, running)
    placeholder = {system.container: system.params.pipeline.placeholder}
    return Drafts(
        taskdef=taskdef.from_running(answer, containers=placeholder),
        appspec=appspec.build(appspec.AppSpec(container=system.container, port=system.port)),
    )


def plan_files(account: Account, system: System, drafts: Drafts) -> Plan:
    """Both files onto the draft branch, where no pipeline sees them yet."""
    files = {TASKDEF: drafts.taskdef.encode(), APPSPEC: drafts.appspec.encode()}
    source = repository.read_repository(account, system, files)
    draft = repository.read_repository(account, system, files, branch=DRAFT)
    # A branch that is about to be made starts as what the pipeline's branch is now.
    base = draft if draft.head else replace(source, branch=DRAFT)
    commit = repository.plan_commit(
        system, base, files, step="files.commit", message="Task definition and AppSpec", why="not there yet"
    )
    return Plan("Bring the files", system.name, (repository.plan_branch(system, source, draft), commit))


def plan_buildspec(account: Account, system: System) -> Plan:
    """The buildspec that writes imageDetail.json and hands over all files, onto the draft branch."""
    path = system.application.buildspec_path
    source = _draft(account, system, (path,))
    edit = buildspec.to_blue_green(source.files[path])
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
    return Plan("Publish the files", system.name, (step,))


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


def _running(account: Account, system: System) -> str:
    found = service.read_service(account, system, system.service)
    if found is None:
        raise CheckFailed(
            seen="no service behind CodeDeploy", wanted=system.service, next_step="run 15_move_service first"
        )
    return found.revision


def _draft(account: Account, system: System, paths: tuple[str, ...]) -> repository.Repository:
    source = repository.read_repository(account, system, paths, branch=DRAFT)
    missing = [path for path in paths if path not in source.files]
    if missing:
        raise CheckFailed(
            where=f"branch {DRAFT}",
            seen=f"no {missing[0]}",
            wanted=", ".join(paths),
            next_step="run 20_source_files first",
        )
    return source
