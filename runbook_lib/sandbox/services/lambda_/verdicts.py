"""How an invocation ended, from what its process left: the answer, or the error in Lambda's words.

Sources: Lambda developer guide, python-exceptions and troubleshooting-invocation; the messages of time-outs and exits
are those that Lambda answers today.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook_lib.sandbox.services.lambda_.store import Invocation

UNHANDLED = "Unhandled"
KILLED = 124  # how participants report a child that used up its time on the wall


@dataclass(frozen=True)
class Verdict:
    """The payload; Unhandled or ""; how long it took in seconds; what the log says besides the function's own lines."""

    payload: str
    error: str
    duration: float
    remark: str = ""


def judge(made: Invocation, left: Mapping[str, Any], exit_code: int, *, now: float) -> Verdict:
    """The verdict on a process that has ended."""
    if made.timed_out or left.get("timed_out") or exit_code == KILLED:
        return _timed_out(made)
    lasted = max(now - made.began, left.get("slept", 0.0))
    if "payload" not in left:
        return _exited(made, exit_code, lasted)
    return Verdict(left["payload"], UNHANDLED if "error" in left else "", lasted)


def _timed_out(made: Invocation) -> Verdict:
    text = f"Task timed out after {made.function.timeout:.2f} seconds"
    told = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {made.id} Error: {text}"}
    ended = datetime.fromtimestamp(made.began + made.function.timeout, UTC)
    remark = f"{ended:%Y-%m-%dT%H:%M:%S}.{ended.microsecond // 1000:03d}Z {made.id} {text}"
    return Verdict(json.dumps(told), UNHANDLED, made.function.timeout, remark)


def _exited(made: Invocation, exit_code: int, lasted: float) -> Verdict:
    how = f"exit status {exit_code}" if exit_code > 0 else f"signal: {signal.Signals(-exit_code).name}"
    why = f"Runtime exited with error: {how}" if exit_code else "Runtime exited without providing a reason"
    text = f"RequestId: {made.id} Error: {why}"
    told = {"errorType": "Runtime.ExitError", "errorMessage": text}
    return Verdict(json.dumps(told), UNHANDLED, lasted, f"{text}\nRuntime.ExitError")


def not_simulated(made: Invocation) -> Verdict:
    """The sandbox has no such runtime: the function fails, and its log says what would run."""
    kind = made.function.runtime or "a container image"
    text = f"The sandbox runs functions of Python's runtimes from zip files only; {made.function.name} is of {kind}"
    told = {"errorType": "Sandbox.RuntimeNotSimulated", "errorMessage": text}
    return Verdict(json.dumps(told), UNHANDLED, 0.0, text)
