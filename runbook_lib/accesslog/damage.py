"""Who and what was hurt: requests by path, client, status, target, node and user agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog.histogram import NO_GROUP
from runbook_lib.accesslog.statements import DIMENSIONS
from runbook_lib.accesslog.window import Window
from runbook_lib.errors import BadInput
from runbook_lib.suggest import did_you_mean

if TYPE_CHECKING:
    import numpy

    from runbook_lib.accesslog.coverage import Coverage
    from runbook_lib.accesslog.merging import Rows


@dataclass(frozen=True)
class Hurt:
    """Requests that have a value in common: how many, how many failed and whose fault it was, how many were slow."""

    value: str
    requests: int
    elb_5xx: int
    target_5xx: int
    slow: int

    @property
    def failed(self) -> int:
        return self.elb_5xx + self.target_5xx


@dataclass(frozen=True)
class Breakdown:
    """The requests by one dimension, the worst first.

    `others` are requests of values that were too many to be kept apart (`folded` of them, counted by file and minute);
    what is hurt is kept before what is not.  While `folded` is 0 every number is exact; else a value may have had
    more requests than it shows, at most those of `others`.
    """

    dimension: str
    values: tuple[Hurt, ...]
    others: Hurt
    folded: int

    @property
    def exact(self) -> bool:
        return self.folded == 0

    def worst(self, number: int) -> tuple[Hurt, ...]:
        """The first of them that were hurt at all."""
        return tuple(one for one in self.values if one.failed or one.slow)[:number]


@dataclass(frozen=True)
class Damage:
    """Rows of (minute, group, dimension, value) with requests, failures and slow answers, as columns of one length.

    `minute` is minutes since the epoch; a value None stands for the values that were folded.
    """

    minute: numpy.ndarray
    group: numpy.ndarray
    dimension: numpy.ndarray
    value: numpy.ndarray
    n: numpy.ndarray
    elb_5xx: numpy.ndarray
    target_5xx: numpy.ndarray
    slow: numpy.ndarray
    folded: numpy.ndarray
    slow_ms: int
    window: Window
    coverage: Coverage

    def by(self, dimension: str) -> Breakdown:
        """The requests by path, client, status, target, node or user_agent."""
        if dimension not in DIMENSIONS:
            raise BadInput(
                seen=f"dimension {dimension}",
                wanted=f"one of {', '.join(DIMENSIONS)}",
                next_step=did_you_mean(dimension, list(DIMENSIONS), otherwise="name one of them"),
            )
        return _breakdown(self, dimension, lambda value: value)

    def by_zone(self, subnets: Mapping[str, str]) -> Breakdown:
        """The requests by the zone of their target: `subnets` is CIDR -> zone.

        "-" is no target, "?" one in no such subnet, or what is no address with a port (10.0.1.21:80, [2001:db8::1]:80).
        """
        networks = [(ip_network(cidr), zone) for cidr, zone in subnets.items()]

        def zone(target: str) -> str:
            if target == "-":
                return "-"
            try:
                address = ip_address(target.rpartition(":")[0].removeprefix("[").removesuffix("]"))
            except ValueError:  # nobody checks this field when a line is read
                return "?"
            return next((name for network, name in networks if address in network), "?")

        return replace(_breakdown(self, "target", zone), dimension="zone")

    def only(self, groups: Iterable[str], *, lost: bool = False) -> Damage:
        """The requests of these target groups (ARNs); with `lost` as Histogram.only has it."""
        import numpy

        wanted = set(groups)
        nobodys = self.group == NO_GROUP
        chosen = numpy.array([name in wanted for name in self.group.tolist()], dtype=bool)
        if not lost or NO_GROUP in wanted:
            return self._where(chosen)
        # A row sums up what failed and what did not, such as a redirect.
        failures = replace(self, n=numpy.where(nobodys, self.elb_5xx, self.n))
        return failures._where(chosen | (nobodys & (self.elb_5xx > 0)))

    def between(self, start: datetime, end: datetime) -> Damage:
        """The requests of these minutes, the last exclusive."""
        narrower = Window(start.astimezone(UTC), end.astimezone(UTC))
        first, behind = (int(at.timestamp()) // 60 for at in (narrower.start, narrower.end))
        return replace(self._where((self.minute >= first) & (self.minute < behind)), window=narrower)

    def _where(self, chosen: Any) -> Damage:
        import numpy

        mask = numpy.asarray(chosen, dtype=bool)
        return replace(self, **{name: getattr(self, name)[mask] for name in COLUMNS})


SUMS = ("n", "elb_5xx", "target_5xx", "slow")
COLUMNS = ("minute", "group", "dimension", "value", *SUMS, "folded")


def as_damage(rows: Rows, window: Window, slow_ms: int, coverage: Coverage) -> Damage:
    """The merged rows of the question; those that only tell of rejected lines have no minute and are not among them."""
    return Damage(
        minute=rows.minutes(),
        group=rows.texts("grp"),
        dimension=rows.texts("dimension"),
        value=rows.texts("value"),
        **{name: rows[name] for name in (*SUMS, "folded")},
        slow_ms=slow_ms,
        window=window,
        coverage=coverage,
    )


def _breakdown(damage: Damage, dimension: str, name: Callable[[str], str]) -> Breakdown:
    chosen = damage.dimension == dimension
    sums: dict[str | None, list[int]] = {}
    columns = [getattr(damage, column)[chosen].tolist() for column in ("value", *SUMS)]
    for value, *numbers in zip(*columns, strict=True):
        into = sums.setdefault(None if value is None else name(value), [0] * len(SUMS))
        for place, number in enumerate(numbers):
            into[place] += number
    others = Hurt("others", *sums.pop(None, [0] * len(SUMS)))
    values = sorted((Hurt(str(value), *numbers) for value, numbers in sums.items()), key=_order)
    return Breakdown(dimension, tuple(values), others, int(damage.folded[chosen].sum()))


def _order(one: Hurt) -> tuple[int, int, int, str]:
    return -one.failed, -one.slow, -one.requests, one.value
