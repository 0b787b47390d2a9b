"""Going back: which ways are open now, the quickest of them, and the proof that the former version serves again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from runbook_lib import balancer, bracket, deployment, image, lease, pipeline, service, target_group
from runbook_lib.account import Account
from runbook_lib.check import Checks, ask, checks
from runbook_lib.errors import CheckFailed, GateClosed
from runbook_lib.handle import Handle
from runbook_lib.step import Applied, Plan, Step
from runbook_lib.story import follow, forecasting
from runbook_lib.system import System
from runbook_lib.table import Table, table

BY_HAND = "when that cannot wait, `aws deploy stop-deployment --auto-rollback-enabled` goes back without it"
ASTRAY = "a listener leads elsewhere than to the live tasks: CodeDeploy refuses to begin (D1)"
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
class Flip:
    """Where the listeners could lead instead: to the live tasks that they have left, or to tasks left over."""

    group: str
    revision: str
    why: str
    healthy: bool  # whether the live tasks, and those that it leads to, pass their health checks


@dataclass(frozen=True)
class Past:
    """What going back is decided on."""

    deployments: tuple[deployment.Deployment, ...]  # newest first
    live: str | None
    former: str | None  # the revision that served before the live one
    former_image: bool  # whether the former revision's image is still in the registry
    stage_targets: tuple[str, ...]  # runs that a stage rollback could go back to
    flip: Flip | None  # None: the listeners lead to the live tasks, and no others run
    astray: bool  # whether a listener or rule leads elsewhere than to the live tasks: CodeDeploy refuses to begin then
    former_active: bool  # whether ECS still starts tasks of the former revision
    start_minutes: float  # until new tasks are healthy, as long as it took the last time
    bad: str | None  # the deployment that made the live revision, or is about to: what is gone back from
    returning: deployment.Deployment | None  # one that brings a former revision back, or has done it already
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
    if active is None and former is None and found and found[0].goes_back and found[0].status == "Succeeded":
        # Gone back already, and nothing served before: there is nothing left to go back to.
        returning = found[0] if revisions[found[0].id] == live else None
    lb = balancer.read_balancer(account, system)
    primary = current.primary if current else None
    astray = bool(balancer.check_listeners(system, lb, primary.target_group if primary else None).bad)
    made = next((d.id for d in found if d.status == "Succeeded" and revisions[d.id] == live), None)
    return Past(
        deployments=found,
        live=live,
        former=former,
        former_image=former is not None and _image_exists(account, system, former),
        stage_targets=_stage_targets(account, system),
        flip=_flip_of(current, lb, astray=astray),
        astray=astray,
        former_active=former is not None and _is_active(account, former),
        start_minutes=forecasting.start_minutes(account, system, found),
        bad=active.id if active and not returning else made,
        returning=returning,
        # What is stopped before it has moved all traffic never became the live revision: what was live stays.
        goal=revisions[returning.id] if returning else live if active and not active.shifted else former,
    )


def ways(system: System, past: Past) -> tuple[Way, ...]:
    """The four ways back, quickest first, each open or closed for a stated reason; a flip also wants a typed word."""
    active = past.active
    return (
        _stop(active),
        _flip(past, active),
        _redeploy(system, past, active),
        _stage(system, past, active),
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
        question = "Is the last deployment one that goes back?"
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
                past.former is not None or past.flip is not None,
                seen=past.former
                or (past.flip.revision if past.flip else None)
                or f"nothing: {past.live} is the oldest that is left, or was gone back to",
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
    if past.active is None:
        last = past.deployments[0].id
        return Handle(last, f"no deployment: the listeners were led elsewhere; {last} is the last one")
    stopped = past.active.id
    back = follow.rolled_back_by(account, system, stopped)
    if back is not None:
        return Handle(back, f"deployment {back} rolls {stopped} back")
    ended = deployment.read_deployment(account, system, stopped)
    if ended.status == "Succeeded":
        raise CheckFailed(
            where=f"deployment {stopped}",
            seen="it had ended before the stop reached it: its tasks serve",
            wanted="a deployment that is stopped and rolled back",
            next_step="run this notebook again: it redeploys the former revision",
        )
    return Handle(stopped, f"deployment {stopped} was stopped, and CodeDeploy rolls nothing back")


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


def plan_back(account: Account, system: System, past: Past, confirm: str = "") -> Plan:
    """The quickest way that is open, as a plan; raises GateClosed when none is.

    Leading the listeners elsewhere by hand is for emergencies: `confirm` must be the name of the service for it.
    Nothing is to be done while a deployment goes back already: stopping it would bring the bad version back.
    """
    freeze = _freeze(account, system, past)
    if past.returning:
        step = deployment.plan_stop(past.returning, why="going back by hand")
        over = past.returning.over
        reason = f"{past.returning.id} {'went' if over else 'goes'} back already"
        under_way = replace(step, title="Go back", reason=reason, present={})
        title = f"Go back: {past.returning.id} {'has done it' if over else 'is under way'}"
        return Plan(title, system.name, (*freeze, under_way))
    open_ways = [way for way in ways(system, past) if way.open and (way.name != FLIP or confirm == system.service)]
    if not open_ways:
        raise _none_open(system, past, confirm)
    way = open_ways[0]
    steps = [lease.plan_take(account, system, otherwise=BY_HAND), *freeze]
    if way.name in (REDEPLOY, STAGE):
        steps += bracket.plan_open(account, system)
    notes: tuple[str, ...] = (way.takes,)
    if way.name == FLIP and past.flip and not past.astray:
        notes += (f"{past.live} stays the primary task set: the next deployment is refused until {FLIP} is done again",)
    return Plan(f"Go back: {way.name}", system.name, (*steps, *_steps(account, system, past, way)), notes=notes)


def check_back(account: Account, system: System, past: Past, applied: Applied | None = None) -> Checks:
    """Does the former revision serve again, on every listener and with every task?"""
    lb = balancer.read_balancer(account, system)
    if applied is not None and past.flip is not None and any(id.startswith("flip.") for id in applied.answers):
        answers = list(balancer.check_listeners(system, lb, past.flip.group).answers)
        return checks(
            f"{past.flip.revision} serves", [*answers, target_group.check_targets(lb.group(past.flip.group), wanted=1)]
        )
    wanted = past.goal or ""
    current = service.read_service(account, system, system.service)
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
        answers.append(target_group.check_targets(lb.group(primary.target_group), wanted=current.desired))
    return checks("The former version serves again", answers)


def _none_open(system: System, past: Past, confirm: str) -> GateClosed:
    told = "; ".join(f"{way.name}: {way.reason}" for way in ways(system, past) if not way.open)
    if past.flip is not None and past.active is None:
        typed = f"confirm is {confirm!r}" if confirm else "confirm is empty"
        return GateClosed(
            where="going back",
            seen=f"{FLIP}: {typed}; {told}",
            wanted=f"the name of the service, {system.service}, as confirm: nobody checks what is done by hand",
            next_step=f"look at the table, then run again with confirm={system.service}",
        )
    return GateClosed(
        where="going back",
        seen=told,
        wanted="one way that is open",
        next_step="release a mended version with 30_release",
    )


def _stop(active: deployment.Deployment | None) -> Way:
    takes = "about a minute: weights in seconds, then the new tasks go"
    if active is None:
        return Way(STOP, False, "no deployment is under way", takes, None)
    return Way(STOP, True, f"{active.id} is under way and the former tasks still run", takes, "the former tasks")


def _redeploy(system: System, past: Past, active: deployment.Deployment | None) -> Way:
    takes = _full(system, past)
    if past.astray:
        return Way(REDEPLOY, False, ASTRAY, takes, past.former)
    if active is not None:
        return Way(REDEPLOY, False, f"{active.id} is under way: one deployment a group", takes, past.former)
    if past.former is None:
        return Way(REDEPLOY, False, "no former revision is known", takes, None)
    if not past.former_image:
        return Way(REDEPLOY, False, f"the image of {past.former} is gone from the registry", takes, past.former)
    if not past.former_active:
        return Way(REDEPLOY, False, f"{past.former} was deregistered: ECS starts no tasks of it", takes, past.former)
    return Way(REDEPLOY, True, f"{past.former} and its image are there", takes, past.former)


def _stage(system: System, past: Past, active: deployment.Deployment | None) -> Way:
    takes = f"{_full(system, past)}, by the pipeline"
    if past.astray:
        return Way(STAGE, False, ASTRAY, takes, None)
    if active is not None:
        return Way(STAGE, False, f"{active.id} is under way", takes, None)
    if not past.stage_targets:
        return Way(STAGE, False, "no earlier run on the pipeline's present structure deployed", takes, None)
    return Way(STAGE, True, "an earlier run on the pipeline's present structure deployed", takes, past.stage_targets[0])


def _flip(past: Past, active: deployment.Deployment | None) -> Way:
    takes = "seconds; a typed confirmation, and nobody watches it but you"
    if active is not None:
        return Way(FLIP, False, f"{active.id} owns the listeners", takes, None)
    if past.flip is None:
        return Way(FLIP, False, "the listeners lead to the live tasks, and no others run", takes, None)
    if not past.flip.healthy:
        return Way(FLIP, False, f"{past.flip.why}, but not every task is healthy", takes, past.flip.revision)
    return Way(FLIP, True, f"emergency: {past.flip.why}", takes, past.flip.revision)


def _full(system: System, past: Past) -> str:
    """How long a full deployment takes until the former version has all the traffic."""
    minutes = past.start_minutes + forecasting.shift_of(system).compared_minutes
    return f"about {minutes:.0f} min ({system.params.release.traffic})"


def _flip_of(found: service.Service | None, lb: balancer.Balancer, *, astray: bool) -> Flip | None:
    """Where a flip could lead: the live tasks when a listener has left them, else tasks that a stop left over."""
    if found is None or found.primary is None:
        return None
    left = [one for one in found.left_over if one.target_group in lb.groups]
    if not astray and not left:
        return None
    to = found.primary if astray else left[0]
    why = "a listener leads elsewhere than to the live tasks" if astray else f"tasks of {to.revision} were left over"
    groups = [lb.group(one.target_group) for one in (found.primary, to)]
    wanted = (found.primary.desired, to.desired)
    healthy = all(group.healthy >= least for group, least in zip(groups, wanted, strict=True))
    return Flip(to.target_group, to.revision, why, healthy)


def _steps(account: Account, system: System, past: Past, way: Way) -> tuple[Step, ...]:
    if way.name == STOP and past.active:
        return (deployment.plan_stop(past.active, why="going back by hand"),)
    if way.name == FLIP and past.flip:
        lb = balancer.read_balancer(account, system)
        return balancer.plan_lead(system, lb, past.flip.group, why=past.flip.why)
    if way.name == REDEPLOY:
        arn = system.arn("ecs", f"task-definition/{past.former}")
        why = f"back from {past.live} to {past.former}"
        return (deployment.plan_redeploy(system, arn, step="rollback.deploy", why=why),)
    return (pipeline.plan_stage_rollback(system, past.stage_targets[0], why=f"back from {past.live}"),)


def _freeze(account: Account, system: System, past: Past) -> tuple[Step, ...]:
    found = pipeline.read_pipeline(account, system)
    # The next push would deploy the bad commit again: somebody must look before runs enter Deploy.
    commit = follow.commit_of(account, system, past.bad) if past.bad else None
    named = f"{past.bad} - bad commit {commit or 'unknown'}" if past.bad else past.live
    return (pipeline.plan_freeze(system, found, reason=f"rolled back by hand from {named}"),) if found else ()


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


def _is_active(account: Account, revision: str) -> bool:
    status = service.read_task_definition(account, revision)["taskDefinition"]["status"]
    return bool(status == "ACTIVE")


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
