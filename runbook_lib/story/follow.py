"""Following what was started, by the id that the call returned: a run of the pipeline, a build, a deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from runbook_lib import build as builds
from runbook_lib import deployment as deployments
from runbook_lib import pipeline as pipelines
from runbook_lib import service as services
from runbook_lib.account import Account
from runbook_lib.analysis import Judgement
from runbook_lib.errors import ReleaseFailed
from runbook_lib.journal import Journal
from runbook_lib.story.control import Controller, Decision, last_moment
from runbook_lib.story.tracking import Sample, Seen, Tracker
from runbook_lib.system import System
from runbook_lib.wait import wait_until

POLL = 30.0  # seconds between two looks at what is only waited for
START_LIMIT = timedelta(minutes=10)
BUILD_LIMIT = timedelta(minutes=60)


@dataclass(frozen=True)
class Followed:
    """A deployment with everything that was seen of it, oldest first."""

    deployment: deployments.Deployment
    samples: tuple[Sample, ...]
    decisions: tuple[Decision, ...] = ()
    judgement: Judgement | None = None  # None where nothing could be compared, or nobody should
    last: Seen | None = None  # everything that was known at the end; None for a rollback that was looked up


def run_of_commit(account: Account, system: System, commit: str) -> pipelines.Execution:
    """Wait until the pipeline has taken up a commit, and give that run."""
    found = wait_until(
        account.clock,
        lambda: pipelines.find_execution(account, system, commit),
        lambda run: run is not None,
        what=f"the pipeline takes up commit {commit[:7]}",
        limit=START_LIMIT,
        every=5,
    )
    assert found is not None, "wait_until gives what is done"
    return found


def built(account: Account, system: System, execution: str) -> builds.Build:
    """Wait until a run has built, and give the build; raises ReleaseFailed with the build's words when it failed."""
    run = wait_until(
        account.clock,
        lambda: pipelines.read_execution(account, system, execution),
        lambda run: run.over or _status(run, pipelines.BUILD) in ("Succeeded", "Failed"),
        what="the run has built",
        limit=BUILD_LIMIT,
        every=15,
    )
    action = run.action(pipelines.BUILD)
    if action is None or action.status != "Succeeded" or action.external is None:
        raise _run_failed(run, "a build that succeeds")
    return builds.read_build(account, action.external)


def deploying(account: Account, system: System, execution: str) -> str:
    """Wait until a run has started its deployment, and give the deployment's id."""
    run = wait_until(
        account.clock,
        lambda: pipelines.read_execution(account, system, execution),
        lambda run: run.over or bool(_external(run)),
        what="the run has started its deployment",
        limit=START_LIMIT,
        every=5,
    )
    external = _external(run)
    if external is None:
        raise _run_failed(run, "a deployment of CodeDeploy")
    return external


def deployment(
    account: Account,
    system: System,
    deployment_id: str,
    *,
    journal: Journal,
    until: Callable[[Seen], bool],
    seen: Callable[[Seen, Sample | Decision | None], None] | None = None,
    control: Controller | None = None,
) -> Followed:
    """Follow one deployment until something is true of it, or it is over; every change goes into the journal.

    `control` decides at every look; without one the deployment is only looked at. `seen` is told every look, with what
    changed: a sample, a decision, or None.
    """
    samples: list[Sample] = []
    tracker = Tracker(account, system, deployment_id, journal)

    def look(known: Seen) -> None:
        sample = known.sample
        changed = not samples or sample.differs(samples[-1])
        if changed:
            journal.write("sample", deployment=deployment_id, **vars(sample))
        samples.append(sample)
        if seen is not None:
            seen(known, sample if changed else None)
        decided = control.look(known) if control else None
        if decided is not None:
            tracker.rota.ask("deployment")
            if seen is not None:
                seen(known, decided)

    known = wait_until(
        account.clock,
        tracker.look,
        lambda known: (known.deployment.over or until(known)) and tracker.complete,
        what=f"deployment {deployment_id} is done",
        limit=deployments.budget(system),
        every=lambda known: _wait(tracker, known, control),
        seen=look,
    )
    found = known.deployment
    if found.rolled_back_by:
        back = deployment(account, system, found.rolled_back_by, journal=journal, until=lambda _: False, seen=seen)
        samples += back.samples
    if found.over:
        settled(account, system)
    decisions = tuple(control.decisions) if control else ()
    return Followed(found, tuple(samples), decisions, control.judgement if control else None, known)


def _wait(tracker: Tracker, known: Seen, control: Controller | None) -> float:
    """Seconds until the next look: when something is due to be read, to be probed, or to be decided."""
    decision = last_moment(known)
    due = tracker.wait(known)
    if control is not None and control.pace is not None and known.phase in ("install", "ready", "shift", "hold"):
        due = min(due, control.pace)
    return due if decision is None else max(1.0, min(due, (decision - known.at).total_seconds()))


def rolled_back_by(account: Account, system: System, deployment_id: str) -> str | None:
    """Wait until a stopped deployment names the one that rolls it back; None where none does.

    A stop can come too late, and nothing is rolled back of a deployment that had not begun.
    """
    found = wait_until(
        account.clock,
        lambda: deployments.read_deployment(account, system, deployment_id),
        lambda found: found.rolled_back_by is not None or found.over,
        what=f"{deployment_id} is rolled back",
        limit=START_LIMIT,
        every=5,
    )
    if found.rolled_back_by is None and found.status != "Succeeded":
        account.clock.sleep(POLL)  # the rollback is made a moment after the stop
        found = deployments.read_deployment(account, system, deployment_id)
    return found.rolled_back_by


def ended(account: Account, system: System, deployment_id: str) -> deployments.Deployment:
    """Wait until a deployment has ended, the pipeline's run of it too, and the service is at rest."""
    found = wait_until(
        account.clock,
        lambda: deployments.read_deployment(account, system, deployment_id),
        lambda found: found.over,
        what=f"deployment {deployment_id} has ended",
        limit=deployments.budget(system),
        every=POLL,
    )
    wait_until(
        account.clock,
        lambda: _running(account, system, deployment_id),
        lambda running: running is None,
        what="the pipeline's run has ended",
        limit=START_LIMIT,
        every=POLL,
    )
    settled(account, system)
    return found


def settled(account: Account, system: System) -> services.Service | None:
    """Wait until a service is at rest: stopped tasks deregister for as long as the target group's delay.

    While a deployment is under way it is not at rest, and that is not waited for; nor is a task set that a stopped
    rollback left over: nobody removes it.
    """
    return wait_until(
        account.clock,
        lambda: services.read_service(account, system, system.service),
        lambda service: service is None or service.settled or bool(service.left_over) or _deploys(account, system),
        what=f"{system.service} is at rest",
        limit=START_LIMIT,
        every=POLL,
    )


def commit_of(account: Account, system: System, deployment_id: str) -> str | None:
    """The commit that a deployment brought, in short; None for one that no run of the pipeline made."""
    for run in pipelines.read_executions(account, system):
        full = pipelines.read_execution(account, system, run.id)
        if _external(full) == deployment_id:
            return full.commit[:7] if full.commit else None
    return None


def _deploys(account: Account, system: System) -> bool:
    return any(not found.over for found in deployments.read_deployments(account, system))


def _running(account: Account, system: System, deployment_id: str) -> str | None:
    """The run of the pipeline that made a deployment, while it is not over."""
    running = [run.id for run in pipelines.read_executions(account, system) if not run.over]
    full = (pipelines.read_execution(account, system, run) for run in running)
    return next((run.id for run in full if _external(run) == deployment_id), None)


def _status(run: pipelines.Execution, stage: str) -> str | None:
    action = run.action(stage)
    return action.status if action else None


def _external(run: pipelines.Execution) -> str | None:
    action = run.action(pipelines.DEPLOY)
    return action.external if action else None


def _run_failed(run: pipelines.Execution, wanted: str) -> ReleaseFailed:
    return ReleaseFailed(
        where=f"pipeline run {run.id}",
        seen=run.failure or f"the run is {run.status}",
        wanted=wanted,
        next_step="mend the cause and push again; production was not touched",
    )
