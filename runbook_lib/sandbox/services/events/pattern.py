"""Event patterns: which events a rule takes (EventBridge user guide, eb-event-patterns and content filtering)."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

OR = "$or"
NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": lambda seen, wanted: seen == wanted,
    "<": lambda seen, wanted: seen < wanted,
    "<=": lambda seen, wanted: seen <= wanted,
    ">": lambda seen, wanted: seen > wanted,
    ">=": lambda seen, wanted: seen >= wanted,
}


def read(text: str) -> dict[str, Any]:
    """A pattern from its JSON; refuses what is none."""
    try:
        pattern = json.loads(text)
    except ValueError:
        raise _invalid("Invalid JSON") from None
    if not isinstance(pattern, dict):
        raise _invalid("Filter is not an object")
    _check(pattern)
    return pattern


def _check(pattern: Mapping[str, Any]) -> None:
    if not pattern:
        raise _invalid("Empty objects are not allowed")
    for name, wanted in pattern.items():
        if name == OR and isinstance(wanted, list):
            for one in wanted:
                _check(one)
        elif isinstance(wanted, Mapping):
            _check(wanted)
        elif not isinstance(wanted, list):
            raise _invalid(f'"{name}" must be an object or an array')
        elif not wanted:
            raise _invalid("Empty arrays are not allowed")
        else:
            for one in wanted:
                _check_leaf(one)


def _check_leaf(wanted: Any) -> None:
    if isinstance(wanted, list):
        raise _invalid("Match value must be String, number, true, false, or null")
    if not isinstance(wanted, Mapping):
        return
    if len(wanted) != 1:
        raise _invalid("Only one key allowed in match expression")
    ((kind, argument),) = wanted.items()
    if kind not in _KINDS and kind != "exists":
        raise _invalid(f"Unrecognized match type {kind}")
    if kind == "exists" and not isinstance(argument, bool):
        raise _invalid("exists match pattern must be either true or false.")
    if kind == "numeric" and not _is_range(argument):
        raise _invalid("Value of numeric must be an array of signs and numbers.")
    if kind in ("prefix", "suffix", "wildcard") and not isinstance(argument, str | Mapping):
        raise _invalid(f"{kind} match pattern must be a string")


def _is_range(argument: Any) -> bool:
    return (
        isinstance(argument, list)
        and len(argument) in (2, 4)
        and all(sign in NUMERIC for sign in argument[::2])
        and all(_is_number(value) for value in argument[1::2])
    )


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether every field of a pattern is met by an event."""
    return all(_field(name, wanted, event) for name, wanted in pattern.items())


def _field(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if name == OR and isinstance(wanted, list):
        return any(matches(one, event) for one in wanted)
    seen = event.get(name)
    if isinstance(wanted, Mapping):
        # What is in no object is absent, and a pattern may ask for just that.
        inner = seen if isinstance(seen, list) else [seen]
        return any(matches(wanted, one if isinstance(one, Mapping) else {}) for one in inner)
    values = seen if isinstance(seen, list) else [seen]
    return any(_one(one, value, present=name in event) for one in wanted for value in values)


def _one(wanted: Any, value: Any, *, present: bool) -> bool:
    if not isinstance(wanted, Mapping):
        return present and _same(wanted, value)
    ((kind, argument),) = wanted.items()
    if kind == "exists":
        return present is argument
    return present and _KINDS[kind](argument, value)


def _same(wanted: Any, value: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unlike(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        ((kind, texts),) = argument.items()
        listed = texts if isinstance(texts, list) else [texts]
        return not any(_KINDS[kind](text, value) for text in listed)
    return not any(_same(one, value) for one in (argument if isinstance(argument, list) else [argument]))


def _numbers(argument: list[Any], value: Any) -> bool:
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return _is_number(value) and all(NUMERIC[sign](value, wanted) for sign, wanted in pairs)


def _begins(argument: Any, value: Any) -> bool:
    return _text(argument, value, str.startswith)


def _ends(argument: Any, value: Any) -> bool:
    return _text(argument, value, str.endswith)


def _text(argument: Any, value: Any, compare: Callable[[str, str], bool]) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(argument, Mapping):
        return compare(value.lower(), str(argument["equals-ignore-case"]).lower())
    return compare(value, argument)


def _same_letters(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and value.lower() == str(argument).lower()


def _wildcard(argument: str, value: Any) -> bool:
    wanted = ".*".join(re.escape(part) for part in argument.split("*"))
    return isinstance(value, str) and re.fullmatch(wanted, value, re.DOTALL) is not None


def _in_network(argument: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument)
    except ValueError:
        return False


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


_KINDS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _begins,
    "suffix": _ends,
    "equals-ignore-case": _same_letters,
    "anything-but": _unlike,
    "numeric": _numbers,
    "wildcard": _wildcard,
    "cidr": _in_network,
}
