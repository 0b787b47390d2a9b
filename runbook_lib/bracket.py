"""The bracket around a release: scaling stands still inside it, and everything is as it was behind it.

What was before is noted in the bucket of the artifacts before anything is suspended, so that it outlives the run: a
kernel that dies inside the bracket leaves the note, and the next run, whichever it is, closes the bracket by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runbook_lib import deployment, lease, ownership, scaling, service
from runbook_lib.account import Account
from runbook_lib.planning import change
from runbook_lib.step import Plan, Step
from runbook_lib.system import System

NOTE, SUSPEND, RESUME, COUNT, FORGET = (
    "bracket.note",
    "bracket.suspend",
    "bracket.resume",
    "bracket.count",
    "bracket.forget",
)


@dataclass(frozen=True)
class Note:
    """What was before a release: how many tasks were wanted, and which kinds of scaling stood still; who noted it."""

    desired: int
    suspended: Mapping[str, bool]
    run: str
    since: datetime


def key(system: System) -> str:
    """Where the note lies in the bucket of the artifacts."""
    return f"runbook/scaling/{system.service}"


def read_note(account: Account, system: System) -> Note | None:
    """The note of a bracket that is open, None when none is, or when there is no bucket to keep one."""
    s3 = account.client("s3")
    try:
        found = s3.get_object(Bucket=system.artifacts_bucket, Key=key(system))
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        return None
    told = json.loads(found["Body"].read())
    return Note(told["desired"], told["suspended"], told["run"], found["LastModified"])


def plan_open(account: Account, system: System) -> tuple[Step, ...]:
    """The steps that note what is and suspend scaling; an older note of a killed run is kept: it knows what was."""
    target = scaling.read_target(account, system)
    found = service.read_service(account, system, system.service)
    if target is None or found is None or not system.params.release.suspend_scaling:
        why = (
            f"nothing scales {system.service}" if target is None or found is None else "release.suspend_scaling is off"
        )
        step = scaling.plan_state(system, {}, step=SUSPEND, title="Suspend scaling", needed=None)
        return (_because(step, why),)
    noted = read_note(account, system)
    told = {"desired": found.desired, "suspended": dict(target.suspended), "run": lease.here(account).run}
    note = change(
        NOTE,
        "Note what scaling was",
        "s3:put_object",
        {
            "Bucket": system.artifacts_bucket,
            "Key": key(system),
            "Body": json.dumps(told, indent=1),
            "IfNoneMatch": "*",
        },
        touches=key(system),
        needed=None if noted else f"{found.desired} tasks wanted, scaling {'suspended' if target.still else 'active'}",
        already=f"noted by {noted.run}" if noted else "",
        undo="it is deleted when the bracket is closed",
        accept=("PreconditionFailed",),
    )
    needed = None if target.still else "a scaling event in the middle of a shift fails the deployment"
    suspend = scaling.plan_state(system, scaling.SUSPENDED, step=SUSPEND, title="Suspend scaling", needed=needed)
    return note, suspend


def plan_close(account: Account, system: System) -> Plan | None:
    """The plan that lets scaling go on and gives the count back; None when no bracket is open.

    A count that is larger than before is left to scaling, or to whoever raised it: taking tasks away from a service
    under load would do harm, and one task too many does none.
    """
    noted = read_note(account, system)
    if noted is None:
        return None
    target, found = scaling.read_target(account, system), service.read_service(account, system, system.service)
    moved = target is not None and dict(target.suspended) != dict(noted.suspended)
    resume = scaling.plan_state(
        system,
        noted.suspended,
        step=RESUME,
        title="Let scaling go on as before",
        needed=f"suspended for {noted.run}" if moved else None,
    )
    now = found.desired if found else noted.desired
    count = scaling.plan_count(
        system,
        noted.desired,
        step=COUNT,
        needed=f"it is {now} and was {noted.desired} before the release" if now < noted.desired else None,
        already=f"it is {now}" + (f", more than {noted.desired}: left to scaling" if now > noted.desired else ""),
    )
    plan = Plan("Close the scaling bracket", system.name, (resume, count, _forget(system)))
    claim = next((claim for step, claim in ownership.claimed(plan, account) if step.id == COUNT), None)
    if claim is None:
        return plan
    # Scaling goes on whoever owns the service; a count is the stack's to set, and nothing may wait for a consent here.
    left = replace(count, present={}, reason=f"it is {now} and was {noted.desired}: the service belongs to {claim.by}")
    return replace(plan, steps=(resume, left, _forget(system)))


def open_because(account: Account, system: System) -> str | None:
    """Why an open bracket may not be closed by somebody else's run now; None when it may."""
    found = lease.read_lease(account, system)
    if found is not None and not found.free(account.clock.now()) and not found.belongs_to(lease.here(account)):
        return f"{found.holder} releases"
    for known in deployment.read_deployments(account, system, most=5):
        if not known.over and not deployment.read_deployment(account, system, known.id).shifted:
            return f"{known.id} still shifts the traffic"
    return None


def _forget(system: System) -> Step:
    arguments: dict[str, Any] = {"Bucket": system.artifacts_bucket, "Key": key(system)}
    return change(
        FORGET,
        "Delete the note",
        "s3:delete_object",
        arguments,
        touches=key(system),
        needed="the bracket is closed",
        undo="not needed: everything is as it was",
    )


def _because(step: Step, why: str) -> Step:
    return replace(step, reason=why, undo="-")
