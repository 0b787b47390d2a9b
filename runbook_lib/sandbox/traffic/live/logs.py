"""What containers write, as events of their log streams (ECS developer guide, using_awslogs)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runbook_lib.sandbox.traffic.live.hints import Hints
from runbook_lib.sandbox.traffic.live.walltime import Pace

if TYPE_CHECKING:
    from runbook_lib.sandbox.traffic.live.container import Line
    from runbook_lib.sandbox.world import World

MOST = 20_000  # lines kept of a stream: the sandbox holds them in memory
BATCH = 1000


@dataclass(frozen=True)
class Stream:
    """Where a container's output goes."""

    group: str
    name: str

    @classmethod
    def of(cls, declared: Mapping[str, Any], task_id: str) -> Stream | None:
        """The stream prefix/container/task-id; None for a container that logs elsewhere."""
        logging = declared.get("logConfiguration", {})
        options = logging.get("options", {})
        if logging.get("logDriver") != "awslogs" or "awslogs-group" not in options:
            return None
        return cls(options["awslogs-group"], f"{options.get('awslogs-stream-prefix', '')}/{declared['name']}/{task_id}")


class Logs:
    """Writes lines into the streams of CloudWatch Logs."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._kept: Counter[Stream] = Counter()

    def open(self, world: World, stream: Stream, *, create_group: bool) -> None:
        """Make a stream, as a container that starts does; one that is there stays."""
        logs = world.client("logs")
        if create_group:
            _make(logs.create_log_group, logGroupName=stream.group)
        _make(logs.create_log_stream, logGroupName=stream.group, logStreamName=stream.name)

    def write(self, world: World, stream: Stream, lines: Sequence[Line], pace: Pace) -> None:
        """Add lines to a stream; beyond what is kept of it they are dropped, and it is said."""
        room = max(0, MOST - self._kept[stream])
        if len(lines) > room:
            self._hints.say(f"{stream.name}: more than {MOST} lines; later ones are not kept")
        kept = [line for line in lines[:room] if line.text]  # an event may not be empty
        self._kept[stream] += len(kept)
        for first in range(0, len(kept), BATCH):
            self._put(world, stream, kept[first : first + BATCH], pace)

    def _put(self, world: World, stream: Stream, lines: Sequence[Line], pace: Pace) -> None:
        events = [
            {"timestamp": int(min(pace.in_world(line.at), world.now) * 1000), "message": line.text} for line in lines
        ]
        try:
            world.client("logs").put_log_events(
                logGroupName=stream.group, logStreamName=stream.name, logEvents=sorted(events, key=_time)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            self._hints.say(f"{stream.group}: the log group is gone; what containers write is lost")


def _time(event: Mapping[str, Any]) -> int:
    timestamp: int = event["timestamp"]
    return timestamp


def _make(create: Any, **names: str) -> None:
    try:
        create(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
