"""A world with nothing in it, and CloudWatch as an operator and as AWS's own services see it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

CASES = Path(__file__).parents[1] / "cases" / "cloudwatch"
NAMESPACE = "Shop"


def case(name: str) -> Any:
    """What a file of cases holds."""
    return json.loads((CASES / name).read_text(encoding="utf-8"))


@dataclass
class Stage:
    """The world, and what a test does with it."""

    world: World

    @property
    def watch(self) -> Any:
        """CloudWatch for somebody outside of AWS."""
        return self.world.gateway.client("cloudwatch", caller=self.world.operator)

    @property
    def start(self) -> float:
        return self.world.settings.start

    def put(self, name: str, *values: float | None, begin: int = 0, **more: Any) -> None:
        """A value for each minute from one on; None leaves its minute out."""
        data = [
            {"MetricName": name, "Value": value, "Timestamp": self.world.datetime(self.start + 60 * minute), **more}
            for minute, value in enumerate(values, begin)
            if value is not None
        ]
        if data:
            self.watch.put_metric_data(Namespace=NAMESPACE, MetricData=data)

    def read(self, *queries: Mapping[str, Any], minutes: float = 3, **more: Any) -> dict[str, Any]:
        """What get_metric_data answers of the first minutes, oldest point first."""
        times = {
            "StartTime": self.world.datetime(self.start),
            "EndTime": self.world.datetime(self.start + 60 * minutes),
        }
        asked: dict[str, Any] = {"ScanBy": "TimestampAscending", **times, **more}
        answer: dict[str, Any] = self.watch.get_metric_data(MetricDataQueries=list(queries), **asked)
        return answer

    def values(self, *queries: Mapping[str, Any], minutes: int = 3) -> list[float | None]:
        """The value of the last query in each of the first minutes."""
        result = self.read(*queries, minutes=minutes)["MetricDataResults"][-1]
        found = dict(zip((at.timestamp() for at in result["Timestamps"]), result["Values"], strict=True))
        return [found.get(self.start + 60 * minute) for minute in range(minutes)]

    def alarm(self, name: str = "red", **changes: Any) -> None:
        """An alarm that goes off when more than one was sold in a minute."""
        told = {
            "AlarmName": name,
            "Namespace": NAMESPACE,
            "MetricName": "Sold",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        } | changes
        self.watch.put_metric_alarm(**{key: value for key, value in told.items() if value is not None})

    def shown(self, name: str = "red") -> dict[str, Any]:
        kinds = ["MetricAlarm", "CompositeAlarm"]
        answer = self.watch.describe_alarms(AlarmNames=[name], AlarmTypes=kinds)
        found: dict[str, Any] = (*answer["MetricAlarms"], *answer["CompositeAlarms"])[0]
        return found

    def state(self, name: str = "red") -> str:
        return str(self.shown(name)["StateValue"])

    def set(self, name: str, state: str) -> None:
        self.watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="by hand")

    def history(self, **asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.watch.describe_alarm_history(**asked)["AlarmHistoryItems"]
        return found

    def until(self, minute: float, second: float = 10) -> None:
        """Lets time pass until a second of a minute."""
        self.world.run_until(self.start + 60 * minute + second)


def metric(name: str, stat: str = "Sum", *, id: str = "m1", period: int = 60, **more: Any) -> dict[str, Any]:
    """A query of a metric."""
    named = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": more.pop("dimensions", [])}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, **more}


def expression(text: str, *, id: str = "e1", **more: Any) -> dict[str, Any]:
    """A query of an expression."""
    return {"Id": id, "Expression": text, **more}


@cache
def _saved() -> tuple[World, bytes]:
    world = World(Settings(realism=False))
    world.gateway  # noqa: B018 - the keys of its callers are among what is saved
    return world, pickle.dumps(world)


def fresh() -> Stage:
    """A stage as it was built."""
    world, ours = _saved()
    world.__dict__.update(pickle.loads(ours).__getstate__())
    return Stage(world)


def points(text: str) -> Sequence[bool | None]:
    """Points as the truth table writes them: X breaches, 0 does not, - is missing."""
    return [{"X": True, "0": False, "-": None}[mark] for mark in text.split()]
