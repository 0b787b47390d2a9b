"""The versions of a window: which revisions served in it, and the commits that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook_lib import deployment, pipeline, service
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment
from runbook_lib.incident import changed
from runbook_lib.incident.roles import BLUE, GREEN, Tenure
from runbook_lib.pipeline import Execution
from runbook_lib.system import System


def revision(account: Account, system: System, found: Deployment) -> str | None:
    """The revision that a deployment deploys, None where its AppSpec is not kept."""
    arn = deployment.read_task_definition_of(account, system, found)
    return arn.rpartition("/")[2] if arn else None


def former(account: Account, system: System, found: Sequence[Deployment], window: Window) -> str | None:
    """The revision that served when the window began: of the last release that went well before its first one."""
    first = next((one.created for one in found if one.rolls_back is None), window.end)
    well = (d for d in deployment.read_deployments(account, system) if d.status == "Succeeded" and d.rolls_back is None)
    known = next((one for one in well if one.created < first), None)  # newest first
    if known:
        return revision(account, system, known)
    running = service.read_service(account, system, system.service)
    return running.primary.revision if running and running.primary and not found else None


def released(tenures: Sequence[Tenure]) -> tuple[str | None, str | None]:
    """The former and the new revision of the last release in the window."""
    green = next((one for one in reversed(tenures) if one.role == GREEN), None)
    blue = next((one for one in tenures if green and one.role == BLUE and one.deployment == green.deployment), None)
    return blue.revision if blue else None, green.revision if green else None


def last_release(found: Sequence[Deployment]) -> Deployment | None:
    """The last one, oldest first, that did not go back."""
    return next((one for one in reversed(found) if not one.goes_back), None)


def commits(
    account: Account,
    system: System,
    found: Sequence[Deployment],
    revisions: Mapping[str, str | None],
    tenures: Sequence[Tenure],
) -> tuple[dict[str, str], tuple[str, ...] | None]:
    """The commits that made the revisions of the window, and what that of the last release changed; None: not known.

    A commit is known by the run of the pipeline that made the deployment.
    """
    made = {each.id: revisions.get(each.id) for each in found if not each.goes_back}
    wanted = {tenure.revision for tenure in tenures if tenure.revision} - set(made.values())
    for each in deployment.read_deployments(account, system) if wanted else ():
        if each.id not in made and not each.goes_back and wanted:
            made[each.id] = revision(account, system, each)
            wanted.discard(made[each.id])
    missing = {id for id, revision in made.items() if revision}
    release, of_release = last_release(found), None
    known: dict[str, str] = {}
    runs = pipeline.read_executions(account, system) if missing else ()
    for number, run in enumerate(runs):
        if not missing:
            break
        external = {one.external for one in pipeline.read_execution(account, system, run.id).actions if one.external}
        for id in missing & external:
            if run.commit:
                known.setdefault(str(made[id]), run.commit)
            of_release = number if release and id == release.id else of_release
        missing -= external
    return known, _files(account, system, runs, of_release)


def _files(account: Account, system: System, runs: Sequence[Execution], number: int | None) -> tuple[str, ...] | None:
    """The paths in which the commit of a run differs from that of the one before that went well."""
    after = runs[number].commit if number is not None else None
    if number is None or after is None:
        return None
    before = next((run.commit for run in runs[number + 1 :] if run.commit and run.status == "Succeeded"), None)
    return changed.read_commit_files(account, system, before, after) if before else None
