"""A query of Athena: asked as a step of a plan, awaited, and its end told in Athena's own words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from runbook_lib.account import Account
from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.step import Step, Until

LONGEST = timedelta(minutes=30)  # a query's time-out (Athena user guide, service-limits)


class NoAnswer(RunbookError):
    """A query that ended without an answer.  Whoever can go on without one catches this and says that it is missing."""


def statement(place: str, title: str, sql: str, work_group: str) -> Step:
    """A step that runs a statement and waits for its end."""
    return Step(
        id=f"athena.{sha256(sql.encode()).hexdigest()[:8]}",
        title=title,
        service="athena",
        action="start_query_execution",
        arguments={"QueryString": sql, "WorkGroup": work_group},
        touches=place,
        reason="",
        undo="",
        until=until(title.lower()),
    )


def until(what: str) -> Until:
    return Until(what, _unfinished, limit=LONGEST, every=2.0)


def _unfinished(account: Account, answer: Mapping[str, Any]) -> str | None:
    """What a statement still does; raises when it ended without success."""
    state = running(query(account, answer["QueryExecutionId"]))
    if state is None:
        ended(account, answer["QueryExecutionId"])
    return state


def running(told: Mapping[str, Any]) -> str | None:
    """What a query still does, None once it has ended, however it did."""
    state: str = told["Status"]["State"]
    return state if state in ("QUEUED", "RUNNING") else None


def scanned(told: Mapping[str, Any]) -> int:
    """The bytes that a query has read so far; 0 while Athena tells nothing of them."""
    return int(told.get("Statistics", {}).get("DataScannedInBytes", 0))


def query(account: Account, id: str) -> dict[str, Any]:
    told: dict[str, Any] = account.client("athena").get_query_execution(QueryExecutionId=id)["QueryExecution"]
    return told


def ended(account: Account, id: str) -> dict[str, Any]:
    """A query that ended well; raises with Athena's own words when it did not."""
    told = query(account, id)
    status = told["Status"]
    if status["State"] == "SUCCEEDED":
        return told
    reason = status.get("StateChangeReason", "no reason was given")
    if "scanned limit" in reason.lower():
        raise wrong(
            f"query {id}: {reason}", "a query within the cut-off of its work group", "narrow the window or raise it"
        )
    raise NoAnswer(
        where=f"Athena's query {id}",
        seen=f"{status['State']}: {reason}",
        wanted="SUCCEEDED",
        next_step="a damaged file is read by the engine DuckDB, which says which one; for anything else mend the cause",
    )


def wrong(seen: str, wanted: str, next_step: str = "correct it and run again") -> BadInput:
    return BadInput(where="Athena", seen=seen, wanted=wanted, next_step=next_step)
