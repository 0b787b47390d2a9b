"""Asynchronous invocations: queued, run, and tried again when the function fails.

Source: Lambda developer guide, invocation-async-error-handling: two more attempts, after one minute and after two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runbook_lib.sandbox.services.lambda_ import functions, running
from runbook_lib.sandbox.services.lambda_.store import Invocation

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

QUEUED = 0.1  # seconds until an event of the queue reaches its function
PAUSES = (60.0, 120.0)


def send(world: World, name: str, event: str, *, qualifier: str = "") -> str:
    """Let a function be invoked with an event (JSON) in a moment; gives the id of the request."""
    id = world.ids.uuid("lambda-request")
    world.after(QUEUED, "lambda.begin", name, qualifier, event, id, 0)
    return id


def begin(world: World, name: str, qualifier: str, event: str, id: str, attempt: int) -> None:
    """Handler lambda.begin: runs the function; one that was deleted meanwhile runs no more."""
    function = functions.find(world, name, qualifier)
    if function is not None:
        running.begin(world, function, event, waits=True, id=id, attempt=attempt)


def over(world: World, made: Invocation, error: str) -> None:
    """Handler lambda.over: a function that failed is tried again as often as its configuration says."""
    if error and made.attempt < min(_retries(world, made), len(PAUSES)):
        own = made.function
        again = (own.name, own.qualifier, made.event, made.id, made.attempt + 1)
        world.after(PAUSES[made.attempt], "lambda.begin", *again)


def _retries(world: World, made: Invocation) -> int:
    try:
        found = world.client("lambda").get_function_event_invoke_config(FunctionName=made.function.name)
    except ClientError as none:
        if none.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return len(PAUSES)
    return int(found.get("MaximumRetryAttempts", len(PAUSES)))
