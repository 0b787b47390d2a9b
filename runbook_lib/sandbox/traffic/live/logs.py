"""What containers write, as events of their log streams (ECS developer guide, using_awslogs)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox.traffic.live.hints import Hints
from runbook_lib.sandbox.traffic.live.walltime import Pace
from runbook_lib.sandbox.traffic.stream import Stream

if TYPE_CHECKING:
    from runbook_lib.sandbox.traffic.live.container import Line
    from runbook_lib.sandbox.world import World

MOST = 20_000  # lines kept of a stream: the sandbox holds them in memory
BATCH = 1000


class Logs:
    """What is kept of the lines that containers write."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._kept: Counter[Stream] = Counter()

    def events(self, stream: Stream, lines: Sequence[Line], pace: Pace) -> list[list[Any]]:
        """Lines as [milliseconds, text]; beyond what is kept of a stream they are dropped, and it is said."""
        room = max(0, MOST - self._kept[stream])
        if len(lines) > room:
            self._hints.say(f"{stream.name}: more than {MOST} lines; later ones are not kept")
        kept = [line for line in lines[:room] if line.text]  # an event may not be empty
        self._kept[stream] += len(kept)
        return [[int(pace.in_world(line.at) * 1000), line.text] for line in kept]


def open_stream(world: World, group: str, name: str, *, create_group: bool) -> bool:
    """Make a stream, as a container that starts does, one that is there stays; whether its group is there."""
    logs = world.client("logs")
    if create_group:
        _done(logs.create_log_group, logGroupName=group)
    return _done(logs.create_log_stream, logGroupName=group, logStreamName=name)


def write(world: World, group: str, name: str, events: Sequence[Sequence[Any]]) -> bool:
    """Add [milliseconds, text] to a stream; whether there is one: its group may have been deleted meanwhile."""
    ordered = sorted(({"timestamp": at, "message": text} for at, text in events), key=_time)
    put = world.client("logs").put_log_events
    return all(
        _done(put, logGroupName=group, logStreamName=name, logEvents=ordered[first : first + BATCH])
        for first in range(0, len(ordered), BATCH)
    )


def _time(event: Mapping[str, Any]) -> int:
    timestamp: int = event["timestamp"]
    return timestamp


def _done(call: Any, **wanted: Any) -> bool:
    """Whether a call found its group; what is there already is no error."""
    try:
        call(**wanted)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("ResourceAlreadyExistsException", "ResourceNotFoundException"):
            raise
        return bool(code != "ResourceNotFoundException")
    return True
