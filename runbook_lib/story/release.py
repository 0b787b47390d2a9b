"""A release: a commit through the pipeline to a deployment that is followed by its id and judged by what is live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runbook_lib import (
    alarm,
    balancer,
    bracket,
    deployment,
    deployment_group,
    hook,
    lease,
    pipeline,
    repository,
    service,
    target_group,
)
from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, Verdict, ask, checks, skip
from runbook_lib.deployment import Deployment
from runbook_lib.documents import appspec, taskdef
from runbook_lib.errors import CheckFailed, ReleaseFailed, RolledBack
from runbook_lib.handle import Handle
from runbook_lib.hook import placement
from runbook_lib.inventory import Item, read_inventory
from runbook_lib.step import Applied, Plan, Step, Until
from runbook_lib.story import follow, logged, shares, watch
from runbook_lib.system import System
from runbook_lib.table import Table, table

TASKDEF, APPSPEC = "taskdef.json", "appspec.yaml"
VERSION = "APP_VERSION"


@dataclass(frozen=True)
class Live:
    """What serves production now; `None` fields say that there is nothing."""

    revision: str | None
    target_group: str | None
    version: str | None  # the application's own APP_VERSION
    image: str | None
    running: int

    def table(self) -> Table:
        """What serves production, line by line."""
        rows = (
            ("revision", self.revision),
            ("version", self.version),
            ("image", self.image),
            ("target group", self.target_group),
            ("tasks", self.running),
        )
        return table("Live now", [{"what": what, "seen": seen} for what, seen in rows])


def read_live(account: Account, system: System) -> Live:
    """What serves production now, read from listener, task set and task definition."""
    found = service.read_service(account, system, system.service)
    primary = found.primary if found else None
    if primary is None:
        return Live(None, None, None, None, 0)
    container = _container(service.read_task_definition(account, primary.revision), system.container)
    environment = {entry["name"]: entry["value"] for entry in container.get("environment", ())}
    return Live(
        revision=primary.revision,
        target_group=balancer.read_balancer(account, system).live(),
        version=environment.get(VERSION),
        image=container["image"].rpartition("/")[2],
        running=primary.running,
    )


def check_safe(account: Account, system: System, version: str, environment: Mapping[str, str]) -> Checks:
    """Is it safe to start a release, or to go on with this very release where it is under way already?"""
    delivery = pipeline.read_pipeline(account, system)
    mine = _under_way(account, system, version, environment)
    if mine is not None:
        question = "Is the deployment that is under way the one of this release?"
        return checks("Safe to go on", (ask(question, True, seen=mine, wanted=mine), _check_delivery(delivery)))
    found = service.read_service(account, system, system.service)
    lb = balancer.read_balancer(account, system)
    primary = found.primary.target_group if found and found.primary else None
    answers = [service.check_settled(found, system.service)]
    if found and primary:
        answers.append(target_group.check_targets(lb.group(primary), wanted=found.desired))
    answers += balancer.check_listeners(system, lb, primary).answers
    answers.append(deployment.check_no_deployment(deployment.read_deployments(account, system)))
    answers += alarm.check_alarms(alarm.read_alarms(account, system.alarms), system.alarms)
    answers.append(_check_delivery(delivery))
    if system.params.release.hook != "none" and lb.arn is not None:
        placed = placement.read_placement(account, system, lb)
        answers += placement.check_placement(placed, system.params.balancer.test_port)
    return checks("Safe to release", answers)


def plan_release(account: Account, system: System, version: str, environment: Mapping[str, str]) -> Plan:
    """Take the lease, let the traffic move as the parameters say, and commit the version to the pipeline's branch.

    The version and further variables go into the environment in taskdef.json; every other byte of it stays.
    """
    source = repository.read_repository(account, system, [TASKDEF, APPSPEC])
    group = deployment_group.read_group(account, system)
    if TASKDEF not in source.files or group is None:
        raise CheckFailed(
            seen="no taskdef.json in the repository" if group else "no deployment group",
            wanted="a service behind CodeDeploy with its files",
            next_step="run 15_move_service, 20_source_files, 21_buildspec and 22_pipeline first",
        )
    text = _taskdef(system, source, version, environment)
    name = deployment_group.config_name(system)
    config = deployment_group.read_config(account, name)
    items = read_inventory(account, system.name)
    steps = (
        lease.plan_take(account, system),
        *bracket.plan_open(account, system),
        *_hook_steps(account, system, items),
        *deployment_group.plan_group_config(system, group, config=config, items=items),
        repository.plan_commit(
            system,
            source,
            {TASKDEF: text, **_appspec(system, source)},
            step="release.commit",
            message=f"Release {version}",
            why=f"version {version}",
        ),
    )
    return Plan(f"Release {version}", system.name, steps)


def wait_for_run(account: Account, system: System, applied: Applied) -> Handle:
    """Wait until the pipeline has taken up the commit of this release."""
    commit = applied.answers["release.commit"]["commitId"]
    run = follow.run_of_commit(account, system, commit)
    return Handle(run.id, f"pipeline run {run.id} takes up commit {commit[:7]}")


def wait_for_deployment(account: Account, system: System, execution: Handle) -> Handle:
    """Wait until that run has built and started its deployment."""
    build = follow.built(account, system, execution.id)
    found = follow.deploying(account, system, execution.id)
    return Handle(found, f"deployment {found}, of build {build.id.rpartition(':')[2][:8]}")


def events(account: Account, system: System, started: Handle) -> Table:
    """The lifecycle events of a deployment."""
    return watch.events_table(deployment.read_deployment(account, system, started.id))


def judge(account: Account, system: System, started: Handle) -> Checks:
    """Is the new version good: did this deployment move all traffic, and is the live revision the intended one?"""
    found = deployment.read_deployment(account, system, started.id)
    live = read_live(account, system)
    intended = _intended(account, system, found)
    return checks(
        f"{shares.JUDGED}{found.id}",
        (
            ask(
                "Did this deployment move all production traffic?",
                found.shifted or found.status == "Succeeded",
                seen=found.phase + (f" ({found.error})" if found.error else ""),
                wanted="Succeeded, or shifted and waiting to end",
                remedy="see what the deployment says",
            ),
            ask(
                "Is the live revision the intended one?",
                bool(intended) and live.revision == intended,
                seen=live.revision or "nothing",
                wanted=intended or "a revision",
                remedy="read the service's task sets",
            ),
            _check_alarms_quiet(account, system),
        ),
    )


def decisions(account: Account, system: System, followed: follow.Followed) -> Table:
    """What was decided on the way, when, by which rule and why; nothing where no rule had a reason to."""
    del account, system
    began = followed.deployment.created
    rows = [
        {
            "when": watch.since(began, one.at),
            "rule": one.rule,
            "decided": one.action if one.done else f"would {one.action}: only reported",
            "why": one.reason,
        }
        for one in followed.decisions
    ]
    return table("Decided on the way", rows, ("when", "rule", "decided", "why"))


def check_judged(account: Account, system: System, followed: follow.Followed) -> Checks:
    """What the judge says of the new version beside the former one, question by question."""
    if followed.judgement is not None:
        judged = followed.judgement.checks()
        unsure = followed.judgement.verdict == Verdict.INCONCLUSIVE
        return replace(judged, answers=(*judged.answers, _check_logs(account, followed))) if unsure else judged
    off = system.params.release.judge == "off"
    why = "release.judge is off" if off else "both versions never had traffic in the same measured minute"
    return checks("Is the new version as good as the former one?", (skip("Was it judged?", why),))


def _check_logs(account: Account, followed: follow.Followed) -> Check:
    """Access logs may say more of what nobody could tell, later: they know the clients."""
    at = account.clock.now() + logged.LATE
    told = f"runbook release --past {followed.deployment.id} reads them from {at:%H:%M} UTC on, where there are any"
    return skip("Do the access logs say more?", told)


def plan_after(account: Account, system: System, started: Handle, *, end_wait: bool = False) -> Plan:
    """After a good release nothing, or the end of the wait; after a bad one the way into Deploy is closed."""
    found = deployment.read_deployment(account, system, started.id)
    delivery = pipeline.read_pipeline(account, system)
    if found.shifted or found.status == "Succeeded" or delivery is None:
        return plan_finish(account, system, started) if end_wait else Plan("Keep the former tasks", system.name, ())
    bad = f"{started.id} was rolled back - bad commit {follow.commit_of(account, system, started.id) or 'unknown'}"
    return Plan("Close the way into Deploy", system.name, (pipeline.plan_freeze(system, delivery, reason=bad),))


def plan_finish(account: Account, system: System, started: Handle) -> Plan:
    """End the termination wait: the former tasks go."""
    found = deployment.read_deployment(account, system, started.id)
    step = deployment.plan_end_wait(found, why="the new version is good")

    def missing(account: Account, answer: Any) -> str | None:
        del answer
        now = deployment.read_deployment(account, system, started.id)
        if not now.over:
            return f"it is {now.phase}"
        found = service.read_service(account, system, system.service)
        return None if found is None or found.settled else "the former tasks are deregistering"

    waiting = replace(step, until=Until(f"{started.id} has ended", missing))
    return Plan("End the wait", system.name, (waiting if step.needed else step,))


def wait_for_end(account: Account, system: System, started: Handle) -> Handle:
    """Wait until the deployment has ended and, with it, the run of the pipeline."""
    found = follow.ended(account, system, started.id)
    return Handle(found.id, f"{found.id} {found.status}")


def decide(
    account: Account, system: System, started: Handle, before: Live, followed: follow.Followed | None = None
) -> str:
    """The ending, computed from what is live: done, or RolledBack (4), or ReleaseFailed (5).

    `followed` is what was seen and decided on the way: a stop that we asked for is told with its own reason.
    """
    found = deployment.read_deployment(account, system, started.id)
    verdict = judge(account, system, started)
    stopped = next((one for one in (followed.decisions if followed else ()) if one.action == "stop" and one.done), None)
    if verdict.verdict <= Verdict.SKIP and stopped is None:
        back = "going back takes a full deployment" if found.over else "going back is instant until it ends"
        return f"{found.id}: the intended revision is live; {back}"
    live = read_live(account, system)
    reason = stopped.reason if stopped else found.error or "; ".join(check.seen for check in verdict.bad)
    if stopped and verdict.verdict <= Verdict.SKIP:
        reason = f"{reason}; the stop came too late"
    former = live.revision != _intended(account, system, found)
    if former and (live.revision == before.revision or _went_back(account, system, found, live)):
        raise RolledBack(
            where=f"deployment {found.id}",
            seen=reason,
            wanted="a version as good as the former one, and quiet alarms",
            next_step=f"{live.revision} serves again; read 50_watch, mend the version and release again"
            + _left(account, system),
        )
    raise ReleaseFailed(
        where=f"deployment {found.id}",
        seen=f"{reason}; live is {live.revision}",
        wanted=f"{before.revision} or the intended revision live",
        next_step="run 40_roll_back now",
    )


def _left(account: Account, system: System) -> str:
    """What still runs beside the live tasks once a rollback was stopped: it is billed, and nobody removes it."""
    found = service.read_service(account, system, system.service)
    left = found.left_over if found else ()
    told = ", ".join(f"{one.running} tasks of {one.revision} (task set {one.id})" for one in left)
    return f"; still running beside it: {told}" if told else ""


def _intended(account: Account, system: System, found: Deployment) -> str:
    """The revision that a deployment is to make live; empty when its AppSpec is not known."""
    return (deployment.read_task_definition_of(account, system, found) or "").rpartition("/")[2]


def _taskdef(system: System, source: repository.Repository, version: str, environment: Mapping[str, str]) -> bytes:
    wanted = {VERSION: version, **environment}
    return taskdef.with_environment(source.files[TASKDEF], system.container, wanted).encode()


def _hook_steps(account: Account, system: System, items: Iterable[Item]) -> tuple[Step, ...]:
    """The steps of the validation in a hook, where the parameters want one."""
    if system.params.release.hook == "none":
        return ()
    found, lb = hook.read_function(account, system), balancer.read_balancer(account, system)
    return hook.plan_function(system, found, lb, items)


def _appspec(system: System, source: repository.Repository) -> dict[str, bytes]:
    """The AppSpec with our hook in the event of the parameters, and in no other one; nothing where it is so already."""
    known = source.files.get(APPSPEC)
    if known is None:
        return {}
    text, wanted = known.decode(), system.params.release.hook
    for event, function in appspec.parse(text).hooks.items():
        if function == hook.name(system) and event != wanted:
            text = appspec.with_hook(text, event, None)
    if wanted != "none":
        text = appspec.with_hook(text, wanted, hook.name(system))
    return {} if text == known.decode() else {APPSPEC: text.encode()}


def _under_way(account: Account, system: System, version: str, environment: Mapping[str, str]) -> str | None:
    """The deployment of this very release, where a notebook before this one has started it and it is not over."""
    source = repository.read_repository(account, system, [TASKDEF])
    known = source.files.get(TASKDEF)
    if known is None or source.head is None or _taskdef(system, source, version, environment) != known:
        return None
    run = pipeline.find_execution(account, system, source.head.id)
    action = pipeline.read_execution(account, system, run.id).action(pipeline.DEPLOY) if run else None
    if action is None or action.external is None:
        return None
    return None if deployment.read_deployment(account, system, action.external).over else action.external


def _went_back(account: Account, system: System, found: Deployment, live: Live) -> bool:
    """Whether the deployment that rolls this one back has made its own revision live."""
    if found.rolled_back_by is None:
        return False
    back = deployment.read_deployment(account, system, found.rolled_back_by)
    return (back.shifted or back.status == "Succeeded") and live.revision == _intended(account, system, back)


def _check_delivery(delivery: pipeline.Pipeline | None) -> Check:
    stage = delivery.stage(pipeline.DEPLOY) if delivery else None
    seen = "no pipeline"
    if delivery:
        closed = stage.closed_because if stage and not stage.open else None
        seen = f"{delivery.deploy_provider or 'no deploy action'}, {'closed: ' + closed if closed else 'open'}"
    return ask(
        "Does the pipeline deploy by CodeDeploy, and may runs enter Deploy?",
        bool(delivery and delivery.deploy_provider == "CodeDeployToECS" and stage and stage.open),
        seen=seen,
        wanted="CodeDeployToECS, open",
        remedy="run 22_pipeline, or enable the transition when its reason is mended",
    )


def _check_alarms_quiet(account: Account, system: System) -> Check:
    loud = [found.name for found in alarm.read_alarms(account, system.alarms) if found.state == "ALARM"]
    return ask(
        "Are the alarms quiet?",
        not loud,
        seen=", ".join(loud) or "all quiet",
        wanted="all quiet",
        remedy="read their reasons",
    )


def _container(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in answer["taskDefinition"]["containerDefinitions"] if c["name"] == name)
