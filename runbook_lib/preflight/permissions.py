"""Asks IAM's simulator what the roles of a delivery may do, and reads who may take them on.

A simulation sees the policies of the role, its boundary and the organisation's policies; trust is read beside it; the
policies of keys and endpoints stay unseen.  Source: IAM API reference, SimulatePrincipalPolicy and EvaluationResult.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.preflight.actions import action
from runbook_lib.preflight.lacking import DENIED, MISSING, ROLES, TRUST, UNSEEN
from runbook_lib.preflight.live import Grant
from runbook_lib.preflight.needs import Need, assumed, needs
from runbook_lib.preflight.picture import Picture

if TYPE_CHECKING:
    from runbook_lib.account import Account

ASSUMING = {"sts:AssumeRole", "sts:*", "*"}


def simulate(account: Account, need: Need) -> Iterator[Grant]:
    """What the simulator says to each action of a need, resource by resource."""
    if not need.role:
        for function in need.on["function"]:
            yield Grant(need.rule, "", f"the function {function}", function, MISSING, seen_all=True)
        return
    for resources, names in _together(need).items():
        context = {"aws:RequestedRegion": account.region, "aws:PrincipalArn": need.role, **need.context}
        for result in _asked(account, need.role, names, resources, context):
            yield from _grants(need, result)


def _together(need: Need) -> dict[tuple[str, ...], list[str]]:
    """The actions of a need by the resources that they are asked of: one call each."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in need.actions:
        known = action(name)
        arns = next((need.on[kind] for kind in known.resources if need.on.get(kind)), ("*",))
        found.setdefault(arns, []).append(known.name)
    return found


def _asked(
    account: Account, role: str, names: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    carried = {key: value for key, value in context.items() if any(action(name).carries(key) for name in names)}
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in sorted(carried.items())
    ]
    pages = (
        account.client("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(PolicySourceArn=role, ActionNames=list(names), ResourceArns=list(resources), ContextEntries=entries)
    )
    for page in pages:
        yield from page["EvaluationResults"]


def _grants(need: Need, result: Mapping[str, Any]) -> Iterator[Grant]:
    """A grant for each resource: missing keys stand in the answers about them, and in the whole where it is about *."""
    for one in result.get("ResourceSpecificResults") or [result]:
        decision = one.get("EvalResourceDecision", result["EvalDecision"])
        asked = {*one.get("MissingContextValues", ()), *result.get("MissingContextValues", ())}
        carried = sorted(key for key in asked if action(result["EvalActionName"]).carries(key))
        yield Grant(
            rule=need.rule,
            role=need.role,
            action=result["EvalActionName"],
            resource=one.get("EvalResourceName", "*"),
            decision=decision,
            seen_all=not carried,
            because=_because(one, decision, carried, sorted(asked - set(carried))),
            limited=_limited((result, one)),
            passed_to=need.context.get("iam:PassedToService", ""),
        )


def _because(result: Mapping[str, Any], decision: str, carried: Sequence[str], never: Sequence[str]) -> str:
    """What decided, in words; empty when nothing but the absence of a statement did."""
    if carried:
        return f"a policy asks for {', '.join(carried)}, which only the real call has"
    if decision != "allowed" and never:
        return f"a policy asks for {', '.join(never)}, which no call of this action carries"
    if decision == "explicitDeny":
        named = {one["SourcePolicyId"] for one in result.get("MatchedStatements", ())}
        return f"denied by {', '.join(sorted(named))}" if named else ""
    return ""


def _limited(results: Iterable[Mapping[str, Any]]) -> str:
    """Which limit beyond the role's own policies says no; empty when none does."""
    for one in results:
        if one.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
            return "the permissions boundary"
        if one.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
            return "a policy of the organisation"
    return ""


# ---- trust


def trusts(account: Account, role: str, service: str) -> Grant:
    """Whether a role lets a service take it on, as its trust policy says; conditions are seen by nobody beforehand."""
    document = account.client("iam").get_role(RoleName=_name(role))["Role"]["AssumeRolePolicyDocument"]
    listed = document["Statement"]
    about = [one for one in (listed if isinstance(listed, list) else [listed]) if _is_about(one, service)]
    effects = {one["Effect"] for one in about}
    decision = "explicitDeny" if "Deny" in effects else "allowed" if effects else DENIED
    conditions = any(one.get("Condition") for one in about)
    because = "its trust has conditions that only the real call meets" if conditions else ""
    return Grant(ROLES, role, "sts:AssumeRole", service, decision, not conditions, because, limited=TRUST)


def _is_about(told: Mapping[str, Any], service: str) -> bool:
    who = told.get("Principal", {})
    services = _list(who.get("Service")) if isinstance(who, dict) else [service]
    return service in services and bool(ASSUMING & set(_list(told.get("Action"))))


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _name(role: str) -> str:
    return role.rpartition("/")[2]


# ---- all of it


def read_grants(account: Account, picture: Picture) -> Iterator[Grant]:
    """What every role of the picture may do and who may take it on, in the order of the work."""
    for need in needs(account, picture):
        yield from _unless_beyond(account, need.rule, need.role, partial(simulate, account, need))
    for role, service in assumed(picture):
        yield from _unless_beyond(account, ROLES, role, partial(_trust, account, role, service))


def _trust(account: Account, role: str, service: str) -> Iterator[Grant]:
    yield trusts(account, role, service)


def _unless_beyond(account: Account, rule: str, role: str, ask: Callable[[], Iterator[Grant]]) -> tuple[Grant, ...]:
    """The answers; instead of them, that the role is in another account, where nobody here can ask, or is gone."""
    if role and role.split(":")[4] != account.id:
        return (Grant(rule, role, "what it needs", role, UNSEEN, seen_all=False, because="it is in another account"),)
    try:
        return tuple(ask())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        return (Grant(rule, role, f"the role {_name(role)}", role, MISSING, seen_all=True),)
