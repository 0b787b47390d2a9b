"""The world that the reader starts from: a service with rolling deployments and its pipeline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runbook_lib import (
    alarm,
    balancer,
    build,
    connection,
    cost,
    deployment_group,
    image,
    network,
    pipeline,
    pipeline_rule,
    repository,
    role,
    service,
    storage,
    target_group,
)
from runbook_lib.account import Account
from runbook_lib.check import Check, Checks, ask, checks, skip, unknown
from runbook_lib.errors import CheckFailed
from runbook_lib.inventory import read_inventory
from runbook_lib.step import Plan
from runbook_lib.system import System
from runbook_lib.table import Table, table
from runbook_lib.wait import wait_until

ROLES = ("execution", "task", "build", "pipeline", "events")
FARGATE_VCPUS = "L-3032A538"  # Service Quotas: Fargate On-Demand vCPU resource count
BUILD_LIMIT = timedelta(minutes=60)


def plan_foundation(account: Account, system: System) -> Plan:
    """Everything up to the pipeline with Source and Build, in the order in which each finds what it needs."""
    items = read_inventory(account, system.name)
    kept = storage.read_storage(account, system)
    net = network.read_network(account, system)
    steps = (
        *storage.plan_buckets(system, kept, items),
        *storage.plan_log_groups(system, kept, items),
        *role.plan_roles(system, role.read_roles(account, system), items, roles(system)),
        *role.plan_service_linked_roles(role.read_service_linked(account)),
        *network.plan_network(system, net, items),
        *balancer.plan_balancer(system, balancer.read_balancer(account, system), items),
        *image.plan_registry(system, image.read_registry(account, system), items),
        *repository.plan_repository(system, _source(account, system), items),
        *build.plan_project(system, build.read_project(account, system), items),
        *pipeline.plan_pipeline(system, pipeline.read_pipeline(account, system), items),
    )
    return Plan(
        "Provision the foundation",
        system.name,
        steps,
        monthly_usd=cost.total(cost.provision(system)),
        notes=(
            f"Everything is tagged {system.name} and expires on {system.expires.date()}.",
            f"Prices of {system.params.prices.as_of}: check them against your region's price list.",
            *_repair_notes(system),
        ),
    )


def roles(system: System) -> tuple[str, ...]:
    """The roles of the rolling world; a connection starts the pipeline itself, without a rule and its role."""
    return tuple(purpose for purpose in ROLES if not (system.from_git_host and purpose == "events"))


def _source(account: Account, system: System) -> repository.Repository:
    # A git host's repository was there before us: what its buildspec needs is seen in the buildspec that it has.
    paths = (system.application.buildspec_path,) if system.from_git_host else ()
    return repository.read_repository(account, system, paths)


def _repair_notes(system: System) -> tuple[str, ...]:
    """What is mended in the buildspec by a commit of its own, for it cannot build without."""
    path = system.application.buildspec_path
    needed = [repair for repair in system.application.repairs if repair.required]
    return tuple(f"Mended in {path} by a commit of its own: {repair.title} ({repair.reason})." for repair in needed)


def made(account: Account, system: System) -> Table:
    """What the inventory holds, kind by kind."""
    items = read_inventory(account, system.name)
    kinds = sorted({item.kind for item in items})
    rows = [{"kind": kind, "names": ", ".join(item.name for item in items if item.kind == kind)} for kind in kinds]
    return table(f"Inventory of {system.name}: {len(items)} resources", rows, ("kind", "names"))


def targets(account: Account, system: System) -> Table:
    """The targets of the rolling service as the load balancer sees them."""
    group = balancer.read_balancer(account, system).group(system.rolling_target_group)
    rows = [{"target": f"task {n}", "state": t.state, "reason": t.reason} for n, t in enumerate(group.targets, 1)]
    return table(f"Targets of {group.name}", rows, ("target", "state", "reason"))


def check_account(account: Account, system: System) -> Checks:
    """Does this account have room: zones, virtual CPUs for twice the tasks of a release, and free names?"""
    zones = network.read_network(account, system).zones
    wanted, host = system.params.network.zones, system.from_git_host
    return checks(
        "Room in the account",
        (
            ask(
                "Are there enough zones?",
                len(zones) >= wanted,
                seen=f"{len(zones)} in {system.region}",
                wanted=f"at least {wanted}",
                remedy="lower network.zones",
            ),
            _check_fargate(account, system),
            *([connection.check_available(connection.read_connection(account, system))] if host else []),
        ),
    )


def _check_fargate(account: Account, system: System) -> Check:
    """A release doubles the tasks: the quota of Fargate's virtual CPUs must hold both colours."""
    from botocore.exceptions import ClientError

    question = "Does the Fargate quota hold twice the tasks?"
    wanted = 2 * system.params.service.desired_count * int(system.params.service.cpu) / 1024
    try:
        quota = account.client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=FARGATE_VCPUS)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchResourceException":
            return skip(question, "this account knows no such quota")
        return unknown(question, seen=code, wanted=f"{wanted:g} vCPU")
    value = quota["Quota"]["Value"]
    return ask(question, value >= wanted, seen=f"{value:g} vCPU", wanted=f"{wanted:g} vCPU", remedy="ask AWS for more")


def first_image(account: Account, system: System) -> str:
    """Wait for the first build and give the image that it pushed, by digest.

    Raises CheckFailed with the build's own words when it failed.
    """
    run = wait_until(
        account.clock,
        lambda: _built(account, system),
        lambda run: run is not None,
        what="the first run has built",
        limit=BUILD_LIMIT,
        every=15,
    )
    if run and run.failure:
        raise CheckFailed(
            where="first build",
            seen=run.failure,
            wanted="a build that pushes an image",
            next_step="read the build's log, mend the application's files and run this notebook again",
        )
    return newest_image(account, system)


def newest_image(account: Account, system: System) -> str:
    """The newest image of the registry, by digest; raises CheckFailed when there is none."""
    registry = image.read_registry(account, system)
    if not registry.images:
        raise CheckFailed(
            where=f"registry {system.registry}",
            seen="no image",
            wanted="the image that the first build pushes",
            next_step=f"let the buildspec push to the repository {system.registry}",
        )
    return f"{registry.uri}@{registry.images[0].digest}"


def plan_service(account: Account, system: System, image_uri: str) -> Plan:
    """The cluster, the first revision, the service with rolling deployments and its alarm."""
    items = read_inventory(account, system.name)
    found = service.read_service(account, system, system.rolling_service)
    lb = balancer.read_balancer(account, system)
    alarms = alarm.read_alarms(account, [f"{system.name}-rolling-errors"])
    steps = (
        service.plan_cluster(system, service.read_cluster(account, system), items),
        service.plan_task_definition(system, service.read_revisions(account, system), image_uri, items),
        service.plan_rolling_service(system, found, items),
        alarm.plan_rolling_alarm(system, lb, alarms, items),
    )
    return Plan("Start the service", system.name, steps, given=given(account, system))


def plan_delivery(account: Account, system: System) -> Plan:
    """The Deploy stage with a rolling deployment, and the rule that starts the pipeline on a push."""
    items = read_inventory(account, system.name)
    found = pipeline.read_pipeline(account, system)
    assert found is not None, "the foundation makes the pipeline"
    steps = (
        pipeline.plan_rolling_stage(system, found),
        *(() if system.from_git_host else pipeline_rule.plan_rule(system, _rule(account, system), items)),
    )
    return Plan("Deliver on every push", system.name, steps)


def given(account: Account, system: System) -> dict[str, dict[str, Any]]:
    """What earlier plans made, as the answers that later plans refer to."""
    net = network.read_network(account, system)
    return {**network.known(system, net), **balancer.known(balancer.read_balancer(account, system))}


def check_rolling_world(account: Account, system: System) -> Checks:
    """Does the rolling service run healthy behind its load balancer, and does a push start its pipeline?

    Once the service has moved behind CodeDeploy, traffic and pipeline lead elsewhere, as they should.
    """
    found = service.read_service(account, system, system.rolling_service)
    delivery = pipeline.read_pipeline(account, system)
    moved = deployment_group.read_group(account, system) is not None
    wanted = found.desired if found else 1
    answers = [
        service.check_settled(found, system.rolling_service),
        *(_moved_on() if moved else _check_traffic(account, system, delivery, wanted=wanted)),
        _check_start(account, system, delivery),
    ]
    return checks("The rolling world", answers)


def _moved_on() -> tuple[Check, ...]:
    why = "15_move_service has put the application behind CodeDeploy"
    return skip("Does the production listener lead to it?", why), skip("Does the pipeline deploy to it?", why)


def _check_traffic(
    account: Account, system: System, delivery: pipeline.Pipeline | None, *, wanted: int
) -> tuple[Check, ...]:
    lb = balancer.read_balancer(account, system)
    group = lb.groups.get(system.rolling_target_group)
    return (
        *((target_group.check_targets(group, wanted=wanted),) if group else ()),
        ask(
            "Does the production listener lead to it?",
            lb.live() == system.rolling_target_group,
            seen=lb.live() or "nothing",
            wanted=system.rolling_target_group,
            remedy="run 10_provision again",
        ),
        ask(
            "Does the pipeline deploy to it?",
            bool(delivery and delivery.deploy_provider == "ECS"),
            seen=(delivery and delivery.deploy_provider) or "no deploy action",
            wanted="ECS (rolling)",
            remedy="run 10_provision again",
        ),
    )


def _check_start(account: Account, system: System, delivery: pipeline.Pipeline | None) -> Check:
    question = "Does a push start the pipeline?"
    if system.from_git_host:
        source = delivery.definition["stages"][0]["actions"][0]["configuration"] if delivery else {}
        detects = source.get("DetectChanges", "true")
        return ask(question, detects == "true", seen=f"DetectChanges {detects}", wanted="DetectChanges true")
    rule = _rule(account, system)
    return ask(
        question,
        bool(rule and rule.targets),
        seen=f"{len(rule.targets)} targets" if rule else "no rule",
        wanted="a rule with the pipeline as its target",
        remedy="run 10_provision again",
    )


def _rule(account: Account, system: System) -> pipeline_rule.Rule | None:
    return pipeline_rule.read_rule(account, system)


def _built(account: Account, system: System) -> pipeline.Execution | None:
    runs = pipeline.read_executions(account, system)
    if not runs:
        return None
    run = pipeline.read_execution(account, system, runs[-1].id)
    action = run.action(pipeline.BUILD)
    return run if run.over or (action and action.status in ("Succeeded", "Failed")) else None
