"""The Condition element of a policy: its operators over the values of a request's context.

Source: IAM user guide, reference_policies_elements_condition_operators and ..._multi-value-conditions: a key that is
missing meets the negated operators and none of the others; ...IfExists lets a missing key pass.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

Compare = Callable[[str, str], bool]


def _like(value: str, pattern: str) -> bool:
    from runbook_lib.sandbox import policy

    return policy.like(value, pattern)


def _arn_like(value: str, pattern: str) -> bool:
    """Part by part, as no wildcard reaches over the first five colons."""
    ours, theirs = value.split(":", 5), pattern.split(":", 5)
    return len(ours) == len(theirs) and all(map(_like, ours, theirs))


def _same_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _in_network(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _numeric(compare: Callable[[float, float], bool]) -> Compare:
    def of(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return of


def _date(compare: Callable[[float, float], bool]) -> Compare:
    def of(value: str, wanted: str) -> bool:
        try:
            return compare(_seconds(value), _seconds(wanted))
        except ValueError:
            return False

    return of


def _seconds(text: str) -> float:
    """A date in ISO 8601 or in seconds since 1970."""
    if text.isdigit():
        return float(text)
    told = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


OPERATORS: Mapping[str, Compare] = {
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": _same_ignoring_case,
    "StringLike": _like,
    "NumericEquals": _numeric(operator.eq),
    "NumericLessThan": _numeric(operator.lt),
    "NumericLessThanEquals": _numeric(operator.le),
    "NumericGreaterThan": _numeric(operator.gt),
    "NumericGreaterThanEquals": _numeric(operator.ge),
    "DateEquals": _date(operator.eq),
    "DateLessThan": _date(operator.lt),
    "DateLessThanEquals": _date(operator.le),
    "DateGreaterThan": _date(operator.gt),
    "DateGreaterThanEquals": _date(operator.ge),
    "Bool": _same_ignoring_case,
    "BinaryEquals": operator.eq,
    "IpAddress": _in_network,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
QUANTIFIERS = ("ForAllValues:", "ForAnyValue:")


def known(name: str) -> bool:
    """Whether IAM has an operator by that name."""
    return _parts(name)[1] in {*OPERATORS, *NEGATED, "Null"}


def _parts(name: str) -> tuple[str, str, bool]:
    """The quantifier of an operator or "", its bare name, and whether it lets a missing key pass."""
    quantifier = next((each for each in QUANTIFIERS if name.startswith(each)), "")
    bare = name.removeprefix(quantifier)
    return quantifier, bare.removesuffix("IfExists"), bare.endswith("IfExists")


def met(name: str, key: str, wanted: tuple[str, ...], context: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a condition is met by the values that a request gives for a key."""
    quantifier, bare, if_exists = _parts(name)
    values = context.get(key.lower())
    if bare == "Null":
        return (values is None) == (wanted[0].lower() == "true")
    if not values:
        return if_exists or quantifier == "ForAllValues:" or (bare in NEGATED and not quantifier)
    single = [_single(bare, value, wanted) for value in values]
    return all(single) if quantifier == "ForAllValues:" else any(single)


def _single(bare: str, value: str, wanted: tuple[str, ...]) -> bool:
    """One value fits one of those wanted; with a negated operator none of them."""
    compare = OPERATORS[NEGATED.get(bare, bare)]
    return any(compare(value, each) for each in wanted) != (bare in NEGATED)
