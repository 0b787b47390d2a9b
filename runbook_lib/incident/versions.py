"""The versions of a window: which deployments were alive, who was blue and green when, and which commits made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbook_lib import deployment, pipeline, service
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.deployment import Deployment, Steps
from runbook_lib.incident import changed, roles
from runbook_lib.incident.changed import Difference
from runbook_lib.incident.roles import BLUE, GREEN, Tenure
from runbook_lib.incident.sources import deployments
from runbook_lib.system import System


@dataclass(frozen=True)
class Versions:
    """What served in a window, and where it came from.

    `differences` and `files` are those of the last release against what it replaced; `files` None: not known.
    `commits` made a revision, by the revision; `steps` are of a release's traffic configuration, by its id.
    """

    deployments: tuple[Deployment, ...]  # oldest first
    tenures: tuple[Tenure, ...]
    differences: tuple[Difference, ...]
    files: tuple[str, ...] | None
    commits: dict[str, str]
    steps: dict[str, Steps]


@dataclass(frozen=True)
class _Origin:
    """The commit of the run that made a deployment, and that of the run before it that went well; None: not known."""

    commit: str
    before: str | None


def read(account: Account, system: System, lb: Balancer, window: Window) -> Versions:
    """Read the deployments that were alive in a window, their revisions, and the commits behind these."""
    found = deployments.alive(account, system, window)
    revisions = {one.id: _revision(account, system, one) for one in found}
    tenures = roles.tenures(
        found,
        revisions,
        pair=system.target_groups,
        live=lb.live() or system.target_groups[0],
        former=_former(account, system, found, window),
        window=window,
    )
    made = _makers(account, system, found, revisions, tenures)
    origins = _origins(account, system, made)
    release = deployment.last_release(found)
    return Versions(
        deployments=found,
        tenures=tenures,
        differences=changed.read_differences(account, *released(tenures)),
        files=_files(account, system, origins.get(release.id)) if release else None,
        commits={made[id]: origin.commit for id, origin in reversed(origins.items())},  # the newest run counts
        steps={one.id: deployment.read_steps(account, one) for one in found if not one.goes_back},
    )


def released(tenures: Sequence[Tenure]) -> tuple[str | None, str | None]:
    """The former and the new revision of the last release in the window."""
    green = next((one for one in reversed(tenures) if one.role == GREEN), None)
    blue = next((one for one in tenures if green and one.role == BLUE and one.deployment == green.deployment), None)
    return blue.revision if blue else None, green.revision if green else None


def _revision(account: Account, system: System, found: Deployment) -> str | None:
    arn = deployment.read_task_definition_of(account, system, found)
    return arn.rpartition("/")[2] if arn else None


def _former(account: Account, system: System, found: Sequence[Deployment], window: Window) -> str | None:
    """The revision that served when the window began: of the last release that went well before its first one."""
    first = next((one.created for one in found if one.rolls_back is None), window.end)
    well = (d for d in deployment.read_deployments(account, system) if d.status == "Succeeded" and d.rolls_back is None)
    known = next((one for one in well if one.created < first), None)  # newest first
    if known:
        return _revision(account, system, known)
    running = service.read_service(account, system, system.service)
    return running.primary.revision if running and running.primary and not found else None


def _makers(
    account: Account,
    system: System,
    found: Sequence[Deployment],
    revisions: Mapping[str, str | None],
    tenures: Sequence[Tenure],
) -> dict[str, str]:
    """The deployments, by their ids, that brought the revisions of the window: those of it, and the newest before it.

    One that goes back brings nothing new.
    """
    made = {each.id: revisions.get(each.id) for each in found if not each.goes_back}
    wanted = {tenure.revision for tenure in tenures if tenure.revision} - set(made.values())
    for each in deployment.read_deployments(account, system) if wanted else ():
        if each.id not in made and not each.goes_back and wanted:
            made[each.id] = _revision(account, system, each)
            wanted.discard(made[each.id])
    return {id: revision for id, revision in made.items() if revision}


def _origins(account: Account, system: System, made: Mapping[str, str]) -> dict[str, _Origin]:
    """The origin of each deployment that a run of the pipeline made, by its id."""
    missing = set(made)
    runs = pipeline.read_executions(account, system) if missing else ()
    found: dict[str, _Origin] = {}
    for number, run in enumerate(runs):
        if not missing:
            break
        external = {one.external for one in pipeline.read_execution(account, system, run.id).actions if one.external}
        earlier = (older.commit for older in runs[number + 1 :] if older.commit and older.status == "Succeeded")
        if run.commit:
            found |= dict.fromkeys(missing & external, _Origin(run.commit, next(earlier, None)))
        missing -= external
    return found


def _files(account: Account, system: System, origin: _Origin | None) -> tuple[str, ...] | None:
    """The paths in which the commit differs from that of the run before; None: not known."""
    if origin is None or origin.before is None:
        return None
    return changed.read_commit_files(account, system, origin.before, origin.commit)
