"""Reads every part that hangs on the names of a system, each from the service of AWS that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_lib.preflight.account.alarms import read_alarms
from runbook_lib.preflight.account.balancer import read_balancers, read_routes, read_target_groups
from runbook_lib.preflight.account.build import read_project, read_registry
from runbook_lib.preflight.account.group import read_active, read_group
from runbook_lib.preflight.account.network import read_subnets
from runbook_lib.preflight.account.owner import read_stack
from runbook_lib.preflight.account.parts import Parts
from runbook_lib.preflight.account.pipeline import read_event_pattern, read_returnable, read_starter
from runbook_lib.preflight.account.service import read_definition, read_scaling, read_service
from runbook_lib.preflight.live import Live, Names
from runbook_lib.preflight.wish import Wish

if TYPE_CHECKING:
    from runbook_lib.account import Account


def read_live(parts: Parts, account: Account, names: Names, wish: Wish, subnets: tuple[str, ...] = ()) -> Live:
    """The live side without grants, which need the files as well; `subnets` are looked at beside the service's own."""
    read = parts.read
    service = read("live.service", read_service, account, names, wish.service)
    group = read("live.group", read_group, account, names, wish.group)
    groups = read("live.target_groups", read_target_groups, account, service, group) if service or group else None
    balancers = {arn for one in groups or () for arn in one.balancers}
    routes = read("live.routes", read_routes, account, balancers) if balancers else None
    return Live(
        names=names,
        service=service,
        definition=read("live.definition", read_definition, account, service.revision) if service else None,
        group=group,
        balancers=read("live.balancers", read_balancers, account, balancers) or {},
        target_groups=groups,
        routes=routes,
        alarms=read("live.alarms", read_alarms, account, group.alarms) if group else None,
        project=read("live.project", read_project, account, names.project),
        registry=read("live.registry", read_registry, account, names.registry),
        subnets=read("live.subnets", read_subnets, account, (*service.subnets, *subnets)) if service else None,
        scaling=read("live.scaling", read_scaling, account, names),
        active=read("live.active", read_active, account, names) if group else None,
        starter=read("live.starter", read_starter, account, names.rule),
        event_pattern=read("live.event_pattern", read_event_pattern, account, names.rule),
        stack=read("live.stack", read_stack, account, names, routes or ()) if service else None,
        returnable=read("live.returnable", read_returnable, account, names),
    )
