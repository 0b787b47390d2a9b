"""Going back: which ways are open now, the quickest of them, and the proof that the former version serves again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from runbook_lib import balancer, deployment, image, lease, pipeline, service
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks
from runbook_lib.errors import GateClosed
from runbook_lib.handle import Handle
from runbook_lib.step import Applied, Plan, Step
from runbook_lib.story import follow
from runbook_lib.system import System
from runbook_lib.table import Table, table

BY_HAND = "when that cannot wait, `aws deploy stop-deployment --auto-rollback-enabled` goes back without it"
STOP, REDEPLOY, STAGE, FLIP = "stop with rollback", "redeploy the former revision", "stage rollback", "listener flip"


@dataclass(frozen=True)
class Way:
    """A way back: whether it is open now and why, and how long it takes."""

    name: str
    open: bool
    reason: str
    takes: str
    to: str | None  # what would serve again: a revision, or a run of the pipeline


@dataclass(frozen=True)
class Past:
    """What going back is decided on."""

    deployments: tuple[deployment.Deployment, ...]  # newest first
    live: str | None
    former: str | None  # the revision that served before the live one
    former_image: bool  # whether the former revision's image is still in the registry
    stage_targets: tuple[str, ...]  # runs that a stage rollback could go back to
    idle_group_healthy: int  # healthy targets in the group that is not live
    returning: deployment.Deployment | None  # one that is bringing a former revision back already
    goal: str | None  # the revision that serves when going back has ended

    @property
    def active(self) -> deployment.Deployment | None:
        """The deployment that is under way: CodeDeploy runs one a group."""
        return next((found for found in self.deployments if not found.over), None)


def read_past(account: Account, system: System) -> Past:
    """What was deployed, what is live and what served before."""
    found = tuple(
        deployment.read_deployment(account, system, d.id) for d in deployment.read_deployments(account, system, most=10)
    )
    current = service.read_service(account, system, system.service)
    live = current.primary.revision if current and current.primary else None
    revisions = {d.id: _revision(account, system, d) for d in found}
    former = _former(found, revisions, live)
    active = next((d for d in found if not d.over), None)
    returning = active if active and active.goes_back else None
    lb = balancer.read_balancer(account, system)
    idle = [lb.groups[name].healthy for name in system.target_groups if name in lb.groups and name != lb.live()]
    return Past(
        deployments=found,
        live=live,
        former=former,
        former_image=former is not None and _image_exists(account, system, former),
        stage_targets=_stage_targets(account, system),
        idle_group_healthy=sum(idle),
        returning=returning,
        # What is stopped before it has moved all traffic never became the live revision: what was live stays.
        goal=revisions[returning.id] if returning else live if active and not active.shifted else former,
    )


def ways(system: System, past: Past) -> tuple[Way, ...]:
    """The four ways back, quickest first, each open or closed for a stated reason."""
    active = past.active
    return (
        _stop(active),
        _redeploy(system, past, active),
        _stage(past, active),
        _flip(past, active),
    )


def ways_table(account: Account, system: System, past: Past) -> Table:
    """The four ways with what is open and why."""
    del account
    rows = [{"way": w.name, "open": w.open, "why": w.reason, "takes": w.takes, "to": w.to} for w in ways(system, past)]
    return table("Ways back", rows)


def check_ready(account: Account, system: System, past: Past) -> Checks:
    """Is there something to go back to, and a way that is open; or is a deployment going back already?"""
    del account
    if past.returning:
        question = "Is the deployment that is under way one that goes back?"
        return checks("Ready to go back", (ask(question, True, seen=past.returning.id, wanted="one that goes back"),))
    open_ways = [way.name for way in ways(system, past) if way.open]
    return checks(
        "Ready to go back",
        (
            ask(
                "Is one of the ways open?",
                bool(open_ways),
                seen=", ".join(open_ways) or "none",
                wanted="at least one",
                remedy="release a mended version with 30_release",
            ),
            ask(
                "Is it known what served before?",
                past.former is not None,
                seen=past.former or f"nothing: {past.live} is the oldest that is left, or was gone back to",
                wanted="a former revision",
                remedy="release a mended version with 30_release",
            ),
        ),
    )


def wait_for_deployment(account: Account, system: System, applied: Applied, past: Past) -> Handle:
    """The deployment that goes back: the one that was made, or the rollback of the one that was stopped."""
    answers = applied.answers
    if past.returning:
        return Handle(past.returning.id, f"deployment {past.returning.id} brings {past.goal} back already")
    if "rollback.deploy" in answers:
        made = answers["rollback.deploy"]["deploymentId"]
        return Handle(made, f"deployment {made} brings {past.former} back")
    if "pipeline.rollback" in answers:
        found = follow.deploying(account, system, answers["pipeline.rollback"]["pipelineExecutionId"])
        return Handle(found, f"deployment {found} of the rolled back stage")
    stopped = next(d for d in past.deployments if not d.over)
    found = follow.rolled_back_by(account, system, stopped.id)
    return Handle(found, f"deployment {found} rolls {stopped.id} back")


def instant_until(account: Account, system: System, started: Handle) -> Table:
    """Until when the other tasks still run, so that changing one's mind takes seconds."""
    found = deployment.read_deployment(account, system, started.id)
    minutes = system.params.release.termination_wait_minutes
    shifted = next((event.end for event in found.events if event.name == "AllowTraffic" and event.end), None)
    until = "it is over: the other tasks are gone" if found.over else "not known before all traffic has moved"
    if found.rolls_back:
        until = "it is not: a rollback keeps no other tasks, and it cannot be rolled back itself"
    elif shifted and not found.over:
        until = f"{(shifted + timedelta(minutes=minutes)).strftime('%H:%M')} UTC, then they are stopped"
    return table("Going back is instant", [{"deployment": found.id, "until": until}])


def plan_back(account: Account, system: System, past: Past) -> Plan:
    """The quickest way that is open, as a plan; raises GateClosed when none is.

    Nothing is to be done while a deployment goes back already: stopping it would bring the bad version back.
    """
    freeze = _freeze(account, system, past)
    if past.returning:
        step = deployment.plan_stop(past.returning, why="going back by hand")
        under_way = replace(step, title="Go back", reason=f"{past.returning.id} goes back already", present={})
        return Plan(f"Go back: {past.returning.id} is under way", system.name, (*freeze, under_way))
    open_ways = [way for way in ways(system, past) if way.open]
    if not open_ways:
        raise GateClosed(
            where="going back",
            seen="; ".join(f"{way.name}: {way.reason}" for way in ways(system, past)),
            wanted="one way that is open",
            next_step="release a mended version with 30_release",
        )
    way = open_ways[0]
    steps = (lease.plan_take(account, system, otherwise=BY_HAND), *freeze, _step(system, past, way))
    return Plan(f"Go back: {way.name}", system.name, steps, notes=(way.takes,))


def check_back(account: Account, system: System, past: Past) -> Checks:
    """Does the former revision serve again, on every listener and with every task?"""
    wanted = past.goal or ""
    current = service.read_service(account, system, system.service)
    lb = balancer.read_balancer(account, system)
    primary = current.primary if current else None
    answers = [
        ask(
            "Is the former revision live?",
            bool(primary and primary.revision == wanted),
            seen=primary.revision if primary else "nothing",
            wanted=wanted,
            remedy="read the deployment's error",
        ),
        *balancer.check_listeners(system, lb, primary.target_group if primary else None).answers,
    ]
    if primary and current:
        answers.append(balancer.check_targets(lb.groups[primary.target_group], wanted=current.desired))
    return checks("The former version serves again", answers)


def _stop(active: deployment.Deployment | None) -> Way:
    if active is None:
        return Way(STOP, False, "no deployment is under way", "seconds", None)
    return Way(STOP, True, f"{active.id} is under way and the former tasks still run", "seconds", "the former tasks")


def _redeploy(system: System, past: Past, active: deployment.Deployment | None) -> Way:
    takes = f"a full deployment ({system.params.release.traffic})"
    if active is not None:
        return Way(REDEPLOY, False, f"{active.id} is under way: one deployment a group", takes, past.former)
    if past.former is None:
        return Way(REDEPLOY, False, "no former revision is known", takes, None)
    if not past.former_image:
        return Way(REDEPLOY, False, f"the image of {past.former} is gone from the registry", takes, past.former)
    return Way(REDEPLOY, True, f"{past.former} and its image are there", takes, past.former)


def _stage(past: Past, active: deployment.Deployment | None) -> Way:
    takes = "a full deployment by the pipeline"
    if active is not None:
        return Way(STAGE, False, f"{active.id} is under way", takes, None)
    if not past.stage_targets:
        return Way(STAGE, False, "no earlier run on the pipeline's present structure deployed", takes, None)
    return Way(STAGE, True, "an earlier run on the pipeline's present structure deployed", takes, past.stage_targets[0])


def _flip(past: Past, active: deployment.Deployment | None) -> Way:
    takes = "seconds, and both listeners must be mended afterwards"
    if active is not None:
        return Way(FLIP, False, f"{active.id} owns the listeners", takes, None)
    if not past.idle_group_healthy:
        return Way(FLIP, False, "no healthy task stands behind the other target group", takes, None)
    # Healthy tasks behind an idle group are left over from a deployment stopped without rollback: a person decides.
    return Way(FLIP, False, "emergency only: it takes a typed confirmation and is not done by this plan", takes, None)


def _step(system: System, past: Past, way: Way) -> Step:
    if way.name == STOP and past.active:
        return deployment.plan_stop(past.active, why="going back by hand")
    if way.name == REDEPLOY:
        arn = system.arn("ecs", f"task-definition/{past.former}")
        return deployment.plan_redeploy(
            system, arn, step="rollback.deploy", why=f"back from {past.live} to {past.former}"
        )
    return pipeline.plan_stage_rollback(system, past.stage_targets[0], why=f"back from {past.live}")


def _freeze(account: Account, system: System, past: Past) -> tuple[Step, ...]:
    found = pipeline.read_pipeline(account, system)
    # The next push would deploy the bad commit again: somebody must look before runs enter Deploy.
    return (pipeline.plan_freeze(system, found, reason=f"rolled back by hand from {past.live}"),) if found else ()


def _former(found: tuple[deployment.Deployment, ...], revisions: Mapping[str, str], live: str | None) -> str | None:
    """The revision that served before the live one: a way back takes what it left out of the row.

    Whoever goes back from 3 to 2 finds what was before 2 next, and never 3 again.
    """
    row: list[str] = []
    for one in reversed(found):
        revision = revisions[one.id]
        if one.status == "Succeeded" and revision:
            row = row[: row.index(revision)] if revision in row else row
            row.append(revision)
    before = row[: row.index(live)] if live in row else row
    return before[-1] if before else None


def _revision(account: Account, system: System, found: deployment.Deployment) -> str:
    return (deployment.read_task_definition_of(account, system, found) or "").rpartition("/")[2]


def _image_exists(account: Account, system: System, revision: str) -> bool:
    definition = service.read_task_definition(account, revision)["taskDefinition"]
    uri = next(c["image"] for c in definition["containerDefinitions"] if c["name"] == system.container)
    registry = image.read_registry(account, system)
    repository, _, reference = uri.partition("@")
    if reference:
        return registry.by_digest(reference) is not None
    return any(repository.rpartition(":")[2] in pushed.tags for pushed in registry.images)


def _stage_targets(account: Account, system: System) -> tuple[str, ...]:
    found = pipeline.read_pipeline(account, system)
    if found is None:
        return ()
    runs = pipeline.read_executions(account, system)
    good = [run.id for run in runs if run.status == "Succeeded"]
    full = [pipeline.read_execution(account, system, run) for run in good]
    eligible = [run.id for run in full if run.version == found.version and run.action(pipeline.DEPLOY)]
    return tuple(eligible[1:])  # the newest is what serves now
