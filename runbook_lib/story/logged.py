"""A release of the past in the load balancer's access logs: both colours request by request, with their clients.

Files come every five minutes and some minutes late, "eventual and best effort" (ELB user guide, load-balancer-access-
logs). Of a release under way they only tell what was ten minutes ago; afterwards they are the best witness, for
they know the clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runbook_lib import deployment
from runbook_lib.accesslog import (
    Damage,
    Window,
    logs_of,
    read_access_logs,
    read_damage,
)
from runbook_lib.account import Account
from runbook_lib.analysis import LOGS, Cells, Observed, Weight
from runbook_lib.balancer import Balancer
from runbook_lib.deployment import Deployment
from runbook_lib.errors import BadInput
from runbook_lib.incident.told import refusal
from runbook_lib.views.axis import Roles

if TYPE_CHECKING:
    from runbook_lib.accesslog import Hurt

LATE = timedelta(seconds=LOGS.lag_seconds)
MINUTE = timedelta(minutes=1)
SLOW_PERCENT = 95
WORST = 3  # paths that are named


@dataclass(frozen=True)
class Path:
    """A path of the application with what failed on it during the shift: (failed, requests) of both colours."""

    path: str
    green: tuple[int, int]
    blue: tuple[int, int]

    @property
    def excess(self) -> float:
        """Failed requests of green beyond what blue's rate on the same path would have made."""
        failed, requests = self.blue
        return self.green[0] - (self.green[1] * failed / requests if requests else 0.0)

    def __str__(self) -> str:
        (green_failed, green), (blue_failed, blue) = self.green, self.blue
        told = f"{self.path}: {green_failed} of {green} of green failed ({green_failed / max(1, green):.2%})"
        return f"{told}, {blue_failed} of {blue} of blue ({blue_failed / max(1, blue):.2%})"


@dataclass(frozen=True)
class Logged:
    """What access logs tell of a shift, or why they cannot.

    `observed` is None where they cannot; `said` tells why, or what it rests on. `paths` are those on which green
    failed more often than blue, the worst first.
    """

    observed: Observed | None
    said: tuple[str, ...]
    paths: tuple[Path, ...] = ()


def read(
    account: Account, lb: Balancer, who: Roles, found: Deployment, end: datetime, *, slow_ms: float | None
) -> Logged:
    """The requests of a deployment's shift by minute, colour and client, until `end` at most.

    `slow_ms` is the limit of what is slow, blue's p95; None: it is counted first, for which the files are read twice.
    """
    from botocore.exceptions import ClientError

    if lb.arn is None:
        return Logged(None, ("there is no load balancer",))
    if gone := [name for name in (who.blue, who.green) if name not in lb.groups]:
        return Logged(None, (f"there is no target group {' and no '.join(gone)}",))
    began = found.began("AllowTraffic")
    if began is None:
        return Logged(None, ("no production traffic was moved",))
    steps = deployment.read_steps(account, found)
    weights = tuple(Weight(began + after, percent / 100) for after, percent in steps)
    alone = next((weight.at for weight in weights if weight.green == 1.0), end)
    first, last = _minute(began), _minute(min(alone, end))
    if last <= first:
        return Logged(None, ("both versions had traffic at the same time for less than a minute",))
    there = _minute(account.clock.now() - LATE)
    if there <= first:
        return Logged(None, (f"files come up to {_minutes(LATE)} minutes late: {_again(first + MINUTE)}",))
    late = (f"what came after {there:%H:%M} UTC may not be there yet: {_again(last)}",) if there < last else ()
    last = min(last, there)
    blue, green = (lb.groups[name].arn for name in (who.blue, who.green))
    try:
        source = logs_of(account, lb.arn)
        window = Window(first, last)
        limit = slow_ms or read_access_logs(source, window).only([blue]).percentile(SLOW_PERCENT)
        if limit is None:
            return Logged(None, (f"no target of {who.blue} answered in {window}",))
        damage = read_damage(source, window, slow_ms=round(limit))
    except BadInput as error:  # there is none to read, or more than can be read here
        return Logged(None, (f"{error.seen}; {error.next_step}",))
    except ClientError as error:  # the metrics are judged all the same
        return Logged(None, (refusal(error),))
    ours = damage.only([blue, green])
    observed = Observed(LOGS, until=last, cells=cells(ours, green), weights=weights, slow_ms=float(damage.slow_ms))
    return Logged(observed, (*damage.coverage.sentences(), *late), _paths(ours, blue=blue, green=green))


def cells(damage: Damage, green: str) -> Cells:
    """The counts by client as the judge reads them; clients that were not kept apart are the number -1."""
    import numpy as np

    mine = damage.dimension == "client"
    numbers: dict[str, int] = {}
    clients = [-1 if who is None else numbers.setdefault(who, len(numbers)) for who in damage.value[mine].tolist()]
    return Cells(
        at=damage.minute[mine] * 60.0,
        green=damage.group[mine] == green,
        client=np.array(clients, dtype=np.int64),
        requests=damage.n[mine].astype(float),
        failed=(damage.elb_5xx + damage.target_5xx)[mine].astype(float),
        slow=damage.slow[mine].astype(float),
    )


def _paths(damage: Damage, *, blue: str, green: str) -> tuple[Path, ...]:
    colours: list[Mapping[str, Hurt]] = [
        {one.value: one for one in damage.only([group]).by("path").values} for group in (green, blue)
    ]
    found = [Path(name, _failed(colours[0], name), _failed(colours[1], name)) for name in colours[0]]
    worse = sorted((one for one in found if one.excess >= 1), key=lambda one: (-one.excess, one.path))
    return tuple(worse[:WORST])


def _failed(colour: Mapping[str, Hurt], path: str) -> tuple[int, int]:
    hurt = colour.get(path)
    return (hurt.failed, hurt.requests) if hurt else (0, 0)


def _again(minute: datetime) -> str:
    return f"ask again after {minute + LATE:%H:%M} UTC"


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
