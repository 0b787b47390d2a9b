"""Event patterns: which events a rule takes (EventBridge user guide, eb-event-patterns)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": lambda seen, wanted: seen == wanted,
    "<": lambda seen, wanted: seen < wanted,
    "<=": lambda seen, wanted: seen <= wanted,
    ">": lambda seen, wanted: seen > wanted,
    ">=": lambda seen, wanted: seen >= wanted,
}


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether every field of a pattern is met by an event."""
    return all(_field(wanted, event, name) for name, wanted in pattern.items())


def check(pattern: Any) -> None:
    """Refuse what is no pattern: every leaf is a list."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise AwsError("InvalidEventPatternException", "Event pattern is not valid. Reason: it is not a JSON object")
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            check(wanted)
        elif not isinstance(wanted, list) or not wanted:
            raise AwsError(
                "InvalidEventPatternException",
                f'Event pattern is not valid. Reason: "{name}" must be an object or an array',
            )


def _field(wanted: Any, event: Mapping[str, Any], name: str) -> bool:
    if isinstance(wanted, Mapping):
        inner = event.get(name)
        return isinstance(inner, Mapping) and matches(wanted, inner)
    seen = event.get(name)
    values = seen if isinstance(seen, list) else [seen]
    return any(_one(one, value, present=name in event) for one in wanted for value in values)


def _one(wanted: Any, value: Any, *, present: bool) -> bool:
    if not isinstance(wanted, Mapping):
        return present and value == wanted
    (kind, argument), *_ = wanted.items()
    if kind == "exists":
        return present is argument
    if kind not in _KINDS:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: unknown match type {kind}")
    return present and _KINDS[kind](argument, value)


def _unlike(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return not _one(argument, value, present=True)
    return value not in (argument if isinstance(argument, list) else [argument])


def _numbers(argument: list[Any], value: Any) -> bool:
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return isinstance(value, int | float) and all(NUMERIC[sign](value, wanted) for sign, wanted in pairs)


_KINDS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda argument, value: str(value).startswith(argument),
    "suffix": lambda argument, value: str(value).endswith(argument),
    "equals-ignore-case": lambda argument, value: str(value).lower() == argument.lower(),
    "anything-but": _unlike,
    "numeric": _numbers,
}
