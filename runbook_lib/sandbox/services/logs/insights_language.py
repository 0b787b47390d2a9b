"""The expressions of Logs Insights: read into functions over an event's fields.

Source: CloudWatch Logs user guide, CWL_QuerySyntax-Filter and -operations-functions. Only what is in the tables here is
known; a function that is not is refused as not simulated, and what cannot be read at all as malformed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.errors import AwsError, not_simulated

TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<expression>/(?:[^/\\]|\\.)+/i?)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<field>`[^`]+`|@?[A-Za-z_][\w.\[\]]*)
    |(?P<mark>=~|!=|<=|>=|[=<>()\[\],+*/%^-])
    )""",
    re.VERBOSE,
)
Event = Mapping[str, Any]
Value = Callable[[Event], Any]


@dataclass
class Words:
    """The tokens of a command, taken one after the other."""

    tokens: list[tuple[str, str]]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise malformed("the query ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def word(self, *wanted: str) -> bool:
        """Take these words if they come next, whatever their case."""
        following = [text.lower() for _, text in self.tokens[self.at : self.at + len(wanted)]]
        if following != list(wanted):
            return False
        self.at += len(wanted)
        return True

    def must(self, wanted: str) -> None:
        if not self.word(wanted):
            raise malformed(f"{wanted} was expected before {self.peek() or 'the end'!r}")


def words(text: str) -> Words:
    """The tokens of a text."""
    found, position = [], 0
    while text[position:].strip():
        token = TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise malformed(f"unexpected symbol at {text[position:].strip()[:20]!r}")
        found.append((token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return Words(found)


def malformed(why: str) -> AwsError:
    """The refusal of a query that cannot be read."""
    return AwsError("MalformedQueryException", f"Malformed query: {why}")


def condition(source: Words) -> Value:
    """or, and, not, comparisons, like, in, ispresent(...)."""
    sides = [_both(source)]
    while source.word("or"):
        sides.append(_both(source))
    return sides[0] if len(sides) == 1 else lambda event: any(side(event) for side in sides)


def _both(source: Words) -> Value:
    sides = [_negation(source)]
    while source.word("and"):
        sides.append(_negation(source))
    return sides[0] if len(sides) == 1 else lambda event: all(side(event) for side in sides)


def _negation(source: Words) -> Value:
    if source.word("not"):
        inner = _negation(source)
        return lambda event: not inner(event)
    return _comparison(source)


def _comparison(source: Words) -> Value:
    left = arithmetic(source)
    negated = source.word("not")
    if source.word("like") or source.word("=~"):
        return _like(left, _pattern(source), negated)
    if source.word("in"):
        wanted = _list(source)
        return lambda event: any(equal(left(event), one(event)) for one in wanted) != negated
    if negated:
        raise malformed("like or in was expected after not")
    if source.peek() not in COMPARISONS:
        return left
    compare, right = COMPARISONS[source.take()[1]], arithmetic(source)
    return lambda event: compare(left(event), right(event))


def _like(left: Value, pattern: re.Pattern[str], negated: bool) -> Value:
    return lambda event: (pattern.search(text(left(event)) or "") is not None) != negated


def _pattern(source: Words) -> re.Pattern[str]:
    kind, token = source.take()
    if kind == "expression":
        body, _, flag = token[1:].rpartition("/")
        return _compiled(body, re.IGNORECASE if flag else 0)
    if kind == "text":
        return re.compile(re.escape(unquoted(token)))
    raise malformed(f"{token!r} is neither a text nor a regular expression")


def _compiled(body: str, flags: int = 0) -> re.Pattern[str]:
    try:
        return re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", body), flags)
    except re.error as wrong:
        raise malformed(f"the regular expression {body!r}: {wrong}") from None


def regular(token: str) -> re.Pattern[str]:
    """A regular expression between slashes; (?<name>...) names a group."""
    body, _, flag = token[1:].rpartition("/")
    return _compiled(body, re.IGNORECASE if flag else 0)


def _list(source: Words) -> list[Value]:
    source.must("[")
    found = [arithmetic(source)]
    while source.word(","):
        found.append(arithmetic(source))
    source.must("]")
    return found


def arithmetic(source: Words) -> Value:
    """Sums of products of numbers, fields and functions."""
    left = _product(source)
    while source.peek() in ("+", "-"):
        sign = source.take()[1]
        left = _combined(NUMERIC[sign], left, _product(source))
    return left


def _product(source: Words) -> Value:
    left = _single(source)
    while source.peek() in ("*", "/", "%", "^"):
        sign = source.take()[1]
        left = _combined(NUMERIC[sign], left, _single(source))
    return left


def _combined(compute: Callable[[float, float], float], left: Value, right: Value) -> Value:
    def of(event: Event) -> float | None:
        one, other = number(left(event)), number(right(event))
        try:
            return None if one is None or other is None else compute(one, other)
        except (ZeroDivisionError, OverflowError):
            return None

    return of


def _single(source: Words) -> Value:
    kind, token = source.take()
    if token == "(":
        inner = condition(source)
        source.must(")")
        return inner
    if token == "-":
        return _combined(operator.sub, lambda _: 0, _single(source))
    if kind in ("text", "number"):
        constant = unquoted(token) if kind == "text" else float(token)
        return lambda _: constant
    if kind != "field":
        raise malformed(f"unexpected {token!r}")
    if source.word("("):
        return _called(token, source)
    name = token.strip("`")
    return lambda event: event.get(name)


def _called(name: str, source: Words) -> Value:
    given: list[Value] = []
    while not source.word(")"):
        given.append(condition(source))
        source.word(",")
    function = FUNCTIONS.get(name.lower())
    if function is None:
        raise not_simulated(f"logs: the function {name} of a query")
    return lambda event: function(*(one(event) for one in given))


def unquoted(token: str) -> str:
    """The text between quotation marks."""
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def number(value: Any) -> float | None:
    """A value as a number, None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def text(value: Any) -> str | None:
    """A value as Insights writes it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def equal(one: Any, other: Any) -> bool:
    """As numbers where both are, else as texts; nothing equals a missing field."""
    numbers = number(one), number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return one is not None and other is not None and text(one) == text(other)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def of(one: Any, other: Any) -> bool:
        left, right = number(one), number(other)
        return left is not None and right is not None and compare(left, right)

    return of


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": equal,
    "!=": lambda one, other: not equal(one, other),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
NUMERIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "^": operator.pow,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value is None or value == "",
    "isblank": lambda value: value is None or not str(value).strip(),
    "strlen": lambda value: len(text(value) or ""),
    "tolower": lambda value: (text(value) or "").lower(),
    "toupper": lambda value: (text(value) or "").upper(),
    "strcontains": lambda value, part: int((text(part) or "") in (text(value) or "")),
    "concat": lambda *values: "".join(text(value) or "" for value in values),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "abs": lambda value: None if number(value) is None else abs(number(value) or 0.0),
    "ceil": lambda value: None if number(value) is None else float(math.ceil(number(value) or 0.0)),
    "floor": lambda value: None if number(value) is None else float(math.floor(number(value) or 0.0)),
}
