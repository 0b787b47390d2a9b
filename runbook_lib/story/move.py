"""The move: the same application behind CodeDeploy, without a failed request."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from runbook_lib import (
    alarm,
    balancer,
    cost,
    deployment,
    deployment_group,
    metric,
    pipeline,
    role,
    service,
    target_group,
)
from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, ask, checks, skip, unknown
from runbook_lib.errors import CheckFailed
from runbook_lib.inventory import find, read_inventory
from runbook_lib.step import Plan, Step
from runbook_lib.story import watch
from runbook_lib.story.provision import given
from runbook_lib.system import System
from runbook_lib.table import Table

SHIFT = (10, 50, 100)  # percent of production traffic on the new service, step by step
WINDOW = timedelta(minutes=5)  # how far back a shift is judged
REASON = "moving the service behind CodeDeploy"
MOVED = "the service has moved: CodeDeploy is in charge of it"


def check_ready(account: Account, system: System) -> Checks:
    """Is the rolling service settled and healthy, and is no run of the pipeline under way?

    A service that has moved is not moved again: then every step of this notebook has nothing to do.
    """
    lb = balancer.read_balancer(account, system)
    there = ask(
        "Is there a load balancer?",
        lb.arn is not None,
        seen=system.balancer if lb.arn else "none",
        wanted=system.balancer,
        remedy="run 10_provision, or correct name and region in the parameter file",
    )
    if _in_charge(account, system):
        return checks("Ready to move", (there, skip("Is the rolling service ready?", MOVED)))
    rolling = service.read_service(account, system, system.rolling_service)
    running = [run.id for run in pipeline.read_executions(account, system) if not run.over]
    answers = [there, service.check_settled(rolling, system.rolling_service)]
    if rolling:
        group = lb.group(system.rolling_target_group)
        answers.append(target_group.check_targets(group, wanted=rolling.desired))
    answers.append(
        ask(
            "Is no run of the pipeline under way?",
            not running,
            seen=f"{len(running)} under way" if running else "none",
            wanted="none",
            remedy="wait for it to end and run this cell again",
        )
    )
    return checks("Ready to move", answers)


def plan_freeze(account: Account, system: System) -> Plan:
    """Let no run enter Deploy while the service moves."""
    step = pipeline.plan_freeze(system, _pipeline(account, system), reason=REASON)
    return Plan("Freeze the pipeline", system.name, (_unless_moved(account, system, step),))


def plan_second_service(account: Account, system: System) -> Plan:
    """The pair of target groups behind the listeners, then the second service on the first of them."""
    items = read_inventory(account, system.name)
    rolling = _rolling(account, system)
    pair = balancer.plan_pair(system, balancer.read_balancer(account, system), items)
    second = service.read_service(account, system, system.service)
    weights, start = pair[-1], service.plan_blue_green_service(system, second, rolling, items)
    steps = (*pair[:-1], _unless_moved(account, system, weights), _unless_moved(account, system, start))
    costs = cost.move(system, rolling.desired)
    return Plan(
        "Start the second service",
        system.name,
        steps,
        given=given(account, system),
        monthly_usd=cost.total(costs),
        notes=("The rolling service stays: until the deployment group exists, going back is a change of weights.",),
    )


def plan_shift(account: Account, system: System, percent: int) -> Plan:
    """Give the second service that share of the production traffic, in percent, and the rolling one the rest.

    A share that it has already is not taken away again: going back is `plan_back`.
    """
    lb = balancer.read_balancer(account, system)
    share = 100 * lb.production.share.get(system.target_groups[0], 0.0) if lb.production else 0.0
    step = _weights(system, lb, percent)
    if share >= percent:
        step = replace(step, reason=f"it has {share:.0f} % already", present=step.present or {})
    return Plan(f"Shift {percent} %", system.name, (_unless_moved(account, system, step),))


def check_shift(account: Account, system: System) -> Checks:
    """Do both services answer alike: all targets healthy, and no more failures than the alarms allow?"""
    lb = balancer.read_balancer(account, system)
    shares = lb.production.share if lb.production else {}
    serving = [name for name, share in shares.items() if share]
    end = metric.closed(account.clock.now(), lag=watch.LAG)
    found = metric.read_metrics(account, lb, serving, start=end - WINDOW, end=end)
    answers = [target_group.check_targets(lb.group(name), wanted=1) for name in serving]
    return checks("The shift", [*answers, *(_check_errors(system, found, name) for name in serving)])


def requests(account: Account, system: System) -> Table:
    """Requests and failures of each target group from the beginning of the move to its end."""
    lb = balancer.read_balancer(account, system)
    start, end = _span(account, system)
    return watch.minutes_table(metric.read_metrics(account, lb, sorted(lb.groups), start=start, end=end))


def check_unhurt(account: Account, system: System) -> Checks:
    """Was every request answered by a task, and did the application fail no more often than its alarm allows?

    The move can hurt a request only where the load balancer finds nobody to answer it: then it answers 502, 503 or 504
    itself.  A 5xx that a task answers is the application's own, with or without a move.
    """
    lb = balancer.read_balancer(account, system)
    start, end = _span(account, system)
    found = metric.read_metrics(account, lb, sorted(lb.groups), start=start, end=end)
    hurt = metric.read_balancer_errors(account, lb, start=start, end=end)
    whole = sum(minute.requests or 0 for minute in found.minutes)
    own = sum(minute.own_errors or 0 for minute in found.minutes)
    return checks("The move", _unhurt(whole, hurt, own, system.params.alarms.error_percent))


def _unhurt(whole: float, hurt: float, own: float, limit: float) -> tuple[Check, ...]:
    """The answers for so many requests that reached a target group, 5xx of the load balancer's and of the tasks'."""
    question = "Was every request answered by a task?"
    wanted = "none answered by the load balancer itself (502, 503, 504)"
    if not whole and not hurt:
        return (unknown(question, seen="no request", wanted=wanted, remedy="look at your logs"),)
    seen = f"{hurt:.0f} of {whole:.0f}" if whole else f"{hurt:.0f}, and no request reached a task"
    answered = ask(question, not hurt, seen=seen, wanted=wanted, remedy="read the access log")
    if not whole:
        return (answered,)
    return (
        answered,
        ask(
            "Did the application answer as it does without a move?",
            100 * own / whole <= limit,
            seen=f"{own:.0f} own errors, {100 * own / whole:.2f} %",
            wanted=f"at most {limit:g} %, as the alarms allow",
            remedy="read the application's log",
        ),
    )


def plan_back(account: Account, system: System) -> Plan:
    """All production traffic back to the rolling service: possible until the deployment group exists."""
    if _in_charge(account, system):
        raise CheckFailed(
            where="going back by weights",
            seen="the deployment group exists: CodeDeploy owns the listener",
            wanted="no deployment group yet",
            next_step="use 40_roll_back",
        )
    step = _weights(system, balancer.read_balancer(account, system), 0)
    return Plan("Go back to the rolling service", system.name, (step,))


def plan_cut(account: Account, system: System) -> Plan:
    """Take the rolling service's target group out of every action: CodeDeploy wants its own pair there alone."""
    lb = balancer.read_balancer(account, system)
    first, second = system.target_groups
    step = balancer.plan_weights(
        system,
        lb,
        {first: 100, second: 0},
        step="move.cut",
        why="CodeDeploy shifts within its pair: a third group in the action stays in the way",
        keep_groups=False,
    )
    return Plan("Cut the rolling service off", system.name, (_unless_moved(account, system, step),))


def plan_codedeploy(account: Account, system: System) -> Plan:
    """The role, the alarms over both target groups, the application and the deployment group."""
    items = read_inventory(account, system.name)
    lb = balancer.read_balancer(account, system)
    name = deployment_group.config_name(system)
    steps = (
        *role.plan_roles(system, role.read_roles(account, system), items, ("deploy",)),
        *alarm.plan_release_alarms(system, lb, alarm.read_alarms(account, system.alarms), items),
        *deployment_group.plan_group(
            system,
            application=deployment_group.read_application(account, system),
            group=deployment_group.read_group(account, system),
            config=deployment_group.read_config(account, name),
            items=items,
        ),
    )
    return Plan("Put CodeDeploy in charge", system.name, steps, given=given(account, system))


def check_moved(account: Account, system: System) -> Checks:
    """Does the second service carry all traffic, do both listeners lead to it, and is CodeDeploy in charge?"""
    group = deployment_group.read_group(account, system)
    active = [d.id for d in deployment.read_deployments(account, system) if not d.over] if group else []
    in_charge = ask(
        "Is CodeDeploy in charge of it?",
        bool(group and group.service == system.service),
        seen=f"group {group.name} for {group.service}" if group else "no deployment group",
        wanted=f"a deployment group for {system.service}",
        remedy="run 15_move_service again",
    )
    resting = (skip("Is the service at rest?", f"{active[0]} is under way"),) if active else _at_rest(account, system)
    return checks("Behind CodeDeploy", (*resting, in_charge))


def _at_rest(account: Account, system: System) -> tuple[Check, ...]:
    moved = service.read_service(account, system, system.service)
    lb = balancer.read_balancer(account, system)
    primary = moved.primary.target_group if moved and moved.primary else None
    healthy = (target_group.check_targets(lb.group(primary), wanted=moved.desired),) if primary and moved else ()
    settled = service.check_settled(moved, system.service)
    return (settled, *healthy, *balancer.check_listeners(system, lb, primary).answers)


def _in_charge(account: Account, system: System) -> bool:
    return deployment_group.read_group(account, system) is not None


def _unless_moved(account: Account, system: System, step: Step) -> Step:
    """The step, or nothing to do and to wait for once CodeDeploy is in charge: a release may be under way then."""
    return replace(step, reason=MOVED, present=step.present or {}, until=None) if _in_charge(account, system) else step


def _weights(system: System, lb: balancer.Balancer, percent: int) -> Step:
    first, second = system.target_groups
    weights = {system.rolling_target_group: 100 - percent, first: percent, second: 0}
    why = f"{percent} % to the second service"
    return balancer.plan_weights(system, lb, weights, step=f"move.shift.{percent}", why=why)


def _check_errors(system: System, found: metric.Metrics, group: str) -> Check:
    requests = sum(minute.requests or 0 for minute in found.of(group))
    failed = sum(minute.failed or 0 for minute in found.of(group))
    limit, enough = system.params.alarms.error_percent, system.params.alarms.minimum_requests
    question = f"Do the requests to {group} succeed?"
    wanted = f"at most {limit:g} % of at least {enough} requests failed"
    if requests < enough:
        return unknown(question, seen=f"{requests:.0f} requests", wanted=wanted, remedy="wait for more traffic")
    rate = 100 * failed / requests
    return ask(
        question, rate <= limit, seen=f"{rate:.2f} % of {requests:.0f}", wanted=wanted, remedy="go back: plan_back"
    )


def _span(account: Account, system: System) -> tuple[datetime, datetime]:
    """From when the pair of target groups was made until CodeDeploy was in charge, as far as its minutes are closed."""
    items = read_inventory(account, system.name)
    first = find(items, "elbv2:target-group", system.target_groups[0])
    last = find(items, "codedeploy:group", system.deploy_group)
    if first is None:
        raise _missing("the pair of target groups")
    closed = metric.closed(account.clock.now(), lag=watch.LAG)
    return datetime.fromisoformat(first.at), min(closed, datetime.fromisoformat(last.at)) if last else closed


def _pipeline(account: Account, system: System) -> pipeline.Pipeline:
    found = pipeline.read_pipeline(account, system)
    if found is None:
        raise _missing("the pipeline")
    return found


def _rolling(account: Account, system: System) -> service.Service:
    found = service.read_service(account, system, system.rolling_service)
    if found is None:
        raise _missing("the rolling service")
    return found


def _missing(what: str) -> CheckFailed:
    return CheckFailed(seen=f"{what} does not exist", wanted="the world of 10_provision", next_step="run 10_provision")
