"""What a call may ask of metrics: Ids, periods, statistics and times, and the period of time that it then gets.

Sources: CloudWatch API reference, GetMetricData, MetricDataQuery, MetricStat and GetMetricStatistics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import expression, grammar, statistics
from runbook_lib.sandbox.services.cloudwatch.points import DAY, HOUR, MINUTE
from runbook_lib.sandbox.services.cloudwatch.store import Window

ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
LONGEST_EXPRESSION = 2048
SHORT_PERIODS = (1, 5, 10, 20, 30)  # seconds, of metrics with points every second
# How old the start of a question is, and to what it is rounded down then
ROUNDED = ((63 * DAY, HOUR), (15 * DAY, 5 * MINUTE))
Query = Mapping[str, Any]


def refused(message: str) -> AwsError:
    """A parameter that CloudWatch does not accept."""
    return AwsError("ValidationError", message)


def epoch(value: Any) -> float:
    """A time as seconds."""
    return value.timestamp() if isinstance(value, datetime) else float(value)


def window(start: float, end: float, *, period: int, now: float) -> Window:
    """The time that a call gets for the time that it asks for: older ones are rounded more."""
    step = period if period < MINUTE else MINUTE
    step = next((rounded for age, rounded in ROUNDED if now - start > age), step)
    return Window(start // step * step, end, period)


def check_queries(queries: Sequence[Query]) -> None:
    """Every query has an Id of its own, and a metric or an expression; expressions name what is there, in no circle."""
    ids = [query["Id"] for query in queries]
    for name in ids:
        if not ID.fullmatch(name):
            raise refused(f"The Id {name!r} is not valid: it must match ^[a-z][a-zA-Z0-9_]*$.")
    if len(set(ids)) < len(ids):
        raise refused("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        _check_query(query)
    ordered(queries)


def _check_query(query: Query) -> None:
    if ("MetricStat" in query) == ("Expression" in query):
        raise refused(f"Query {query['Id']}: exactly one of MetricStat and Expression must be given.")
    if "${" in query.get("Label", ""):
        raise refused(f"Query {query['Id']}: dynamic labels are not simulated.")
    if "MetricStat" in query:
        check_period(query["MetricStat"]["Period"])
        check_statistic(query["MetricStat"]["Stat"])
    else:
        _check_expression(query["Expression"])


def _check_expression(text: str) -> None:
    if not 1 <= len(text) <= LONGEST_EXPRESSION:
        raise refused(f"An expression has 1 to {LONGEST_EXPRESSION} characters.")
    if text.lstrip().upper().startswith("SELECT "):
        raise refused("Metrics Insights queries are not simulated: name the metrics.")
    if "SEARCH" in set(grammar.functions(expression.read(text))):
        raise refused("SEARCH expressions are not simulated: name the metrics.")


def check_period(period: int) -> None:
    """A period is 1, 5, 10, 20, 30 or a multiple of 60 seconds."""
    if period not in SHORT_PERIODS and (period < MINUTE or period % MINUTE):
        raise refused(f"Period {period} must be 1, 5, 10, 20, 30 or a multiple of 60.")


def check_statistic(name: str) -> None:
    """A statistic that CloudWatch has."""
    if not statistics.known(name):
        raise refused(f"The value {name} for parameter Stat is not supported.")


def ordered(queries: Iterable[Query]) -> list[Query]:
    """The queries, each after those that its expression names."""
    waiting, done = list(queries), list[Query]()
    known = {query["Id"] for query in waiting}
    while waiting:
        names = {query["Id"] for query in done}
        ready = [query for query in waiting if _named(query, known) <= names]
        if not ready:
            raise refused(f"The expressions {', '.join(query['Id'] for query in waiting)} refer to each other.")
        done += ready
        waiting = [query for query in waiting if query not in ready]
    return done


def _named(query: Query, known: set[str]) -> set[str]:
    if "MetricStat" in query:
        return set()
    tree = expression.read(query["Expression"])
    unknown = set(grammar.names(tree)) - known
    if unknown:
        raise expression.refused(
            query["Expression"], f"it names {sorted(unknown)[0]}, which no query of this call has as its Id"
        )
    return set(grammar.names(tree))
