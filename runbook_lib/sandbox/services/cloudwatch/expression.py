"""Metric math: arithmetic and comparisons over series, with CloudWatch's rules for missing values.

Source: CloudWatch user guide, using-metric-math: a missing value counts as 0 where the other series has a point at
that time; a division by zero drops the point.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import functions, grammar
from runbook_lib.sandbox.services.cloudwatch.functions import Given, Unfit
from runbook_lib.sandbox.services.cloudwatch.grammar import (
    Applied,
    Group,
    Joined,
    Malformed,
    Name,
    Negative,
    Node,
    Number,
    Text,
    Word,
)
from runbook_lib.sandbox.services.cloudwatch.series import NOTHING, Series, Value, each, lined_up

SIGNS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
}


def read(text: str) -> Node:
    """What an expression says; raises AwsError when it cannot be read."""
    try:
        return grammar.parsed(text)
    except Malformed as error:
        raise refused(text, str(error)) from None


def evaluate(text: str, given: Given) -> list[Series]:
    """The series that an expression gives; a plain number is no series, and refused."""
    try:
        value = _Evaluator(given).of(read(text))
    except Unfit as error:
        raise refused(text, str(error)) from None
    if isinstance(value, float | str):
        raise refused(text, "it gives a single number: the result must be a time series")
    return [value] if isinstance(value, Series) else value


def refused(text: str, why: str) -> AwsError:
    """An expression that CloudWatch does not accept."""
    return AwsError("ValidationError", f"Error in expression '{text}': {why}")


@dataclass(frozen=True)
class _Evaluator:
    given: Given

    def of(self, node: Node) -> Value:
        """The value of a part of the expression."""
        return _READERS[type(node)](self, node)

    def number(self, node: Number) -> Value:
        return node.value

    def name(self, node: Name) -> Value:
        if node.name not in self.given.known:
            raise Unfit(f"it names {node.name}, which no query of this call has as its Id")
        known = self.given.known[node.name]
        return known[0] if len(known) == 1 else known

    def group(self, node: Group) -> Value:
        parts = [self.of(part) for part in node.parts]
        flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
        found = [one for one in flat if isinstance(one, Series)]
        if len(found) != len(flat):
            raise Unfit("only series can stand in brackets")
        return found

    def word(self, node: Word | Text) -> Value:
        return node.word if isinstance(node, Word) else node.text

    def negative(self, node: Negative) -> Value:
        return joined("-", 0.0, self.of(node.of))

    def joined(self, node: Joined) -> Value:
        return joined(node.sign, self.of(node.left), self.of(node.right))

    def applied(self, node: Applied) -> Value:
        return functions.apply(node.function, [self.of(part) for part in node.to], self.given)


_READERS: Mapping[type, Callable[..., Value]] = {
    Number: _Evaluator.number,
    Name: _Evaluator.name,
    Group: _Evaluator.group,
    Word: _Evaluator.word,
    Text: _Evaluator.word,
    Negative: _Evaluator.negative,
    Joined: _Evaluator.joined,
    Applied: _Evaluator.applied,
}


def joined(sign: str, left: Value, right: Value) -> Value:
    """Two values with a sign between them: several series can be joined with one series or number, not with others."""
    if isinstance(left, str) or isinstance(right, str):
        raise Unfit(f"a word cannot stand beside {sign}")
    if isinstance(left, list) and isinstance(right, list):
        raise Unfit(f"several series on both sides of {sign}")
    if isinstance(left, list):
        return each(lambda one: joined(sign, one, right), left)
    if isinstance(right, list):
        return each(lambda one: joined(sign, left, one), right)
    if not isinstance(left, Series) and not isinstance(right, Series):
        return _of_numbers(sign, left, right)
    return _of_series(sign, left, right)


def _of_numbers(sign: str, left: float, right: float) -> float:
    found = _point(sign, left, right)
    return NOTHING if found is None else found


def _of_series(sign: str, left: Series | float, right: Series | float) -> Series:
    shape = next(value for value in (left, right) if isinstance(value, Series))
    points = {at: _point(sign, a, b) for at, a, b in lined_up(left, right)}
    return shape.with_points({at: value for at, value in points.items() if value is not None})


def _point(sign: str, a: float, b: float) -> float | None:
    if math.isnan(a) or math.isnan(b):
        return None
    try:
        found = SIGNS[sign](a, b)
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(found, complex) else found
