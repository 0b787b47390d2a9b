"""What modelled tasks write of the requests that they failed: lines at error level in their log streams.

As the sample application writes, in JSON: a line for each, with version, path, status and why. Of a minute a task
writes MOST of them and one line that counts the rest, as a logger does that is kept from drowning its readers: a bad
hour stays small. They come when the minute ends; which path each was for is drawn apart from the access log. With live
traffic the processes write what they write.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import disturbance
from runbook_lib.sandbox.traffic.behaviour import Behaviour
from runbook_lib.sandbox.traffic.modelled import generator
from runbook_lib.sandbox.traffic.stream import Stream
from runbook_lib.sandbox.traffic.synthesis import WITHOUT_QUERY
from runbook_lib.sandbox.traffic.tally import MINUTE, Tally

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

MOST = 20  # lines of a task and a minute
OWN, OUTSIDE = "the order could not be read", "upstream timed out"
Failed = Counter[tuple[int, str]]  # (status, path; "" for any) -> requests


def write(world: World, minute: int, tally: Tally) -> None:
    """Write what the tasks have to say of a minute that has ended."""
    failed = _failed(tally)
    if not failed:
        return
    for task in _serving(world, minute):
        mine = failed.pop(task.ip, None)
        if mine:
            _say(world, task, minute, mine)


def _failed(tally: Tally) -> dict[str, Failed]:
    """The requests that each address answered with a 5xx itself."""
    found: dict[str, Failed] = {}
    for outcome, counts in tally.items():
        if outcome.target_status >= 500:
            address = outcome.target.rpartition(":")[0]
            found.setdefault(address, Counter())[outcome.target_status, outcome.path] += int(counts.sum())
    return found


def _serving(world: World, minute: int) -> Iterator[Task]:
    """The tasks that answered in a minute, the newest first: an address may have been another task's before."""
    from runbook_lib.sandbox.services.ecs.store import store

    for task in reversed(store(world).tasks.values()):
        began = task.answers_from
        if began is not None and began < minute + MINUTE and (task.ended is None or task.ended > minute):
            yield task


def _say(world: World, task: Task, minute: int, failed: Failed) -> None:
    import numpy

    from runbook_lib.sandbox.services import ecs, logs

    declared = ecs.task_definition(world, task.task_definition_arn)["containerDefinitions"]
    main = next(one for one in declared if one["name"] == task.main)
    stream = Stream.of(main, task.id)
    if stream is None:
        return
    may_create = main["logConfiguration"]["options"].get("awslogs-create-group") == "true"
    behaviour, many = Behaviour.of(task.environment), sum(failed.values())
    numbers = generator(world, f"{task.id}/{minute}/log")
    texts = _texts(numbers, failed, behaviour, disturbance.now(world, minute).error_rate)
    times = numpy.sort(numbers.integers(minute * 1000, (minute + MINUTE) * 1000, many)).tolist()
    events = list(zip(times[:MOST], texts, strict=True))
    if many > MOST:
        events.append((times[-1], _line(behaviour.version, f"{many - MOST} more requests failed in this minute")))
    logs.write(world, stream.group, stream.name, events, create_group=may_create)


def _texts(numbers: Any, failed: Failed, behaviour: Behaviour, outside: float) -> list[str]:
    """The lines of the requests that failed first; `outside` is the share that something else made fail."""
    import numpy

    kinds, own = list(failed), behaviour.error_rate
    theirs = outside / (1 - (1 - own) * (1 - outside)) if outside else 0.0
    each = numbers.permutation(numpy.repeat(numpy.arange(len(kinds)), list(failed.values())))[:MOST].tolist()
    paths, chances = numbers.integers(0, len(WITHOUT_QUERY), len(each)), numbers.random(len(each))
    found = []
    for kind, path, chance in zip(each, paths.tolist(), chances.tolist(), strict=True):
        status, known = kinds[kind]
        why = OUTSIDE if chance < theirs else OWN
        found.append(_line(behaviour.version, f"GET {known or WITHOUT_QUERY[path]} {status}: {why}"))
    return found


@cache
def _line(version: str, message: str) -> str:
    """The same text for each line of its kind: a world that lives long stays small."""
    return json.dumps({"level": "ERROR", "version": version, "message": message})
