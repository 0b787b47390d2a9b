"""The log of a function in CloudWatch Logs: START, what it wrote, END and REPORT, where its role may write there.

Source: Lambda developer guide, python-logging and monitoring-cloudwatchlogs.  The memory used is not measured.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runbook_lib.sandbox.services.lambda_ import access
from runbook_lib.sandbox.services.lambda_.bootstrap import INNER_LINE, NOTE
from runbook_lib.sandbox.services.lambda_.store import Invocation
from runbook_lib.sandbox.services.lambda_.verdicts import Verdict

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

TAIL = 4096  # bytes that LogResult holds
SHORTEST = 0.001  # seconds

Line = tuple[float, str]  # the world's time and the text


def lines(made: Invocation, verdict: Verdict, output: str) -> list[Line]:
    """The whole log of an invocation."""
    ended = made.began + verdict.duration
    written = _written(output, made.began)
    remark = [(ended, verdict.remark)] if verdict.remark else []
    start = f"START RequestId: {made.id} Version: {made.function.version}"
    return [
        (made.began, start),
        *written,
        *remark,
        (ended, f"END RequestId: {made.id}"),
        (ended, _report(made, verdict.duration)),
    ]


def _written(output: str, now: float) -> list[Line]:
    found: list[Line] = []
    for line in output.removesuffix("\n").split("\n") if output else ():  # str.splitlines() would split at a NOTE, too
        if line.startswith(NOTE):
            now = float(line.removeprefix(NOTE))
        else:
            found.append((now, line.replace(INNER_LINE, "\n")))
    return found


def _report(made: Invocation, duration: float) -> str:
    taken = max(duration, SHORTEST) * 1000
    parts = (f"Duration: {taken:.2f} ms", f"Billed Duration: {math.ceil(taken)} ms")
    return "\t".join((f"REPORT RequestId: {made.id}", *parts, f"Memory Size: {made.function.memory} MB"))


def tail(told: list[Line]) -> str:
    """The last 4 KB of a log, as LogResult carries them."""
    text = "".join(f"{line}\n" for _, line in told).encode()
    return base64.b64encode(text[-TAIL:]).decode()


def write(world: World, made: Invocation, told: list[Line]) -> None:
    """Put a log where it belongs; a role that may not write there leaves none, and nobody is told of that."""
    group = made.function.log_group
    stream = world.arn("logs", f"log-group:{group}:log-stream:{made.log_stream}")
    grants = access.grants(world, made.function.role)
    if not (grants.allow("logs:CreateLogStream", stream) and grants.allow("logs:PutLogEvents", stream)):
        return
    may_create = grants.allow("logs:CreateLogGroup", world.arn("logs", f"log-group:{group}"))
    if not _has_group(world, group, may_create=may_create):
        return
    logs = world.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=made.log_stream)
    entries = [{"timestamp": round(time * 1000), "message": text} for time, text in told if text]
    logs.put_log_events(logGroupName=group, logStreamName=made.log_stream, logEvents=entries)


def _has_group(world: World, group: str, *, may_create: bool) -> bool:
    logs = world.client("logs")
    if may_create:
        try:
            logs.create_log_group(logGroupName=group)
        except ClientError as known:
            if known.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
        return True
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return group in [each["logGroupName"] for each in found]
