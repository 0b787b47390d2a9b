"""Who was hurt, request by request: what the load balancer's access log says of the harm and the minutes beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from runbook_lib import balancer, network
from runbook_lib.accesslog import (
    NO_GROUP,
    Breakdown,
    Coverage,
    Damage,
    Engine,
    Histogram,
    Hurt,
    NoAccessLog,
    Progress,
    Reject,
    Window,
    logs_of,
    read_access_logs,
    read_damage,
)
from runbook_lib.accesslog.athena import NoAnswer
from runbook_lib.accesslog.histogram import COLUMNS
from runbook_lib.accesslog.statements import REASONS
from runbook_lib.account import Account
from runbook_lib.balancer import Balancer
from runbook_lib.incident import concentration
from runbook_lib.incident.concentration import Concentration
from runbook_lib.incident.damage import NOBODY
from runbook_lib.incident.harm import PHASES, Harm
from runbook_lib.incident.roles import Tenure, role_of
from runbook_lib.incident.told import Told, refusal
from runbook_lib.system import System
from runbook_lib.table import Table, table

SOURCE = "access logs"
BESIDE = timedelta(minutes=10)  # looked at before and after the harm
DIMENSIONS = ("path", "client", "status", "target", "zone", "user agent")
HURT = ("requests", "elb_5xx", "target_5xx", "slow")
WORST = 8  # values of a dimension that are kept
# The heat map's rows: an octave in four steps, from 1 ms to 16 s.
BOUNDS = tuple(round(2 ** (step / 4), 3) for step in range(57))


@dataclass(frozen=True)
class Served:
    """What a revision served in a role and phase: requests, failures by origin, slow answers, exact percentiles in ms.

    The revision is None where nobody remembers it, and of the role "none": what reached no target group and failed.
    """

    phase: str
    role: str
    requests: int
    elb_5xx: int
    target_5xx: int
    slow: int
    p50: float | None
    p95: float | None
    p99: float | None
    revision: str | None = None  # looks that were kept before it was told lack it


@dataclass(frozen=True)
class Heat:
    """Answers by minute and duration: `counts[minute][row]`, the rows begin at `bounds_ms`.

    `unanswered` are requests of each minute that no target answered: no duration tells of them.
    """

    minutes: tuple[datetime, ...]
    bounds_ms: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    unanswered: tuple[int, ...] = ()  # looks that were kept before it was told lack it


@dataclass(frozen=True)
class Requests:
    """The access log around the harm."""

    served: tuple[Served, ...]
    worst: dict[str, tuple[Hurt, ...]]  # dimension -> values that were hurt, the worst first
    clients: int  # that were hurt, of those that are told apart
    heat: Heat
    slow_ms: int
    said: tuple[str, ...]  # what the numbers rest on, and what is missing
    concentration: Concentration | None = None  # the few paths that nearly all of the harm lies on
    rejects: tuple[Reject, ...] = ()  # lines that were not counted: by reason how many, and one of them
    # Dimension -> the requests during the harm whose values were too many to be told apart.
    others: dict[str, Hurt] = field(default_factory=dict)

    @property
    def slow(self) -> int:
        """Answers during the harm that took longer than the objective says."""
        return sum(one.slow for one in self.served if one.phase == "during")

    def table(self) -> Table:
        """The phases and roles, one line each."""
        rows = [
            {
                "phase": one.phase,
                "role": one.role,
                "revision": one.revision,
                "requests": one.requests,
                "5xx of the load balancer": one.elb_5xx,
                "5xx of a target": one.target_5xx,
                f"slower than {self.slow_ms} ms": one.slow,
                "p50, p95, p99": f"{_ms(one.p50)}, {_ms(one.p95)}, {_ms(one.p99)}",
            }
            for one in self.served
        ]
        return table("Request by request", rows)

    def worst_table(self) -> Table:
        """The values that were hurt most, of every dimension."""
        rows = [
            {"by": name, "value": hurt.value, "requests": hurt.requests, "failed": hurt.failed, "slow": hurt.slow}
            for name, values in self.worst.items()
            for hurt in values
        ]
        where = f"; {self.concentration}" if self.concentration else ""
        return table(f"Who was hurt: {self._clients()}{where}", rows, ("by", "value", "requests", "failed", "slow"))

    def said_table(self) -> Table:
        """What these numbers rest on, and what is not in them."""
        folded = [
            f"{one.requests:,} requests of the harm, {one.failed:,} of them failed and {one.slow:,} slow, are in no "
            f"line by {name}: its values were too many to be told apart, and each may have had more than it shows."
            for name, one in self.others.items()
        ]
        return table("What the counts of the access log rest on", [{"what": one} for one in (*self.said, *folded)])

    def _clients(self) -> str:
        """How many were hurt; what was hurt is told apart first, so that those left over matter only if they were."""
        rest = self.others.get("client")
        least = "at least " if rest and (rest.failed or rest.slow) else ""
        return f"{least}{self.clients} client{'' if self.clients == 1 else 's'}"

    def rejected_table(self) -> Table:
        """The lines that were not counted, one of each kind; they hold what a client sent."""
        rows = [{"why": REASONS[one.reason], "lines": one.n, "one of them": one.sample} for one in self.rejects]
        return table("Lines of the access log that were not counted", rows, ("why", "lines", "one of them"))


@dataclass(frozen=True)
class Means:
    """How access logs are read: who counts (None: DuckDB in this process), where counts are kept, who is told of it."""

    engine: Engine | None = None
    cache: Path | None = None
    tell: Callable[[Progress], None] | None = None


def read(
    account: Account,
    system: System,
    lb: Balancer,
    window: Window,
    harm: Harm | None,
    tenures: Sequence[Tenure],
    means: Means,
) -> tuple[Requests | None, Told]:
    """The access log of the harm with ten minutes on both sides; None, with the reason, where nothing can be read."""
    from botocore.exceptions import ClientError

    if harm is None:
        return None, Told(SOURCE, missing="not read: no minute of the window hurt users")
    if lb.arn is None:
        return None, Told(SOURCE, missing=f"there is no load balancer {system.balancer}")
    stretch = Window(max(window.start, harm.start - BESIDE), min(window.end, harm.end + BESIDE))
    slow = int(system.params.objective.latency_ms)
    groups = {group.arn: name for name, group in lb.groups.items()}
    try:
        source = logs_of(account, lb.arn)
        how: dict[str, Any] = vars(means)
        counted = read_access_logs(source, stretch, **how)
        hurt = read_damage(source, Window(harm.start, harm.end), slow_ms=slow, **how)
        failed = counted.only([NO_GROUP]).elb_5xx
        shared = balancer.read_other_groups(account, lb) if failed else ()
    except (NoAccessLog, NoAnswer) as error:
        return None, Told(SOURCE, missing=f"{error.seen}; wanted: {error.wanted}; {error.next_step}")
    except ClientError as error:
        return None, Told(SOURCE, missing=refusal(error))
    # What reached no target group and failed is ours where the load balancer serves nobody else.
    ours = counted.only(groups, lost=not shared)
    own = hurt.only(groups, lost=not shared)
    clients = own.by("client")
    first, *missing = counted.coverage.sentences()
    missing += _not_counted(counted, groups, shared)
    lost = (
        f"{failed:,} requests reached no target group and got a 5xx: counted as ours, with the role {NOBODY}, for the"
    )
    counts = f"{first} Counted is {stretch}: the minutes of the harm, and at most ten on both sides."
    said = (counts, *((f"{lost} load balancer serves nobody else.",) if failed and not shared else ()), *missing)
    found = Requests(
        served=_served(ours, harm, tenures, groups, slow),
        worst=_worst(own, network.read_zones(account, lb.arn)),
        clients=len([one for one in clients.values if one.failed or one.slow]),
        heat=_heat(ours, stretch),
        slow_ms=slow,
        said=said,
        concentration=concentration.find(
            own.by("path").values, _whole(own.by("status")), by_errors="errors" in harm.by
        ),
        rejects=tuple(_rejects(counted.coverage)),
        others={name: one.others for name, one in _breakdowns(own) if not one.exact},
    )
    return found, Told(SOURCE, missing=" ".join(missing))


def _not_counted(counted: Histogram, groups: Mapping[str, str], shared: Sequence[str]) -> Iterator[str]:
    """What the log holds beside ours: of other services behind the same load balancer (`shared`), or nobody's."""
    others = counted.only(set(counted.groups) - set(groups) - {NO_GROUP}).requests
    if others:
        yield f"{others:,} requests went to target groups of other services: they are not counted here."
    nobody = counted.only([NO_GROUP])
    if shared and nobody.elb_5xx:
        yield (
            f"{nobody.elb_5xx:,} requests reached no target group and got a 5xx: whose they were the log does not say, "
            f"{', '.join(shared)} is served too."
        )
    if nobody.requests > nobody.elb_5xx:
        well = nobody.requests - nobody.elb_5xx
        yield f"{well:,} requests reached no target group and did not fail, such as redirects: they are not counted."


def _served(
    found: Histogram, harm: Harm, tenures: Sequence[Tenure], groups: Mapping[str, str], slow: int
) -> tuple[Served, ...]:
    """By phase, role and revision: cut where a phase or a role begins or ends."""
    window = found.window
    moments = (harm.start, harm.end, *(at for other in harm.others for at in (other.start, other.end)))
    harms = {at for at in moments if window.start < at < window.end}
    edges = sorted({window.start, window.end, *harms, *_edges(tenures, window)})
    parts: dict[tuple[int, str, str], list[tuple[str, datetime, datetime]]] = {}
    for start, end in pairwise(edges):
        phase = harm.phase(start)
        for arn, name in groups.items():
            tenure = role_of(tenures, name, start)
            if tenure:
                parts.setdefault((phase, tenure.role, tenure.revision or ""), []).append((arn, start, end))
        parts.setdefault((phase, NOBODY, ""), []).append((NO_GROUP, start, end))
    told = []
    for (phase, role, revision), pieces in sorted(parts.items()):
        own = [found.only([arn]).between(start, end) for arn, start, end in pieces]
        merged = _joined(found, own)
        if merged.requests:
            told.append(_of(merged, PHASES[phase], role, revision or None, slow))
    return tuple(told)


def _edges(tenures: Sequence[Tenure], window: Window) -> set[datetime]:
    """The first whole minutes of each role: where one begins is still the former role's, as in the metrics."""
    starts = {Window(window.start, tenure.since).end for tenure in tenures if tenure.since > window.start}
    return {at for at in starts if window.start < at < window.end}


def _joined(whole: Histogram, parts: Sequence[Histogram]) -> Histogram:
    from dataclasses import replace

    import numpy

    columns: dict[str, Any] = {name: numpy.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return replace(whole, **columns)


def _of(found: Histogram, phase: str, role: str, revision: str | None, slow: int) -> Served:
    p50, p95, p99 = (found.percentile(percent) for percent in (50, 95, 99))
    counts = (found.requests, found.elb_5xx, found.target_5xx, found.slow(slow))
    return Served(phase, role, *counts, p50, p95, p99, revision)


def _breakdowns(hurt: Damage) -> Iterator[tuple[str, Breakdown]]:
    """By each dimension of the log itself; zones are those of targets."""
    return ((name, hurt.by(name.replace(" ", "_"))) for name in DIMENSIONS if name != "zone")


def _worst(hurt: Damage, zones: Mapping[str, str]) -> dict[str, tuple[Hurt, ...]]:
    found = {name: hurt.by_zone(zones) if name == "zone" else hurt.by(name.replace(" ", "_")) for name in DIMENSIONS}
    return {name: breakdown.worst(WORST) for name, breakdown in found.items()}


def _whole(every: Breakdown) -> Hurt:
    """All of the requests: each has one status."""
    parts = (*every.values, every.others)
    return Hurt("all", *(sum(getattr(part, name) for part in parts) for name in HURT))


def _rejects(coverage: Coverage) -> Iterator[Reject]:
    """Every reason with all its lines, and the first of the samples."""
    for reason, many in sorted(coverage.rejected.items()):
        yield Reject(reason, many, next(one.sample for one in coverage.rejects if one.reason == reason))


def _heat(found: Histogram, stretch: Window) -> Heat:
    import numpy

    first = int(stretch.start.timestamp()) // 60
    many = int((stretch.end - stretch.start).total_seconds()) // 60
    answered = found.ms >= 0
    rows = numpy.searchsorted(BOUNDS, numpy.maximum(found.ms[answered], 1), side="right") - 1
    counts = numpy.zeros((many, len(BOUNDS)), dtype="i8")
    numpy.add.at(counts, (found.minute[answered] - first, rows), found.n[answered])
    minutes = tuple(stretch.start + timedelta(minutes=number) for number in range(many))
    unanswered = numpy.zeros(many, dtype="i8")
    numpy.add.at(unanswered, found.minute[~answered] - first, found.n[~answered])
    return Heat(minutes, BOUNDS, tuple(tuple(row) for row in counts.tolist()), tuple(unanswered.tolist()))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
