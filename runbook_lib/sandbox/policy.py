"""What policies say to an action on a resource: statements read, matched and weighed; no state, no world.

Sources: IAM user guide, reference_policies_evaluation-logic, reference_policies_elements, reference_policies_variables;
EventBridge user guide, eb-use-resource-based; SNS developer guide, sns-access-policy-use-cases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from runbook_lib.sandbox import policy_conditions

Context = Mapping[str, tuple[str, ...]]  # context key in lower case -> its values
VARIABLE = re.compile(r"\$\{([^},]+?)(?:\s*,\s*'([^']*)')?\}")
LITERAL = {"*": "*", "?": "?", "$": "$"}  # ${*} and so on


class Malformed(ValueError):
    """A policy that IAM would not take; the message says why."""


@dataclass(frozen=True)
class Question:
    """Whether a principal (an ARN or a service's name, "" when nobody is named) may do something with a resource."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    principal: str = ""


def on_behalf(service: str, action: str, resource: str, *, source: str, account: str) -> Question:
    """What a service (events.amazonaws.com ...) asks for another resource of an account, `source` its ARN.

    It sends the context keys along by which policies keep other resources and accounts out.
    """
    context = {"aws:sourcearn": (source,), "aws:sourceaccount": (account,), "aws:securetransport": ("true",)}
    return Question(action, resource, context, service)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; `negated` says which of its elements are the Not... forms."""

    policy: str  # the id of the policy that it stands in
    kind: str  # where that comes from: role, user-managed ...
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]
    principals: Mapping[str, tuple[str, ...]] | None  # None in an identity-based policy
    negated: frozenset[str] = frozenset()

    def speaks_of(self, question: Question) -> bool:
        """Whether the statement is about this action on this resource by this principal, conditions aside."""
        action = any(like(question.action.lower(), each.lower()) for each in self.actions)
        resource = any(like(question.resource, filled(each, question.context)) for each in self.resources)
        return (
            action != ("NotAction" in self.negated)
            and resource != ("NotResource" in self.negated)
            and (self.principals is None or _about(self.principals, question.principal))
        )

    def holds(self, question: Question) -> bool:
        """Whether the statement applies, conditions included."""
        return self.speaks_of(question) and all(
            policy_conditions.met(name, key, tuple(filled(each, question.context) for each in values), question.context)
            for name, block in self.conditions.items()
            for key, values in block.items()
        )

    def context_keys(self) -> set[str]:
        """The context keys that its conditions and variables ask for."""
        texts = [*self.resources, *(v for block in self.conditions.values() for vs in block.values() for v in vs)]
        variables = {found[1] for text in texts for found in VARIABLE.finditer(text) if found[1] not in LITERAL}
        return {key for block in self.conditions.values() for key in block} | variables


@dataclass(frozen=True)
class Verdict:
    """What policies say: allowed, explicitDeny or implicitDeny, and the statements that decided."""

    decision: str
    statements: tuple[Statement, ...] = ()


def weigh(statements: Iterable[Statement], question: Question) -> Verdict:
    """An explicit deny wins over every allow; without any the answer is no."""
    holding = [one for one in statements if one.holds(question)]
    for effect, decision in (("Deny", "explicitDeny"), ("Allow", "allowed")):
        deciding = tuple(one for one in holding if one.effect == effect)
        if deciding:
            return Verdict(decision, deciding)
    return Verdict("implicitDeny")


def allows(document: str, question: Question) -> bool:
    """Whether the policy of a queue, topic, function ... (JSON, "" when there is none) allows it by itself.

    A statement that names no principal says nothing, and a policy that AWS would not have taken allows nothing.
    """
    try:
        statements = read(document, policy="the resource's own", kind="resource") if document else ()
    except Malformed:
        return False
    return weigh((one for one in statements if one.principals is not None), question).decision == "allowed"


def missing_keys(statements: Iterable[Statement], question: Question) -> tuple[str, ...]:
    """The context keys that statements about this action ask for and nobody gave."""
    asked = {key for one in statements if one.speaks_of(question) for key in one.context_keys()}
    return tuple(sorted(key for key in asked if key.lower() not in question.context))


# ---- reading


def read(document: str | Mapping[str, Any], *, policy: str, kind: str) -> tuple[Statement, ...]:
    """The statements of a policy; raises Malformed for one that cannot be read."""
    try:
        told = json.loads(document) if isinstance(document, str) else document
    except ValueError as error:
        raise Malformed(f"Syntax errors in policy {policy}: {error}") from None
    listed = told.get("Statement") if isinstance(told, dict) else None
    if not isinstance(listed, list | dict) or not listed:
        raise Malformed(f"Syntax errors in policy {policy}: Missing required field Statement")
    return tuple(_statement(one, policy, kind) for one in ([listed] if isinstance(listed, dict) else listed))


def _statement(told: Mapping[str, Any], policy: str, kind: str) -> Statement:
    if told.get("Effect") not in ("Allow", "Deny"):
        raise Malformed(f"Syntax errors in policy {policy}: Invalid effect {told.get('Effect')}")
    negated = frozenset(key for key in ("NotAction", "NotResource") if key in told)
    actions = texts(told.get("NotAction", told.get("Action")))
    if not actions:
        raise Malformed(f"Syntax errors in policy {policy}: Missing required field Action")
    return Statement(
        policy=policy,
        kind=kind,
        effect=told["Effect"],
        actions=actions,
        resources=texts(told.get("NotResource", told.get("Resource", "*"))),
        conditions=_conditions(told.get("Condition", {}), policy),
        principals=_principals(told["Principal"]) if "Principal" in told else None,
        negated=negated,
    )


def _conditions(told: Mapping[str, Mapping[str, Any]], policy: str) -> dict[str, dict[str, tuple[str, ...]]]:
    unknown = [name for name in told if not policy_conditions.known(name)]
    if unknown:
        raise Malformed(f"Syntax errors in policy {policy}: Invalid Condition type : {unknown[0]}.")
    return {name: {key: texts(value) for key, value in block.items()} for name, block in told.items()}


def _principals(told: Any) -> dict[str, tuple[str, ...]]:
    return {"AWS": ("*",)} if told == "*" else {kind: texts(value) for kind, value in told.items()}


def texts(value: Any) -> tuple[str, ...]:
    """A value or a list of them as texts; true and 5 are written as IAM compares them."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in listed)


# ---- matching


def _about(principals: Mapping[str, tuple[str, ...]], principal: str) -> bool:
    """A resource-based policy names accounts as 123456789012 or as their root, and services by their name."""
    return any(_is(each, principal) for values in principals.values() for each in values)


def _is(named: str, principal: str) -> bool:
    if named in ("*", principal):
        return True
    account = named.split(":")[4] if named.endswith(":root") else named
    return account.isdigit() and f":{account}:" in principal


def like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of * and ?."""
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_piece(letter) for letter in pattern), re.DOTALL)


def _piece(letter: str) -> str:
    return {"*": ".*", "?": "."}.get(letter) or re.escape(letter)


def filled(text: str, context: Context) -> str:
    """A text with its policy variables replaced; one that nobody gave fits nothing."""

    def value(found: re.Match[str]) -> str:
        if found[1] in LITERAL:
            return LITERAL[found[1]]
        given = context.get(found[1].lower())
        return given[0] if given else found[2] if found[2] is not None else "\0"

    return VARIABLE.sub(value, text)


def keys_of(statements: Iterable[Statement]) -> Iterator[str]:
    """Every context key that statements ask for, sorted, each once."""
    yield from sorted({key for one in statements for key in one.context_keys()})
