"""The commands of Logs Insights: a query is a pipe of them, each from rows to rows.

Source: CloudWatch Logs user guide, CWL_QuerySyntax. Commands and functions that are not here are refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.sandbox.errors import not_simulated
from runbook_lib.sandbox.services.logs import insights_language as language
from runbook_lib.sandbox.services.logs.insights_language import Value, Words, malformed, number, text

DEFAULT_LIMIT = 10_000
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BIN = re.compile(r"bin\(\s*(\d+)\s*(ms|s|m|h|d|w)\w*\s*\)")
PATTERN = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|/(?:[^/\\]|\\.)+/"
GLOB = re.compile(rf"^parse\s+(?:(@?[\w.]+)\s+)?({PATTERN})\s*(?:as\s+(.+))?$")
BEFORE_EXPRESSION = re.compile(r"(?:like|=~|parse(?:\s+@?[\w.]+)?)\s*$", re.IGNORECASE)


@dataclass
class Table:
    """Rows on their way, and the columns to be shown; `grouped` says whether stats made them."""

    rows: list[dict[str, Any]]
    columns: list[str] = field(default_factory=lambda: ["@timestamp", "@message"])
    grouped: bool = False
    limit: int = DEFAULT_LIMIT


Command = Callable[[Table], None]


def compiled(query: str) -> list[Command]:
    """The commands of a query; raises AwsError for what cannot be read or is not simulated."""
    found = []
    for part in _parts(query):
        name = re.split(r"[\s(]", part, maxsplit=1)[0].lower()
        if name not in COMMANDS:
            raise (
                not_simulated(f"logs: the command {name} of a query")
                if name in KNOWN
                else malformed(f"unknown command {name!r}")
            )
        found.append(COMMANDS[name](part, part[len(name) :]))
    if not found:
        raise malformed("the query is empty")
    return found


KNOWN = ("anomaly", "diff", "filterindex", "join", "lookup", "pattern", "source", "unmask", "unnest")


def _parts(query: str) -> list[str]:
    """The commands between the pipes that stand in no text and no regular expression; a line with # is a comment."""
    parts, inside, former = [""], "", ""
    for letter in "\n".join(line for line in query.splitlines() if not line.lstrip().startswith("#")):
        if inside:
            inside = "" if letter == inside and former != "\\" else inside
        elif letter in "\"'`" or (letter == "/" and BEFORE_EXPRESSION.search(parts[-1])):
            inside = letter
        if letter == "|" and not inside:
            parts.append("")
        else:
            parts[-1] += letter
        former = letter
    return [part.strip() for part in parts if part.strip()]


def _filter(_: str, rest: str) -> Command:
    source = language.words(rest)
    test = language.condition(source)
    _at_end(source)

    def run(table: Table) -> None:
        table.rows = [row for row in table.rows if test(row)]

    return run


def _at_end(source: Words) -> None:
    if source.peek():
        raise malformed(f"unexpected {source.peek()!r}")


def _columns(rest: str) -> list[tuple[str, Value]]:
    """Fields and expressions by the names under which they are shown."""
    found = []
    for part in _commas(rest):
        body, _, alias = re.sub(r"\s+as\s+(?=`?@?[\w.]+`?$)", "\0", part.strip(), flags=re.IGNORECASE).partition("\0")
        found.append((alias.strip("` ") or body.strip("`"), _expression(body)))
    return found


def _expression(body: str) -> Value:
    """An expression, or bin(5m): the beginning of the interval that an event falls into."""
    interval = BIN.fullmatch(body.strip())
    if interval:
        width = int(interval[1]) * SECONDS[interval[2]] * 1000
        return lambda row: stamp(math.floor(row["\0time"] / width) * width)
    source = language.words(body)
    value = language.condition(source)
    _at_end(source)
    return value


def stamp(milliseconds: float) -> str:
    """A time as Insights writes it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _commas(rest: str) -> list[str]:
    """The parts between the commas outside of parentheses and texts."""
    parts, depth, quote = [""], 0, ""
    for letter in rest:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "([") - (letter in ")]") if not quote else 0
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    if any(not part.strip() for part in parts):
        raise malformed("a field is missing")
    return parts


def _fields(_: str, rest: str) -> Command:
    return _show(_columns(rest), extend=True)


def _display(_: str, rest: str) -> Command:
    return _show(_columns(rest), extend=False)


def _show(columns: list[tuple[str, Value]], *, extend: bool) -> Command:
    def run(table: Table) -> None:
        for row in table.rows:
            row.update({name: value(row) for name, value in columns})
        shown = [name for name, _ in columns]
        first = table.columns == ["@timestamp", "@message"]
        table.columns = list(dict.fromkeys([*([] if first or not extend else table.columns), *shown]))

    return run


def _sort(_: str, rest: str) -> Command:
    keys = [_sort_key(part) for part in _commas(rest)]

    def run(table: Table) -> None:
        for value, descending in reversed(keys):
            table.rows.sort(key=lambda row: _order(value(row)), reverse=descending)

    return run


def _sort_key(part: str) -> tuple[Value, bool]:
    found = re.fullmatch(r"(.+?)(?:\s+(asc|desc))?", part.strip(), re.IGNORECASE)
    if found is None:
        raise malformed("sort needs a field")
    return _of_column(found[1]), (found[2] or "asc").lower() == "desc"


def _of_column(name: str) -> Value:
    """The value of a row's column by that very name, such as count(*), or of an expression."""
    if re.sub(r"\(.*", "", name).lower() in STATISTICS:
        return lambda row: row.get(name)
    value = _expression(name)
    return lambda row: row[name] if name in row else value(row)


def _order(value: Any) -> tuple[int, float, str]:
    numeric = number(value)
    return (0, numeric, "") if numeric is not None else (1, 0.0, text(value) or "")


def _limit(_: str, rest: str) -> Command:
    if not rest.strip().isdigit():
        raise malformed(f"limit {rest.strip()!r} is no number")

    def run(table: Table) -> None:
        table.limit = min(table.limit, int(rest))
        table.rows = table.rows[: int(rest)]

    return run


def _dedup(_: str, rest: str) -> Command:
    values = [_expression(part) for part in _commas(rest)]

    def run(table: Table) -> None:
        first: dict[tuple[str | None, ...], dict[str, Any]] = {}
        for row in table.rows:
            first.setdefault(tuple(text(value(row)) for value in values), row)
        table.rows = list(first.values())

    return run


def _parse(whole: str, _: str) -> Command:
    found = GLOB.match(whole)
    if found is None:
        raise malformed("parse needs a text with * or a regular expression")
    source, pattern, names = found[1] or "@message", found[2], found[3]
    expression = _glob(pattern, names) if pattern[0] in "\"'" else language.regular(pattern)
    if not expression.groupindex:
        raise malformed("the regular expression of parse names no groups")

    def run(table: Table) -> None:
        for row in table.rows:
            matched = expression.search(text(row.get(source)) or "")
            row.update(matched.groupdict() if matched else {})

    return run


def _glob(pattern: str, names: str | None) -> re.Pattern[str]:
    listed = [name.strip() for name in (names or "").split(",") if name.strip()]
    pieces = language.unquoted(pattern).split("*")
    if len(pieces) != len(listed) + 1 or not all(name.isidentifier() for name in listed):
        raise malformed(f"parse names {len(listed)} fields for {len(pieces) - 1} wildcards")
    body = re.escape(pieces[0])
    for name, piece in zip(listed, pieces[1:], strict=True):
        body += f"(?P<{name}>.*{'?' if piece else ''}){re.escape(piece)}"
    return re.compile(body, re.DOTALL)


def _stats(_: str, rest: str) -> Command:
    told, _by, groups = re.sub(r"\s+by\s+", "\0", rest, count=1, flags=re.IGNORECASE).partition("\0")
    by = _columns(groups) if groups else []
    functions = [_aggregate(part) for part in _commas(told)]

    def run(table: Table) -> None:
        sets: dict[tuple[str | None, ...], list[dict[str, Any]]] = {}
        for row in table.rows:
            sets.setdefault(tuple(text(value(row)) for _, value in by), []).append(row)
        if not by:
            sets = sets or {(): []}
        table.columns = [name for name, _ in by] + [name for name, _ in functions]
        table.rows = [
            {**dict(zip((name for name, _ in by), key, strict=True)), **{name: of(rows) for name, of in functions}}
            for key, rows in sets.items()
        ]
        table.grouped = True

    return run


Aggregate = Callable[[list[dict[str, Any]]], Any]


def _aggregate(part: str) -> tuple[str, Aggregate]:
    found = re.fullmatch(r"\s*(\w+)\((.*)\)(?:\s+as\s+(`?@?[\w.]+`?))?\s*", part, re.IGNORECASE | re.DOTALL)
    if found is None:
        raise malformed(f"{part.strip()!r} is no statistic")
    name, given = found[1].lower(), found[2].strip()
    if name not in STATISTICS:
        raise not_simulated(f"logs: the statistic {name} of a query")
    shown = (found[3] or f"{name}({given})").strip("`")
    arguments = [] if given in ("", "*") else _commas(given)
    if name == "count" and not arguments:
        return shown, lambda rows: float(len(rows))
    if len(arguments) != (2 if name in ("pct", "percentile") else 1):
        raise malformed(f"{name} takes other arguments than {given!r}")
    value, rank = _expression(arguments[0]), number(arguments[1].strip()) if len(arguments) > 1 else None
    return shown, lambda rows: STATISTICS[name]([value(row) for row in rows], rank)


def _numbers(values: Iterable[Any]) -> list[float]:
    return [found for found in map(number, values) if found is not None]


def _of_numbers(compute: Callable[[list[float]], float]) -> Callable[[list[Any], float | None], Any]:
    def of(values: list[Any], _: float | None) -> float | None:
        found = _numbers(values)
        return compute(found) if found else None

    return of


def _percentile(values: list[Any], rank: float | None) -> float | None:
    found = sorted(_numbers(values))
    if not found or rank is None:
        return None
    return found[min(len(found) - 1, max(0, math.ceil(rank / 100 * len(found)) - 1))]


STATISTICS: Mapping[str, Callable[[list[Any], float | None], Any]] = {
    "count": lambda values, _: float(sum(value is not None for value in values)),
    "count_distinct": lambda values, _: float(len({text(value) for value in values if value is not None})),
    "sum": _of_numbers(sum),
    "avg": _of_numbers(lambda found: sum(found) / len(found)),
    "min": _of_numbers(min),
    "max": _of_numbers(max),
    "pct": _percentile,
    "percentile": _percentile,
    "earliest": lambda values, _: next((value for value in reversed(values) if value is not None), None),
    "latest": lambda values, _: next((value for value in values if value is not None), None),
}
COMMANDS: Mapping[str, Callable[[str, str], Command]] = {
    "fields": _fields,
    "display": _display,
    "filter": _filter,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
    "dedup": _dedup,
    "parse": _parse,
}
