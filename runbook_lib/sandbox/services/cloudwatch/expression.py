"""Metric math: arithmetic, comparisons and functions over series, with CloudWatch's rules for missing values.

CloudWatch user guide, using-metric-math: a missing value counts as 0 where the other series has a point at that
time; a division by zero drops the point.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from runbook_lib.sandbox.errors import AwsError

Series = dict[float, float]
Value = Any  # a number, a series or a list of series

_BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARED: dict[type[ast.AST], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(text: str, known: Mapping[str, Value], *, grid: list[float]) -> Value:
    """The value of an expression; `known` holds series by id, `grid` the times that FILL fills."""
    prepared = text.replace("^", "**").replace("&&", " and ").replace("||", " or ")
    prepared = prepared.replace(" AND ", " and ").replace(" OR ", " or ")
    try:
        tree = ast.parse(prepared, mode="eval")
    except SyntaxError:
        raise _refused(text, "it cannot be parsed") from None
    return _Evaluator(text, known, grid).of(tree.body)


class _Evaluator:
    def __init__(self, text: str, known: Mapping[str, Value], grid: list[float]) -> None:
        self.text, self.known, self.grid = text, known, grid

    def of(self, node: ast.AST) -> Value:
        """The value of a part of the expression."""
        for kind, read in self._readers().items():
            if isinstance(node, kind):
                return read(node)
        raise _refused(self.text, f"{type(node).__name__} is not simulated")

    def _readers(self) -> dict[type[ast.AST], Callable[[Any], Value]]:
        return {
            ast.Constant: lambda node: float(node.value),
            ast.Name: self._name,
            ast.List: lambda node: [self.of(item) for item in node.elts],
            ast.UnaryOp: lambda node: _map2(lambda a, b: b - a, self.of(node.operand), 0.0),
            ast.BinOp: lambda node: _map2(_BINARY[type(node.op)], self.of(node.left), self.of(node.right)),
            ast.Compare: self._compare,
            ast.BoolOp: self._both,
            ast.Call: self._call,
        }

    def _name(self, node: ast.Name) -> Value:
        if node.id not in self.known:
            raise _refused(self.text, f"it names {node.id}, which no metric of this call has as its Id")
        return self.known[node.id]

    def _compare(self, node: ast.Compare) -> Value:
        compare = _COMPARED[type(node.ops[0])]
        return _map2(lambda a, b: float(compare(a, b)), self.of(node.left), self.of(node.comparators[0]))

    def _both(self, node: ast.BoolOp) -> Value:
        every = isinstance(node.op, ast.And)

        def join(a: float, b: float) -> float:
            return float(bool(a and b) if every else bool(a or b))

        value = self.of(node.values[0])
        for other in node.values[1:]:
            value = _map2(join, value, self.of(other))
        return value

    def _call(self, node: ast.Call) -> Value:
        name = getattr(node.func, "id", "").upper()
        arguments = [self.of(argument) for argument in node.args]
        if name == "IF":
            return _if(*arguments)
        if name == "FILL":
            return self._fill(*arguments)
        if name == "METRICS":
            return [value for value in self.known.values() if isinstance(value, dict)]
        if name in _FOLDS:
            return _fold(_FOLDS[name], arguments[0])
        raise _refused(self.text, f"the function {name} is not simulated")

    def _fill(self, series: Series, filler: Value) -> Series:
        return {at: series.get(at, _at(filler, at)) for at in sorted({*self.grid, *series})}


_FOLDS: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


def _map2(apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if not isinstance(left, dict) and not isinstance(right, dict):
        return apply(left, right)
    times = sorted({*(left if isinstance(left, dict) else ()), *(right if isinstance(right, dict) else ())})
    found = {}
    for at in times:
        try:
            found[at] = apply(_at(left, at), _at(right, at))
        except ZeroDivisionError:
            continue
    return found


def _at(value: Value, at: float) -> float:
    return value.get(at, 0.0) if isinstance(value, dict) else value


def _if(condition: Value, then: Value, otherwise: Value) -> Value:
    if not isinstance(condition, dict):
        return then if condition else otherwise
    found = {}
    for at, holds in condition.items():
        chosen = then if holds else otherwise
        if not isinstance(chosen, dict) or at in chosen:
            found[at] = _at(chosen, at)
    return found


def _fold(fold: Callable[[list[float]], float], value: Value) -> Value:
    if isinstance(value, dict):
        return fold(list(value.values())) if value else {}
    times = sorted({at for series in value if isinstance(series, dict) for at in series})
    return {at: fold([series[at] for series in value if at in series]) for at in times}


def _refused(text: str, why: str) -> AwsError:
    return AwsError("ValidationError", f"Error in expression '{text}': {why}")
