"""Counting witnesses: what of the requests speaks for or against green, colour against colour at equal time.

Only times at which both colours had traffic count. Where clients are known, errors of one client in a short window are
one witness: of single requests the first of them, of counts by minute all of them together, which came from green to
the part that they tell. Where clients are not known, requests are counted by closed minutes: given how many requests
each colour had in a minute, the errors of green among all errors are drawn without replacement, which scatters less
than the coin that the evidence supposes (Hoeffding 1963, theorem 4), so a minute's own share may stand for the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from runbook_lib.analysis.evidence import Tally
from runbook_lib.analysis.observed import Cells, ClosedMinute, Observed, Role, Rows, Weight, moment, share_at
from runbook_lib.analysis.settings import Settings

MINUTE = 60
SETTLES = 30  # seconds after a step of the shift was due in which the weights may still move
STRANGE = 5.0  # standard deviations by which an observed share may differ from the weight before it is believed instead
TRIMMED = 0.1  # of the pairs of minutes, those that differ most, are left out: an outage begins or ends there
# What is left of the mean of a chi-square with one degree of freedom without its largest tenth.
LEFT = 0.623
TINY = 1e-9  # of a request: a sum of nothing is divided by it


@dataclass(frozen=True)
class Sample:
    """One colour: its requests, how many of them were bad, and how many of those are witnesses of their own.

    `alike_requests` and `alike_bad` are both again with each time counted as much for the one colour as for the other
    (see _sample): so many requests tell as much about the colour's rate.
    """

    requests: float
    bad: float
    counted: float
    alike_requests: float
    alike_bad: float

    @property
    def rate(self) -> float | None:
        """The share of bad requests at equal time, 0 to 1; None without requests."""
        return self.alike_bad / self.alike_requests if self.alike_requests else None


@dataclass(frozen=True)
class Counts:
    """The witnesses of one question, in the order of their looks, with what had been seen at each look.

    Arrays have one entry a look: when (seconds since 1970), requests of green so far, and how much higher its rate of
    bad requests was than blue's so far, at equal time. `strict` says that clients were unknown, `slow_ms` how many
    milliseconds a request took at least that is bad for being slow (None: the bad ones failed).
    """

    tally: Tally
    at: np.ndarray
    green_requests: np.ndarray
    rise: np.ndarray
    green: Sample
    blue: Sample
    strict: bool
    notes: tuple[str, ...] = ()
    slow_ms: float | None = None


@dataclass(frozen=True)
class Comparable:
    """Requests at times when both colours had traffic, with the share of green at each; `clients` may be told apart."""

    rows: Rows
    share: np.ndarray
    clients: bool
    notes: tuple[str, ...]


def comparable(observed: Observed, settings: Settings) -> Comparable:
    """The requests that can be compared, and whether their clients are known."""
    found = _until(observed.rows, observed.until.timestamp()) if observed.rows is not None else _cut(_EMPTY, _NONE)
    share, notes = _shares(observed, found)
    keep = (share > 0) & (share < 1)
    kept = _cut(found, keep)
    clients, note = _clients(kept, settings)
    return Comparable(kept, share[keep], clients, (*notes, *note))


def count_rows(found: Comparable, bad: np.ndarray, asked: np.ndarray, settings: Settings) -> Counts:
    """The witnesses among requests with known clients; `asked` are those that the question is about."""
    rows = found.rows
    green, blue = rows.green & asked, ~rows.green & asked
    witnesses = np.flatnonzero(bad & asked)
    witnesses = witnesses[_first_of_clients(rows, witnesses, settings.client_window_seconds)]
    came_from_green = rows.green[witnesses]
    rise = _rates(1 - found.share, green, green & bad) - _rates(found.share, blue, blue & bad)
    return Counts(
        tally=Tally(came_from_green.astype(float), np.ones(len(witnesses)), found.share[witnesses]),
        at=rows.at[witnesses],
        green_requests=np.cumsum(green)[witnesses],
        rise=rise[witnesses],
        green=_sample(1 - found.share, green, green & bad, came_from_green.sum()),
        blue=_sample(found.share, blue, blue & bad, (~came_from_green).sum()),
        strict=False,
        notes=found.notes,
    )


def count_cells(found: Cells, bad: np.ndarray, weights: Sequence[Weight], notes: Sequence[str] = ()) -> Counts:
    """The witnesses among counts by minute and client: the bad requests of a client in a minute are one.

    What the same client meets in the next minute belongs to it, for a burst does not end with the minute. Which of its
    requests was first is not known: the witness came from green to the part of them that did. If both versions
    fail equally often, that part is green's share on average, and a bet r**x is at most 1 + x*(r-1) in between: the
    winnings stay what the evidence promises.
    """
    starts, minute = np.unique(found.at, return_inverse=True)
    green = np.bincount(minute, weights=found.requests * found.green, minlength=len(starts))
    both = np.bincount(minute, weights=found.requests, minlength=len(starts))
    share = np.maximum(green / np.maximum(both, 1), _highest(starts, weights))
    kept = np.flatnonzero((share < 1) & (green > 0) & (green < both))
    place = np.full(len(starts), -1)
    place[kept] = np.arange(len(kept))
    some = np.flatnonzero((bad > 0) & (place[minute] >= 0))
    pairs, pair = np.unique(np.stack([minute[some], found.client[some]]), axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    from_green = np.bincount(pair, weights=bad[some] * found.green[some]) / np.bincount(pair, weights=bad[some])
    counts = _anew(starts[pairs[0]], pairs[1])
    looks = place[pairs[0][counts]]
    tally = Tally(
        np.bincount(looks, weights=from_green[counts], minlength=len(kept)),
        np.bincount(looks, minlength=len(kept)).astype(float),
        share[kept],
    )
    green_bad, all_bad = (
        np.bincount(minute, weights=counted, minlength=len(starts))[kept] for counted in (bad * found.green, bad)
    )
    green, both = green[kept], both[kept]
    blue, blue_bad, seen = both - green, all_bad - green_bad, green / both
    return Counts(
        tally=tally,
        at=starts[kept] + MINUTE,
        green_requests=np.cumsum(green),
        rise=_rates(1 - seen, green, green_bad) - _rates(seen, blue, blue_bad),
        green=_sample(1 - seen, green, green_bad, tally.green.sum()),
        blue=_sample(seen, blue, blue_bad, (tally.total - tally.green).sum()),
        strict=False,
        notes=tuple(notes),
    )


def told_apart(found: Cells, settings: Settings) -> tuple[bool, tuple[str, ...]]:
    """Whether the clients of cells can be told apart, with what is to be noted about them."""
    if not len(found.at):
        return True, ()
    known = found.client >= 0
    cells = np.unique(np.stack([found.at[known], found.client[known]]), axis=1)
    distinct, requests = len(np.unique(cells[1])), float(found.requests[known].sum())
    busy = requests / max(1, cells.shape[1]) * settings.client_window_seconds / MINUTE
    if distinct < settings.least_clients or busy > settings.most_per_client:
        return False, (_too_few(distinct, busy, settings),)
    lost = float(found.failed[~known].sum())
    return True, ((f"{lost:.0f} failed requests are of clients that were too many to keep apart",) if lost else ())


def cells_as_minutes(found: Cells) -> tuple[ClosedMinute, ...]:
    """Cells whose clients cannot be told apart, as closed minutes."""
    colours: tuple[tuple[Role, np.ndarray], ...] = (("green", found.green), ("blue", ~found.green))
    sums = (
        (start, role, [float(column[(found.at == start) & own].sum()) for column in counted])
        for start in np.unique(found.at).tolist()
        for role, own in colours
        for counted in [(found.requests, found.failed, found.slow)]
    )
    return tuple(
        ClosedMinute(moment(start), role, requests, own_errors=failed, unanswered=0.0, slow=slow)
        for start, role, (requests, failed, slow) in sums
    )


def count_minutes(
    minutes: Iterable[ClosedMinute], bad: Callable[[ClosedMinute], float | None], notes: Sequence[str] = ()
) -> Counts:
    """The witnesses among closed minutes; `bad` counts a minute's bad requests, None where it cannot be known.

    Minutes in which one colour had no requests say how much blue scatters, and nothing else.
    """
    known: dict[datetime, dict[str, tuple[float, float]]] = {}
    for minute in minutes:
        found = bad(minute)
        if found is not None and minute.requests > 0:
            known.setdefault(minute.at, {})[minute.role] = (minute.requests, found)
    blue_alone = [both["blue"] for _, both in sorted(known.items()) if "blue" in both]
    pairs = [(at, *both["green"], *both["blue"]) for at, both in sorted(known.items()) if len(both) == 2]
    at = np.array([start.timestamp() + MINUTE for start, *_ in pairs])
    green, green_bad, blue, blue_bad = np.array([row[1:] for row in pairs], dtype=float).reshape(-1, 4).T
    dispersion = scatter(np.array(blue_alone, dtype=float).reshape(-1, 2))
    with np.errstate(invalid="ignore"):
        share = green / (green + blue)
    return Counts(
        tally=Tally(green_bad, green_bad + blue_bad, share, dispersion),
        at=at,
        green_requests=np.cumsum(green),
        rise=_rates(1 - share, green, green_bad) - _rates(share, blue, blue_bad),
        green=_sample(1 - share, green, green_bad, green_bad.sum() / dispersion),
        blue=_sample(share, blue, blue_bad, blue_bad.sum() / dispersion),
        strict=True,
        notes=tuple(notes),
    )


def _sample(weight: np.ndarray, requests: np.ndarray, bad: np.ndarray, counted: float) -> Sample:
    """One colour, each request with a weight: the other colour's share at its time.

    Over a shift green has most of the late requests and blue of the early ones: where errors come at one time, the
    plain shares differ although both fail alike. With these weights each time counts as much for the one as for the
    other; they are those of Mantel and Haenszel (1959), by which the evidence compares too. Weighed sums tell as much
    as counts in a unit of the mean weight, each request weighed by its own (the effective size of Kish, 1965); bad
    ones that came when the weight was high scatter more, and the larger of the two means is the unit.
    """
    unit = max(_mean(weight, requests), _mean(weight, bad)) or 1.0
    return Sample(
        requests=float(requests.sum()),
        bad=float(bad.sum()),
        counted=float(counted),
        alike_requests=float((weight * requests).sum() / unit),
        alike_bad=float((weight * bad).sum() / unit),
    )


def _mean(weight: np.ndarray, counts: np.ndarray) -> float:
    """The mean weight of what was counted, each weighed by its own; 0 where nothing was."""
    weighed = (weight * counts).sum()
    return float((weight * weight * counts).sum() / weighed) if weighed else 0.0


def _rates(weight: np.ndarray, requests: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """A colour's share of bad requests up to each time, weighed as in _sample."""
    return np.cumsum(weight * bad) / np.maximum(np.cumsum(weight * requests), TINY)


def scatter(minutes: np.ndarray) -> float:
    """How many times more the minutes (requests, bad ones) scatter than chance would; at least 1.

    Neighbours are compared, so that a slow drift does not count, and the tenth of the pairs that differ most is left
    out. Few pairs know it badly: one standard error of the estimate is added.
    """
    requests, bad = minutes[:, 0], minutes[:, 1]
    rate = bad / requests
    both = (bad[1:] + bad[:-1]) / (requests[1:] + requests[:-1])
    chance = both * (1 - both) * (1 / requests[1:] + 1 / requests[:-1])
    some = chance > 0
    ratios = np.sort((np.diff(rate)[some]) ** 2 / chance[some])
    kept = ratios[: len(ratios) - int(TRIMMED * len(ratios))]
    if not len(kept):
        return 1.0
    left = LEFT if len(kept) < len(ratios) else 1.0
    return max(1.0, float(kept.mean() / left * caution(len(kept))))


def caution(pairs: int) -> float:
    """By how much the scatter that so few pairs of minutes showed is raised: one standard error."""
    return 1 + (2 / max(1, pairs)) ** 0.5


def as_minutes(found: Comparable, until: float, slow_ms: float | None) -> tuple[ClosedMinute, ...]:
    """Requests without known clients as closed minutes, with the slow ones counted where a limit is known."""
    rows = found.rows
    number = (rows.at // MINUTE).astype(np.int64)
    closed = [minute for minute in np.unique(number).tolist() if (minute + 1) * MINUTE <= until]
    colours: tuple[tuple[Role, np.ndarray], ...] = (("green", rows.green), ("blue", ~rows.green))
    return tuple(
        _minute(rows, (number == minute) & colour, moment(minute * MINUTE), role, slow_ms)
        for minute in closed
        for role, colour in colours
    )


def slow_requests(minute: ClosedMinute, limit_ms: float) -> float | None:
    """How many requests of a minute took longer than a limit: counted, or read off between its percentiles.

    Between two percentiles the logarithm of the time grows evenly with the logarithm of what lies above it; beyond the
    last one the tail goes on with the last slope. None without percentiles.
    """
    if minute.slow is not None:
        return minute.slow
    points = sorted((ms, percent) for percent, ms in minute.percentiles if ms > 0 and percent < 100)
    if not points:
        return None
    times = np.log([ms for ms, _ in points])
    above = np.log([1 - percent / 100 for _, percent in points])
    at = np.log(limit_ms)
    if at > times[-1] and len(points) > 1 and times[-1] > times[-2]:
        slope = (above[-1] - above[-2]) / (times[-1] - times[-2])
        return float(minute.requests * np.exp(above[-1] + slope * (at - times[-1])))
    return float(minute.requests * np.exp(np.interp(at, times, above)))


def _minute(rows: Rows, some: np.ndarray, at: datetime, role: Role, slow_ms: float | None) -> ClosedMinute:
    return ClosedMinute(
        at=at,
        role=role,
        requests=float(some.sum()),
        own_errors=float((some & rows.failed).sum()),
        unanswered=0.0,
        slow=None if slow_ms is None else float((some & (rows.latency_ms > slow_ms)).sum()),
    )


_EMPTY = Rows(*(np.empty(0, dtype=kind) for kind in (float, bool, np.int64, bool, float)))
_NONE = np.empty(0, dtype=bool)


def _cut(rows: Rows, keep: np.ndarray) -> Rows:
    return Rows(rows.at[keep], rows.green[keep], rows.client[keep], rows.failed[keep], rows.latency_ms[keep])


def _until(rows: Rows, until: float) -> Rows:
    return _cut(rows, rows.at <= until)


def _shares(observed: Observed, rows: Rows) -> tuple[np.ndarray, tuple[str, ...]]:
    """Green's share at each request: its weight; where the requests say otherwise (sticky clients), what they say."""
    if not observed.weights:
        _, minute = np.unique(rows.at // MINUTE, return_inverse=True)
        requests, green = np.bincount(minute), np.bincount(minute, weights=rows.green)
        return (green / np.maximum(requests, 1))[minute], ()
    share, notes = share_at(observed.weights, rows.at), []
    for weight in np.unique(share):
        step = share == weight
        count, seen = step.sum(), rows.green[step].mean()
        if abs(seen - weight) * count > STRANGE * max(1.0, (count * weight * (1 - weight)) ** 0.5) and 0 < weight < 1:
            share[step] = seen
            notes.append(f"green had {seen:.1%} of the requests while its weight was {weight:.1%}: the former is used")
    return share, tuple(notes)


def _clients(rows: Rows, settings: Settings) -> tuple[bool, tuple[str, ...]]:
    """Whether clients can be told apart, and the reason when not."""
    if not len(rows):
        return True, ()
    if (rows.client < 0).any():
        return False, ("clients are not known: closed minutes are counted, with the stricter limit",)
    windows = np.unique(np.stack([rows.client, (rows.at // settings.client_window_seconds).astype(np.int64)]), axis=1)
    distinct, busy = len(np.unique(rows.client)), len(rows) / windows.shape[1]
    if distinct < settings.least_clients or busy > settings.most_per_client:
        return False, (_too_few(distinct, busy, settings),)
    return True, ()


def _too_few(distinct: int, busy: float, settings: Settings) -> str:
    told = f"{distinct} clients with {busy:.0f} requests each in {settings.client_window_seconds:g} s"
    return f"{told}: too few to tell them apart; closed minutes are counted, with the stricter limit"


def _anew(at: np.ndarray, client: np.ndarray) -> np.ndarray:
    """Which of these (minute, client), in order of time, count: not those of a client that counted a minute before."""
    counted: dict[int, float] = {}
    keep = np.zeros(len(at), dtype=bool)
    for place, (start, who) in enumerate(zip(at.tolist(), client.tolist(), strict=True)):
        if start - counted.get(who, -np.inf) > MINUTE:
            counted[who] = start
            keep[place] = True
    return keep


def _highest(starts: np.ndarray, weights: Sequence[Weight]) -> np.ndarray:
    """The highest weight that green had in a minute in which its weight moves; 0 in all others.

    Errors may have come when green's part was largest: its share of the whole minute would make them evidence.
    """
    highest = np.zeros(len(starts))
    for weight in weights:
        at = weight.at.timestamp()
        moves = (at < starts + MINUTE) & (at + SETTLES > starts)
        highest[moves] = np.maximum(highest[moves], weight.green)
    return highest


def _first_of_clients(rows: Rows, witnesses: np.ndarray, window: float) -> np.ndarray:
    """Which of the bad requests count: a client's first, and the next one a window later."""
    counted: dict[int, float] = {}
    keep = np.zeros(len(witnesses), dtype=bool)
    pairs = zip(rows.client[witnesses].tolist(), rows.at[witnesses].tolist(), strict=True)
    for place, (client, at) in enumerate(pairs):
        if at - counted.get(client, -np.inf) >= window:
            counted[client] = at
            keep[place] = True
    return keep
