"""D and E: what stands in the way of a deployment that starts now, and what would make its ending a bad one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook_lib.preflight.live import Alarm, Group
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, fail, judge, ok, unknown
from runbook_lib.preflight.rules.parts import group_of, live_of, service_of

METRIC_LAG = 120  # seconds: points are visible one to three minutes after their minute (CloudWatch, as users see it)
WAITER_MINUTES = 30  # botocore's deployment_successful: 120 tries, 15 seconds apart
EVENTS = frozenset({"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"})
# Minutes from the first shift to the last (CodeDeploy user guide, deployment-configurations).
SHIFT_MINUTES = {
    "CodeDeployDefault.ECSAllAtOnce": 0,
    "CodeDeployDefault.ECSCanary10Percent5Minutes": 5,
    "CodeDeployDefault.ECSCanary10Percent15Minutes": 15,
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": 9,
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": 27,
}


def listeners(picture: Picture) -> Iterator[Answer]:
    """D1: every listener and every rule of them leads to the group of the PRIMARY task set."""
    live, group, service = live_of(picture), group_of(picture), service_of(picture)
    primary = service.primary.target_group if service.primary else ""
    names = {one.arn: one.name for one in live.target_groups or ()}
    wanted = names.get(primary, primary) or "a PRIMARY task set"
    for route in live.routes or ():
        if route.listener in (*group.production, *group.test) and route.weights:
            seen = ", ".join(names.get(arn, arn) for arn in route.serving) or "nobody"
            where = f"DescribeRules: port {route.port}{'' if route.rule is None else ', a rule'}"
            remedy = f"give {wanted} all of the weight, here and in every other listener and rule"
            yield judge(route.serving == (primary,), where, seen=seen, wanted=wanted, remedy=remedy)


def healthy(picture: Picture) -> Iterator[Answer]:
    """D2: whether new tasks will be healthy is not known before they run; that the present ones are, is."""
    live, service = live_of(picture), service_of(picture)
    for group in live.target_groups or ():
        if service.primary and group.arn == service.primary.target_group:
            counted = [state for state in group.states if state not in ("draining", "unused")]
            good = counted.count("healthy") == len(counted) >= service.desired > 0
            seen = f"{counted.count('healthy')} healthy of {len(counted)}, {service.desired} wanted"
            remedy = "read the service's events and the stopped tasks' reasons first"
            yield judge(good, f"DescribeTargetHealth: {group.name}", seen=seen, wanted="all healthy", remedy=remedy)


def continued(picture: Picture) -> Iterator[Answer]:
    """D4."""
    group = group_of(picture)
    where = "GetDeploymentGroup: deploymentReadyOption"
    if group.ready_action != "STOP_DEPLOYMENT":
        yield ok(where, group.ready_action, "no wait, or somebody who continues")
    else:
        seen = f"it stops after {group.ready_wait} minutes unless somebody continues it"
        yield unknown(where, seen, "no wait, or somebody who continues", "be there, or set no ready wait")


def test_listener(picture: Picture) -> Iterator[Answer]:
    """D8."""
    group, files = group_of(picture), picture.files
    hooks = files.appspec.root.get("Hooks") if files and files.appspec else None
    events = [item.pairs[0][0].raw for item in hooks.items if item.pairs] if hooks else []
    if "AfterAllowTestTraffic" not in events:
        return
    seen = "a test listener" if group.test else "no test listener: the event does not exist"
    remedy = "add testTrafficRoute to the group, or hook BeforeAllowTraffic"
    where = "GetDeploymentGroup: testTrafficRoute"
    yield judge(bool(group.test), where, seen=seen, wanted="a test listener", remedy=remedy)


def nothing_active(picture: Picture) -> Iterator[Answer]:
    """D9."""
    active = live_of(picture).active or ()
    seen = ", ".join(f"{one.id} {one.status}" for one in active) or "none"
    remedy = "wait for it, end its termination wait, or stop it"
    yield judge(not active, "ListDeployments", seen=seen, wanted="none", remedy=remedy)


def deploy_action(picture: Picture) -> Iterator[Answer]:
    """D10: a service of CodeDeploy's has no rolling deploy action."""
    pipeline, service = picture.pipeline, service_of(picture)
    assert pipeline is not None
    rolling = [one for one in pipeline.rolling if one.configuration.get("ServiceName") == service.name]
    for action in (*pipeline.blue_green, *rolling):
        good = action.provider == "CodeDeployToECS" or service.controller != "CODE_DEPLOY"
        where = f"{pipeline.source}: {action.where}.actionTypeId.provider"
        remedy = "let the action be CodeDeployToECS: 22_pipeline"
        seen = f"{action.provider} on a service of {service.controller}"
        yield judge(good, where, seen=seen, wanted="CodeDeployToECS", remedy=remedy)
    yield from _commands(picture, "no command that updates the service", "update-service")


def _commands(picture: Picture, wanted: str, *words: str) -> Iterator[Answer]:
    """Commands of the buildspec that have these words after `aws ecs`."""
    spec, trace = (picture.files.buildspec, picture.files.trace) if picture.files else (None, None)
    for command, statement in trace.aws if spec and trace else ():
        given = [word.literal for word in statement.arguments]
        behind = given[given.index("ecs") :] if "ecs" in given else []
        if any(behind[start : start + len(words)] == list(words) for start in range(1, len(behind))):
            assert spec is not None
            where = spec.source.where(spec.index_at(command, statement.start))
            remedy = "remove it: CodeDeploy deploys, and its id is followed"
            yield fail(where, command.text[statement.start : statement.end][:80], wanted, remedy)


def stable_waiter(picture: Picture) -> Iterator[Answer]:
    """E3: nobody waits for services-stable, which never comes with CODE_DEPLOY."""
    spec = picture.files.buildspec if picture.files else None
    assert spec is not None
    wanted = "no wait for services-stable"
    found = tuple(_commands(picture, wanted, "wait", "services-stable"))
    yield from found or (ok(spec.source.name, wanted, wanted),)


def owned_by_stack(picture: Picture) -> Iterator[Answer]:
    """E6: no stack believes to own what CodeDeploy changes."""
    service, stack = service_of(picture), live_of(picture).stack
    where, wanted = f"tags of {service.name} and its listeners", "no stack that owns what CodeDeploy changes"
    remedy = "let the stack ignore the service's task definition and target group, and the listeners' actions"
    trouble = picture.trouble_with("live.stack")
    if trouble:
        yield unknown(where, trouble.seen, wanted, trouble.next_step)
    else:
        yield unknown(where, stack, wanted, remedy) if stack else ok(where, "no stack's tags", wanted)


def stack_hook(picture: Picture) -> Iterator[Answer]:
    """E8: no template of the repository uses CloudFormation's own blue/green transform."""
    files = picture.files
    assert files is not None
    wanted = "no template with AWS::CodeDeployBlueGreen"
    for path in files.transforms:
        yield fail(path, "AWS::CodeDeployBlueGreen", wanted, "keep the service out of the transform")
    if not files.all_searched:
        yield unknown("the folder's templates", "more text than is searched", wanted, "search them by hand")
    elif not files.transforms:
        yield ok("the folder's templates", wanted, wanted)


def order(picture: Picture) -> Iterator[Answer]:
    """E9: runs of the pipeline cannot overtake each other."""
    pipeline = picture.pipeline
    assert pipeline is not None
    mode = str(pipeline.definition.get("executionMode", "SUPERSEDED"))
    where, remedy = f"{pipeline.source}: executionMode", "use SUPERSEDED: a newer run takes the place of an older one"
    yield judge(mode != "PARALLEL", where, seen=mode, wanted="SUPERSEDED or QUEUED", remedy=remedy)


def capacity(picture: Picture) -> Iterator[Answer]:
    """D12."""
    service, files = service_of(picture), picture.files
    assert files is not None
    assert files.appspec is not None
    properties = files.appspec_properties()
    named = properties.get("CapacityProviderStrategy") if properties else None
    where = files.appspec.where(named or properties or files.appspec.root)
    if service.capacity:
        listed = ", ".join(service.capacity)
        remedy = f"add CapacityProviderStrategy with {listed}"
        seen = "a strategy" if named else "no strategy"
        yield judge(named is not None, where, seen=seen, wanted=f"the service's: {listed}", remedy=remedy)


def network(picture: Picture) -> Iterator[Answer]:
    """D13."""
    service, files = service_of(picture), picture.files
    assert files is not None
    assert files.appspec is not None
    properties = files.appspec_properties()
    own = properties.at("NetworkConfiguration", "AwsvpcConfiguration", "Subnets") if properties else None
    if own:
        subnets = {item.raw for item in own.items}
        good = subnets == set(service.subnets)
        wanted, remedy = f"the service's: {', '.join(service.subnets)}", "make AppSpec and service agree"
        yield judge(good, files.appspec.where(own), seen=", ".join(sorted(subnets)), wanted=wanted, remedy=remedy)


def way_out(picture: Picture) -> Iterator[Answer]:
    """D14: a route out, and an address that can use it."""
    live, service = live_of(picture), service_of(picture)
    for subnet in live.subnets or ():
        where = f"DescribeRouteTables: {subnet.id}"
        if subnet.way_out is None:
            yield unknown(where, "no route table found", "a way to registry and logs")
        elif subnet.way_out:
            seen = f"a default route, public address {'on' if service.public_ip else 'off'}"
            yield ok(where, seen, "a way to registry and logs")
        else:
            remedy = "add a NAT gateway, or endpoints for ecr.api, ecr.dkr, logs and S3"
            yield unknown(where, "no default route: endpoints are not looked at", "a way to registry and logs", remedy)


def room(picture: Picture) -> Iterator[Answer]:
    """D15: free addresses for another set of tasks."""
    live, service = live_of(picture), service_of(picture)
    used = (picture.files.appspec_subnets() if picture.files else ()) or service.subnets
    free = sum(subnet.free for subnet in live.subnets or () if subnet.id in used)
    seen, wanted = f"{free} free addresses", f"at least {service.desired} for the second set of tasks"
    remedy = "use larger subnets, or fewer tasks"
    yield judge(free >= service.desired, "DescribeSubnets", seen=seen, wanted=wanted, remedy=remedy)


def scaling(picture: Picture) -> Iterator[Answer]:
    """D16."""
    target = live_of(picture).scaling
    assert target is not None
    where, wanted = "DescribeScalableTargets: SuspendedState", "suspended while traffic shifts"
    seen = "suspended" if target.suspended else f"active between {target.smallest} and {target.largest} tasks"
    remedy = "suspend scaling for the release, and resume it afterwards"
    yield ok(where, seen, wanted) if target.suspended else unknown(where, seen, wanted, remedy)


def desired(picture: Picture) -> Iterator[Answer]:
    """D17: within the bounds of scaling, and no task too many."""
    live, service = live_of(picture), service_of(picture)
    target = live.scaling
    seen = f"{service.desired} wanted, {service.running} running"
    wanted = f"{target.smallest} to {target.largest}" if target else "as many running as wanted"
    good = target.smallest <= service.desired <= target.largest if target else service.running == service.desired
    yield judge(good, "DescribeServices: desiredCount", seen=seen, wanted=wanted, remedy="set the desired count back")


def checked_before(picture: Picture) -> Iterator[Answer]:
    """D18."""
    group, live = group_of(picture), live_of(picture)
    gradual = not group.config.endswith("AllAtOnce")
    named = {arn for route in live.routes or () for arn in route.weights}
    idle = all(one.arn in named for one in live.target_groups or ())
    seen = f"{group.config}, green's group {'behind' if idle else 'not behind'} a listener"
    wanted = "a canary or linear configuration"
    remedy = "use a canary, or a hook that checks the targets before the traffic"
    where = "GetDeploymentGroup: deploymentConfigName"
    yield ok(where, seen, wanted) if gradual else fail(where, seen, wanted, remedy)


def flows(picture: Picture) -> Iterator[Answer]:
    """D19."""
    for kind in live_of(picture).balancers.values():
        remedy = "wait longer before the former tasks go, and probe both groups"
        good = kind == "application"
        where = "DescribeLoadBalancers: Type"
        yield ok(where, kind, "application") if good else unknown(where, kind, "application", remedy)


def task_sets(picture: Picture) -> Iterator[Answer]:
    """D21: a service with rolling deployments has no task sets."""
    service = service_of(picture)
    if service.controller != "CODE_DEPLOY":
        return
    seen = ", ".join(f"{one.status}" for one in service.task_sets) or "none"
    good = [one.status for one in service.task_sets] == ["PRIMARY"]
    remedy = "wait until the former deployment has ended"
    yield judge(good, "DescribeServices: taskSets", seen=seen, wanted="PRIMARY alone", remedy=remedy)


def quiet(picture: Picture) -> Iterator[Answer]:
    """D22: red ones stop the deployment; one without data is waited for."""
    for alarm in live_of(picture).alarms or ():
        where, remedy = f"DescribeAlarms: {alarm.name}", "mend what it says, or override the group's alarms for the fix"
        if alarm.state == "INSUFFICIENT_DATA":
            yield unknown(where, alarm.state, "OK", "wait for its first data: missing data must not breach")
        else:
            yield judge(alarm.state == "OK", where, seen=alarm.state, wanted="OK", remedy=remedy)


def fast_enough(picture: Picture) -> Iterator[Answer]:
    """D23: an alarm that begins with the shift goes off before the former tasks are gone."""
    group = group_of(picture)
    shift = SHIFT_MINUTES.get(group.config)
    for alarm in live_of(picture).alarms or ():
        where = f"DescribeAlarms: {alarm.name}"
        takes = alarm.period * alarm.needed + METRIC_LAG
        if shift is None:
            yield unknown(where, f"{group.config}, a configuration of your own", "known steps", "compute it by hand")
            continue
        lasts = (shift + group.termination_wait) * 60
        seen = f"{takes} s with the metrics' lag, {lasts} s until the former tasks go"
        remedy = "shorten the alarm, or lengthen canary or termination wait"
        yield judge(takes < lasts, where, seen=seen, wanted="an alarm that is faster than that", remedy=remedy)


def both_groups(picture: Picture) -> Iterator[Answer]:
    """D24: the alarms together watch both groups, or the whole load balancer."""
    live, group = live_of(picture), group_of(picture)
    watched = {name.split("/")[1] for alarm in live.alarms or () for name in alarm.groups}
    whole = any(alarm.whole_balancer for alarm in live.alarms or ())
    where, remedy = "DescribeAlarms: Dimensions", "let an alarm cover both target groups, for they change places"
    if not live.alarms:
        yield fail(where, "no alarm", "alarms over both target groups", "give the group alarms")
        return
    seen = ", ".join(sorted(watched)) or ("the whole load balancer" if whole else "no target group")
    good = whole or set(group.pair) <= watched or not watched
    wanted = " and ".join(group.pair)
    yield judge(good, where, seen=seen, wanted=wanted, remedy=remedy) if watched or whole else _own(where, live.alarms)


def _own(where: str, alarms: tuple[Alarm, ...]) -> Answer:
    names = ", ".join(alarm.name for alarm in alarms)
    return unknown(
        where, f"{names}: metrics of no target group", "alarms over both target groups", "check them by hand"
    )


def unread_alarms(picture: Picture) -> Iterator[Answer]:
    """D25."""
    group = group_of(picture)
    seen = "goes on" if group.ignores_unread_alarms else "stops"
    remedy, where = (
        "set ignorePollAlarmFailure to false",
        "GetDeploymentGroup: alarmConfiguration.ignorePollAlarmFailure",
    )
    yield judge(not group.ignores_unread_alarms, where, seen=seen, wanted="stops", remedy=remedy)


def occupies(picture: Picture) -> Iterator[Answer]:
    """A18: how long the pipeline is busy with one release."""
    group = group_of(picture)
    minutes = _minutes(group)
    where, wanted = "GetDeploymentGroup", "a configuration whose steps are known"
    if minutes is None:
        yield unknown(where, group.config, wanted, "compute the time by hand")
    else:
        yield ok(where, f"{minutes} minutes of shift and waits, and up to 60 until green is healthy", wanted)


def long_waits(picture: Picture) -> Iterator[Answer]:
    """E1: whoever waits has as much time as the deployment may take."""
    group = group_of(picture)
    minutes, limit = _minutes(group), picture.limit_minutes or WAITER_MINUTES
    whose = "release.limit_minutes" if picture.limit_minutes else "botocore's waiter deployment_successful"
    if minutes is None:
        yield unknown("GetDeploymentGroup", group.config, "a configuration whose steps are known", "compute it by hand")
    else:
        seen, wanted = f"{minutes} minutes of shift and waits", f"less than the {limit} minutes of {whose}"
        remedy = "wait by a budget from the group"
        good = minutes < limit
        yield ok("GetDeploymentGroup", seen, wanted) if good else fail("GetDeploymentGroup", seen, wanted, remedy)


def _minutes(group: Group) -> int | None:
    """From the first shift to the end of the deployment, without hooks; None for a configuration of one's own."""
    shift = SHIFT_MINUTES.get(group.config)
    return None if shift is None else shift + group.ready_wait + group.termination_wait


def rollback(picture: Picture) -> Iterator[Answer]:
    """E2: whatever goes wrong, the former version comes back by itself."""
    group = group_of(picture)
    missing = sorted(EVENTS - group.rollback)
    seen = f"without {', '.join(missing)}" if missing else "all three events"
    remedy, where = "enable all three events", "GetDeploymentGroup: autoRollbackConfiguration"
    yield judge(not missing, where, seen=seen, wanted="all three events", remedy=remedy)


def registered(picture: Picture) -> Iterator[Answer]:
    """E4."""
    definition = live_of(picture).definition
    assert definition is not None
    where, remedy = (
        f"DescribeTaskDefinition: {definition.arn.rpartition('/')[2]}",
        "register it again before a rollback",
    )
    yield judge(definition.status == "ACTIVE", where, seen=definition.status, wanted="ACTIVE", remedy=remedy)


SERVICE, GROUP, ROUTES, ALARMS = "live.service", "live.group", "live.routes", "live.alarms"
GROUPS, APPSPEC = "live.target_groups", "files.appspec"
ASKED: dict[str, tuple[tuple[str, ...], Callable[[Picture], Iterator[Answer]]]] = {
    "A18": ((GROUP,), occupies),
    "D1": ((SERVICE, GROUP, ROUTES, GROUPS), listeners),
    "D2": ((SERVICE, GROUPS), healthy),
    "D4": ((GROUP,), continued),
    "D8": ((GROUP, APPSPEC), test_listener),
    "D9": ((GROUP, "live.active"), nothing_active),
    "D10": ((SERVICE, "pipeline"), deploy_action),
    "D12": ((SERVICE, APPSPEC), capacity),
    "D13": ((SERVICE, APPSPEC), network),
    "D14": ((SERVICE, "live.subnets"), way_out),
    "D15": ((SERVICE, "live.subnets"), room),
    "D16": (("live.scaling",), scaling),
    "D17": ((SERVICE,), desired),
    "D18": ((GROUP, ROUTES, GROUPS), checked_before),
    "D19": ((GROUP,), flows),
    "D21": ((SERVICE,), task_sets),
    "D22": ((ALARMS,), quiet),
    "D23": ((GROUP, ALARMS), fast_enough),
    "D24": ((GROUP, ALARMS), both_groups),
    "D25": ((GROUP,), unread_alarms),
    "E1": ((GROUP,), long_waits),
    "E2": ((GROUP,), rollback),
    "E3": (("files.buildspec",), stable_waiter),
    "E6": ((SERVICE,), owned_by_stack),
    "E8": (("files",), stack_hook),
    "E9": (("pipeline",), order),
    "E4": (("live.definition",), registered),
}
RULES = tuple(Rule(id, needs, answer) for id, (needs, answer) in ASKED.items())
