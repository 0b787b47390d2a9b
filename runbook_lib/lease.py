"""One writer: a release holds a lease, an object that S3 writes under a condition, so that no two release at once.

Source: S3 user guide, conditional-writes: If-None-Match and If-Match answer 412 PreconditionFailed when the object
is not as expected, 404 NoSuchKey when it has gone, and 409 ConditionalRequestConflict when writers met (tried again).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_lib.account import Account
from runbook_lib.check import Check, ask
from runbook_lib.clock import Clock
from runbook_lib.errors import CheckFailed, Refused
from runbook_lib.journal import RUN_DIRECTORY, Journal
from runbook_lib.planning import change
from runbook_lib.step import Applied, Plan, Step, apply
from runbook_lib.system import System

LENGTH = timedelta(minutes=15)  # what a killed run can cost others; a run that lives renews it while it waits
GRACE = timedelta(minutes=1)  # for an answer that is long on its way, and for what our clock drifts meanwhile
TAKE, RENEW, GIVE_BACK = "lease.take", "lease.renew", "lease.give_back"
EXPIRES = "give it back, or let it expire"
# Which process table this is: the same host name in two containers, or after a restart, is not the same place.
TABLES = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid")


@dataclass(frozen=True)
class Holder:
    """Who releases: the caller's ARN, the machine with its process table, the process and its run."""

    who: str
    host: str
    place: str
    process: int
    run: str

    def __str__(self) -> str:
        return f"{self.who} (host {self.host}, process {self.process}, run {self.run})"


@dataclass(frozen=True)
class Lease:
    """The lease as it lies in the bucket; `written` is S3's time of it by our clock, `number` counts its writings."""

    holder: Holder
    held: bool
    since: datetime
    written: datetime
    number: int
    etag: str

    @property
    def until(self) -> datetime:
        """When it expires if it is not renewed."""
        return self.written + LENGTH

    def free(self, now: datetime) -> bool:
        """Whether anybody may take it: it was given back, or it has expired."""
        return not self.held or now > self.until + GRACE

    def belongs_to(self, holder: Holder) -> bool:
        """Whether this is the holder's own: of its process, or of a dead one of the same person in the same place."""
        same = (self.holder.who, self.holder.place) == (holder.who, holder.place)
        return self.held and same and (self.holder.process == holder.process or not _lives(self.holder.process))


def here(account: Account) -> Holder:
    """The holder that this process is."""
    run = Path(os.environ.get(RUN_DIRECTORY, "")).name or "of a kernel"
    host = socket.gethostname()
    return Holder(account.who, host, " ".join((host, *map(_table, TABLES))), os.getpid(), run)


def key(system: System) -> str:
    """Where the lease of a service lies in the bucket of the artifacts."""
    return f"runbook/lease/{system.service}"


def read_lease(account: Account, system: System) -> Lease | None:
    """The lease, None while there was never one; raises CheckFailed without the bucket that keeps it."""
    try:
        return _read(account, system)
    except account.client("s3").exceptions.NoSuchBucket:
        raise CheckFailed(
            where="lease",
            seen=f"no bucket {system.artifacts_bucket}",
            wanted="the bucket of the artifacts, which keeps the lease",
            next_step="run 10_provision first",
        ) from None


def check_free(account: Account, system: System) -> Check:
    """Does nobody else release now?"""
    question, wanted = "Does nobody else release?", "nobody, or this very person"
    try:
        found = _read(account, system)
    except account.client("s3").exceptions.NoSuchBucket:
        return ask(question, True, seen="nobody: the bucket of the lease is gone", wanted=wanted)
    if found is None or found.free(account.clock.now()):
        return ask(question, True, seen="nobody", wanted=wanted)
    seen = f"{found.holder}, until {found.until:%H:%M} UTC"
    remedy = "wait for that run to end, or for its lease to expire"
    return ask(question, found.belongs_to(here(account)), seen=seen, wanted=wanted, remedy=remedy)


def _read(account: Account, system: System) -> Lease | None:
    s3 = account.client("s3")
    try:
        found = s3.get_object(Bucket=system.artifacts_bucket, Key=key(system))
    except s3.exceptions.NoSuchKey:
        return None
    told = json.loads(found["Body"].read())
    # S3's time of it, as this machine's clock would have it: a clock that is wrong must not end somebody else's lease.
    written = found["LastModified"] - account.skew(found)
    since = datetime.fromisoformat(told["since"]) if told["since"] else written
    return Lease(Holder(**told["holder"]), told["held"], since, written, told["number"], found["ETag"].strip('"'))


def plan_take(account: Account, system: System, *, by: Holder | None = None, otherwise: str = "") -> Step:
    """The step that takes the lease, or takes it up again where the same person's killed run left it.

    Raises Refused, with who holds it since and until when, while it is another's; `otherwise` is what may be done
    without it.
    """
    holder, found = by or here(account), read_lease(account, system)
    own = found is not None and found.belongs_to(holder)
    if found is not None and not own and not found.free(account.clock.now()):
        raise refused(system, found, otherwise)

    def settled(account: Account) -> Mapping[str, Any]:
        return _own_or_refused(account, system, holder, otherwise)

    return change(
        TAKE,
        "Take the lease",
        "s3:put_object",
        _writing(system, found, holder, held=True, since=found.since if found and own else None),
        touches=key(system),
        needed=_why(found, own),
        undo=EXPIRES,
        settle=dict.fromkeys(("PreconditionFailed", "NoSuchKey"), settled),
    )


def refused(system: System, found: Lease, otherwise: str = "") -> Refused:
    """Another one holds the lease: who, since when, until when, and what to do."""
    free = f"{(found.until + GRACE).strftime('%H:%M')} UTC"
    return Refused(
        where=f"lease of {system.service}",
        seen=f"held by {found.holder} since {found.since:%H:%M} UTC, until {found.until:%H:%M} UTC",
        wanted="one release at a time",
        next_step=f"wait for that run to end and run this notebook again; a run that is dead loses it after {free}"
        f"{'; ' + otherwise if otherwise else ''}; nothing was changed",
    )


@dataclass
class Keeper:
    """Holds what a run has taken: renews it while the run goes on, and gives it back at its end."""

    account: Account
    system: System
    journal: Journal
    lease: Lease | None = None  # None while nothing is held

    def taken(self, applied: Applied) -> None:
        """Keep the lease from now on, if it was among what was done."""
        if TAKE in applied.answers:
            self.lease = read_lease(self.account, self.system)

    def renew_if_due(self) -> None:
        """Renew the lease when half of it is over; raises Refused when another one has taken it over."""
        if self.lease is None or self.account.clock.now() < self.lease.written + LENGTH / 2:
            return
        # Of its own and not in the journal's count: what a reader planned are not the renewals.
        done = self._do("Renew the lease", RENEW, self.lease, held=True, journal=Journal(self.account.clock))
        # Not read again: our own clock measures well enough when half of it will be over.
        self.lease = replace(
            self.lease,
            written=self.account.clock.now(),
            number=self.lease.number + 1,
            etag=done.answers[RENEW]["ETag"].strip('"'),
        )
        self.journal.write("lease", renewed_until=self.lease.until)

    def give_back(self) -> bool:
        """Give the lease back; False when none was held."""
        if self.lease is None:
            return False
        self._do("Give the lease back", GIVE_BACK, self.lease, held=False, journal=self.journal)
        self.lease = None
        return True

    def _do(self, title: str, id: str, found: Lease, *, held: bool, journal: Journal) -> Applied:
        step = _plan_writing(self.system, found, title, id, held=held)
        return apply(Plan(title, self.system.name, (step,)), account=self.account, journal=journal)


@dataclass(frozen=True)
class KeepingClock:
    """A clock whose waiting keeps the lease: it is looked after before every wait and in long ones."""

    clock: Clock
    keep: Callable[[], None]

    def now(self) -> datetime:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        most = LENGTH.total_seconds() / 2
        while seconds > most:
            self._sleep(most)
            seconds -= most
        self._sleep(seconds)

    def idle(self) -> bool:
        return self.clock.idle()

    def _sleep(self, seconds: float) -> None:
        self.keep()
        self.clock.sleep(seconds)


def _plan_writing(system: System, found: Lease, title: str, id: str, *, held: bool) -> Step:
    def settled(account: Account) -> Mapping[str, Any]:
        # Somebody who took an expired lease over owes us nothing; without it we may not go on.
        return _own_or_refused(account, system, found.holder, "") if held else {}

    return change(
        id,
        title,
        "s3:put_object",
        _writing(system, found, found.holder, held=held, since=found.since),
        touches=key(system),
        needed="half of it is over" if held else "this run is done",
        undo=EXPIRES,
        settle=dict.fromkeys(("PreconditionFailed", "NoSuchKey"), settled),
    )


def _writing(
    system: System, found: Lease | None, holder: Holder, *, held: bool, since: datetime | None
) -> dict[str, Any]:
    """A conditional write: of what is not there yet, or over exactly what was read."""
    told = {
        "holder": asdict(holder),
        "held": held,
        "since": since.isoformat() if since else None,  # None: since this very writing, whose time S3 says
        "number": found.number + 1 if found else 1,  # a writing that changed nothing would keep the former ETag
    }
    condition = {"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}
    body = json.dumps(told, indent=1)
    return {"Bucket": system.artifacts_bucket, "Key": key(system), "Body": body, **condition}


def _own_or_refused(account: Account, system: System, holder: Holder, otherwise: str) -> Mapping[str, Any]:
    """What a failed condition means: our own writing whose answer was lost, or somebody was quicker."""
    found = read_lease(account, system)
    if found is not None and found.held and found.holder == holder:
        return {"ETag": found.etag}
    if found is not None and not found.free(account.clock.now()):
        raise refused(system, found, otherwise)
    raise Refused(
        where=f"lease of {system.service}",
        seen="it changed between reading and writing, and is free now",
        wanted="the lease as it was read",
        next_step="run this cell again, and make the plan anew before it",
    )


def _why(found: Lease | None, own: bool) -> str:
    if found is None or not found.held:
        return "one release at a time"
    if own:
        return f"ours since {found.since:%H:%M} UTC: it is taken up again"
    return f"it expired at {found.until:%H:%M} UTC and is taken over from {found.holder.who}"


def _lives(process: int) -> bool:
    """Whether a process of this place lives; a number that was given away again counts as life: that is safe."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _table(path: str) -> str:
    """What tells process tables apart; a system without it has one table for a host."""
    file = Path(path)
    if not file.exists():
        return "-"
    return os.readlink(file) if file.is_symlink() else file.read_text(encoding="ascii").strip()
