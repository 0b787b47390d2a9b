"""GetMetricData: several series at once, with metric math, in pages.

Source: CloudWatch API reference, GetMetricData.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.cloudwatch import asking, expression
from runbook_lib.sandbox.services.cloudwatch.functions import Given
from runbook_lib.sandbox.services.cloudwatch.points import MINUTE
from runbook_lib.sandbox.services.cloudwatch.series import Series
from runbook_lib.sandbox.services.cloudwatch.store import key, visible

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST_QUERIES = 500
MOST_POINTS = 100_800  # in an answer
TOKEN = re.compile(r"metric-data/(\d+)")


def get_metric_data(call: Call) -> dict[str, Any]:
    """GetMetricData."""
    queries = call.params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise asking.refused(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    asking.check_queries(queries)
    start, end = asking.epoch(call.params["StartTime"]), asking.epoch(call.params["EndTime"])
    if start >= end:
        raise asking.refused("The parameter StartTime must be less than the parameter EndTime.")
    known = series_of(call.world, queries, start, end)
    newest_first = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    wanted = [query for query in queries if query.get("ReturnData", True)]
    results = [_result(query, one, newest_first) for query in wanted for one in _labelled(query, known[query["Id"]])]
    return _page(results, call.params)


def series_of(world: World, queries: Sequence[asking.Query], start: float, end: float) -> dict[str, list[Series]]:
    """The series of every query by its Id; expressions may refer to each other in any order."""
    metrics = tuple(query["Id"] for query in queries if "MetricStat" in query)
    shortest = min((query["MetricStat"]["Period"] for query in queries if "MetricStat" in query), default=MINUTE)
    known = {query["Id"]: [_measured(world, query, start, end)] for query in queries if "MetricStat" in query}
    for query in asking.ordered(queries):
        if "Expression" in query:
            period = query.get("Period", shortest)
            grid = asking.window(start, end, period=period, now=world.now).grid
            known[query["Id"]] = expression.evaluate(query["Expression"], Given(known, metrics, grid, period))
    return known


def _measured(world: World, query: asking.Query, start: float, end: float) -> Series:
    stat = query["MetricStat"]
    metric = key(stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Metric"].get("Dimensions", ()))
    window = asking.window(start, end, period=stat["Period"], now=world.now)
    found = visible(world, metric, window, unit=stat.get("Unit"))
    points = {at: samples.statistic(stat["Stat"]) for at, samples in found.items()}
    shown = {at: value for at, value in points.items() if value is not None}
    return Series(shown, query.get("Label") or metric.name, stat["Period"], query["Id"])


def _labelled(query: asking.Query, several: list[Series]) -> Iterator[Series]:
    """The series of a query with the names that they are shown under."""
    own = query.get("Label") or ("" if "MetricStat" in query else query["Id"])
    for one in several:
        alone = len(several) == 1
        yield replace(one, label=(own or one.label) if alone else f"{query.get('Label', '')} {one.label}".strip())


def _result(query: asking.Query, series: Series, newest_first: bool) -> dict[str, Any]:
    times = sorted(series.points, reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": series.label,
        "Timestamps": times,
        "Values": [series.points[at] for at in times],
        "StatusCode": "Complete",
    }


@dataclass(frozen=True)
class _Stretch:
    """The points that a page holds, counted through all results."""

    begin: int
    end: int

    def of(self, first: int, many: int) -> slice | None:
        """The part of a result that belongs to the page, whose first point is the given one; None when none does."""
        begin, end = max(self.begin - first, 0), min(self.end - first, many)
        belongs = begin < end or (many == 0 and self.begin <= first < self.end)
        return slice(begin, end) if belongs else None


def _page(results: list[dict[str, Any]], params: Mapping[str, Any]) -> dict[str, Any]:
    """The results as far as they fit; one that goes on in the next page is told to be partial."""
    begin = _begin(params.get("NextToken"))
    stretch = _Stretch(begin, begin + min(params.get("MaxDatapoints", MOST_POINTS), MOST_POINTS))
    shown, first = [], 0
    for result in results:
        many = len(result["Values"])
        part = stretch.of(first, many)
        if part is not None:
            shown.append(_cut(result, part))
        first += many
    more = {"NextToken": f"metric-data/{stretch.end}"} if first > stretch.end else {}
    return {"MetricDataResults": shown, "Messages": [], **more}


def _cut(result: dict[str, Any], part: slice) -> dict[str, Any]:
    whole = part.stop == len(result["Values"])
    return {
        **result,
        "Timestamps": result["Timestamps"][part],
        "Values": result["Values"][part],
        "StatusCode": "Complete" if whole else "PartialData",
    }


def _begin(token: str | None) -> int:
    if token is None:
        return 0
    found = TOKEN.fullmatch(token)
    if found is None:
        raise AwsError("InvalidNextToken", "The next token specified is invalid.")
    return int(found[1])
