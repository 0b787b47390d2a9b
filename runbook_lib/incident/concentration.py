"""Whether the harm lies on few paths: a part of the application, rather than all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook_lib.accesslog import Hurt
from runbook_lib.incident.harm import CHANCE, tail

MOST = 3  # paths: more of them are no concentration
NEARLY_ALL = 0.9  # of what was hurt: the usual failures lie anywhere
MINOR = 0.5  # of the requests: what most requests ask for is hurt most in any case


@dataclass(frozen=True)
class Concentration:
    """The few paths on which nearly all of the harm lies; shares from 0 to 1."""

    paths: tuple[str, ...]
    what: str  # failed requests or slow answers
    of_harm: float
    of_requests: float

    def __str__(self) -> str:
        much = "all" if self.of_harm == 1 else f"{100 * self.of_harm:.1f} %"
        got = "which gets" if len(self.paths) == 1 else "which get"
        where = f"{' and '.join(self.paths)}, {got} {100 * self.of_requests:.1f} % of the requests"
        return f"{much} of the {self.what} lie on {where}"


def find(paths: Sequence[Hurt], whole: Hurt, *, by_errors: bool) -> Concentration | None:
    """The fewest paths that carry nearly all of the failures (else of the slow answers), where that says something.

    None when they get most of the requests anyway, or when so much on them may be chance: a chance of less than one in
    ten thousand is wanted, if what is hurt fell on paths as requests do (Poisson, which overstates that chance).
    """

    def hurt(one: Hurt) -> int:
        return one.failed if by_errors else one.slow

    if not hurt(whole) or not whole.requests:
        return None
    worst = sorted(paths, key=lambda one: (-hurt(one), one.value))
    for many in range(1, MOST + 1):
        chosen = worst[:many]
        on_them, asked = sum(map(hurt, chosen)), sum(one.requests for one in chosen)
        if on_them >= NEARLY_ALL * hurt(whole):
            share = asked / whole.requests
            if share > MINOR or tail(on_them, hurt(whole) * share) >= CHANCE:
                return None
            what = "failed requests" if by_errors else "slow answers"
            return Concentration(tuple(one.value for one in chosen), what, on_them / hurt(whole), share)
    return None
