"""Elastic Load Balancing (v2) that behaves: listeners, rules, weights, and targets that move through their states."""

from __future__ import annotations

from runbook_lib.sandbox.services.elbv2 import (
    attributes,
    certificates,
    listeners,
    load_balancers,
    registration,
    rules,
    tags,
    target_groups,
    targets,
)
from runbook_lib.sandbox.services.elbv2.health import Answer
from runbook_lib.sandbox.services.elbv2.store import (
    Elbv2Store,
    Listener,
    LoadBalancer,
    Rule,
    Target,
    TargetGroup,
    dimension,
    groups_in,
    listener,
    listeners_of,
    load_balancer,
    rule,
    rules_of,
    target_group,
    usage,
)
from runbook_lib.sandbox.services.elbv2.targets import (
    deregister_target,
    reconsider_address,
    register_target,
    target_state,
    targets_of,
    why,
)
from runbook_lib.sandbox.services.elbv2.weighting import set_weights, weights

STORE = Elbv2Store
OPERATIONS = {
    **load_balancers.OPERATIONS,
    **attributes.OPERATIONS,
    **target_groups.OPERATIONS,
    **registration.OPERATIONS,
    **listeners.OPERATIONS,
    **certificates.OPERATIONS,
    **rules.OPERATIONS,
    **tags.OPERATIONS,
}
HANDLERS = {
    "elbv2.load_balancer_active": load_balancers.load_balancer_active,
    "elbv2.target_turns": targets.target_turns,
    "elbv2.target_drained": targets.target_drained,
}

__all__ = [
    "HANDLERS",
    "OPERATIONS",
    "STORE",
    "Answer",
    "Listener",
    "LoadBalancer",
    "Rule",
    "Target",
    "TargetGroup",
    "deregister_target",
    "dimension",
    "groups_in",
    "listener",
    "listeners_of",
    "load_balancer",
    "reconsider_address",
    "register_target",
    "rule",
    "rules_of",
    "set_weights",
    "target_group",
    "target_state",
    "targets_of",
    "usage",
    "weights",
    "why",
]
