"""CodeDeploy: deployments with their lifecycle events, and who was blue and green when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from runbook_lib import deployment
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account
from runbook_lib.deployment import Deployment, LifecycleEvent
from runbook_lib.incident import links
from runbook_lib.incident.told import Entry, Told
from runbook_lib.system import System

SOURCE = "CodeDeploy"
# A deployment can wait two days before it begins and two after its shift (READY_WAIT and termination wait at most
# 2,880 minutes each: CodeDeploy API, BlueGreenDeploymentConfiguration).
LONGEST = timedelta(days=5)
MOVES = frozenset({"Install", "AllowTestTraffic", "AllowTraffic"})  # events at which something moves


def alive(account: Account, system: System, window: Window) -> tuple[Deployment, ...]:
    """The deployments that were alive in the window with their events, oldest first."""
    ids = deployment.read_ids(account, system, start=window.start - LONGEST, end=window.end)
    found = (deployment.read_deployment(account, system, one) for one in ids)
    met = [one for one in found if one.created < window.end and (one.completed is None or one.completed > window.start)]
    return tuple(sorted(met, key=lambda one: one.created))


def lifecycles(account: Account, system: System, window: Window) -> Told:
    """When each deployment began and ended, and when its traffic moved."""
    found = alive(account, system, window)
    entries = [entry for one in found for entry in _of(system, one) if window.holds(entry.at)]
    return Told(SOURCE, tuple(entries))


def how_ended(event: LifecycleEvent) -> str:
    """How an event ended, if not well; one that had begun was not skipped, whatever its status is called.

    What never began has no start and is Skipped, too (samples of BatchGetDeploymentTargets); which status a shift
    has that was stopped half-way AWS does not document.
    """
    if event.status in ("Succeeded", "InProgress"):
        return ""
    if event.status == "Skipped":
        return f", cut short at {event.end:%H:%M:%S}" if event.end else ", cut short"
    return f" {event.status}"


def _of(system: System, found: Deployment) -> Iterator[Entry]:
    link = links.deployment(system, found.id)
    reason = f", rolls back {found.rolls_back}" if found.rolls_back else ""
    began = f"deployment {found.id} begins ({found.config}{reason})"
    yield Entry(found.created, "delivery", began, SOURCE, f"deployment {found.id} begins", link)
    for event in found.events:
        if event.start and (event.name in MOVES or event.status == "Failed"):
            said = f": {event.message}" if event.message else ""
            what = f"{found.id}: {event.name}{how_ended(event)}{said}"
            yield Entry(event.start, "traffic", what, SOURCE, f"deployment {found.id} {event.name}", link)
    if found.completed:
        said = f": {found.error}" if found.error else ""
        what = f"deployment {found.id} {found.status}{said}"
        yield Entry(found.completed, "delivery", what, SOURCE, f"deployment {found.id} ends", link)
