"""Access logs as a busy load balancer writes them, with everything known that a reader should find in them.

Numbers are drawn first, by numpy from a seed, and counted; lines are written from them afterwards.  So the truth does
not depend on any reader.  Run as a program it fills a folder and ends: `python -m tests.logs_made FOLDER LINES`.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ELB = "app/orders/50dc6c495c0c9188"
ACCOUNT, REGION = "111122223333", "us-east-1"
GROUPS = (
    f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/orders-a/1111aaaa2222bbbb",
    f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/orders-b/3333cccc4444dddd",
)
NODES = ("198.51.100.20", "198.51.100.21")
TARGETS = (("10.0.1.21:8080", "10.0.2.151:8080"), ("10.0.1.163:8080", "10.0.2.172:8080"))
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "okhttp/4.12.0",
    "probe \\x22quoted\\x22, with spaces",
    "-",
)
PATHS = ("/", "/orders", "/orders/7", "/orders/8/lines", "/search", "/basket", "/static/app.js", "/health", "/a%20b")
QUERIES = ("", "?page=2", "?q=blue%20green&sort=price", "")
KINDS = (
    ("https", "HTTP/1.1", "TLS_AES_128_GCM_SHA256 TLSv1.3"),
    ("h2", "HTTP/2.0", "TLS_AES_128_GCM_SHA256 TLSv1.3"),
    ("wss", "HTTP/1.1", "TLS_AES_128_GCM_SHA256 TLSv1.3"),
    ("grpcs", "HTTP/2.0", "TLS_AES_128_GCM_SHA256 TLSv1.3"),
    ("http", "HTTP/1.1", "- -"),
)
HOST = "orders.example.test"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/12345678-1234-4234-8234-123456789012"
# What came of a request: share, status of the balancer, status of the target, reached a group, the target answered.
OUTCOMES = (
    (0.955, 200, 200),
    (0.020, 404, 404),
    (0.004, 500, 500),
    (0.003, 502, None),  # a target broke the connection
    (0.002, 504, None),
    (0.002, 503, None),  # no target to send it to
    (0.002, 460, None),  # the client went away
    (0.009, 301, None),  # a rule's redirect: no group
    (0.003, 400, None),  # malformed: no rule, no group
)
WITHOUT_GROUP, WITHOUT_TARGET = (301, 400), (301, 400, 503)
BAD = ("quote", "cut", "garbage")  # a raw quote in the user agent, a line cut short, something else altogether

Key = tuple[int, str, int]  # minute since the epoch, group, milliseconds of the target (-1: it did not answer)


@dataclass(frozen=True)
class Recipe:
    """What is to be made: `bad` is the share of each kind of bad line, `old` the share of lines of 29 fields."""

    seed: int
    lines: int
    minutes: int = 60
    clients: int = 5000
    bad: float = 0.0
    old: float = 0.0
    more: float = 0.0  # the share of lines with fields that nobody knows yet
    packed: bool = True
    level: int = 6
    nodes: tuple[str, ...] = NODES


@dataclass
class Truth:
    """What a reader should find."""

    histogram: Counter[Key] = field(default_factory=Counter)  # requests
    elb_5xx: Counter[Key] = field(default_factory=Counter)
    target_5xx: Counter[Key] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    # (dimension, value) -> requests, and requests that failed
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    milliseconds: dict[tuple[int, str], list[int]] = field(default_factory=dict)  # answered, by minute and group
    files: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Draw:
    """The numbers of a file: one array a property, one element a line."""

    micros: np.ndarray  # since the epoch
    group: np.ndarray
    target: np.ndarray
    outcome: np.ndarray
    took: np.ndarray  # milliseconds
    client: np.ndarray
    path: np.ndarray
    query: np.ndarray
    agent: np.ndarray
    kind: np.ndarray
    bad: np.ndarray  # 0: good, else 1 + place in BAD
    shape: np.ndarray  # 0: 34 fields, 1: 29, 2: 36


def make(recipe: Recipe, folder: Path, *, detailed: bool = True) -> Truth:
    """Write the files of a recipe below `folder` as they lie in a bucket; `detailed` counts clients and paths too."""
    truth, intervals = Truth(), max(1, recipe.minutes // 5)
    shares = np.array_split(np.arange(recipe.lines), intervals * len(recipe.nodes))
    for number, share in enumerate(shares):
        interval, node = divmod(number, len(recipe.nodes))
        rng = np.random.default_rng([recipe.seed, number])
        end = START + timedelta(minutes=5 * (interval + 1))
        drawn = draw(rng, len(share), recipe, end - timedelta(minutes=min(5, recipe.minutes)))
        path = folder / key(end, recipe.nodes[node], f"{number:08x}", packed=recipe.packed)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(lines(drawn, rng, recipe.nodes[node])).encode()
        path.write_bytes(gzip.compress(text, recipe.level, mtime=0) if recipe.packed else text)
        count(truth, drawn, detailed=detailed)
        truth.files.append(path)
    return truth


def key(end: datetime, node: str, random: str, *, packed: bool = True, balancer: str = ELB) -> str:
    """The key of a file, without a prefix of the bucket (ELB user guide, load-balancer-access-logs)."""
    name = f"{ACCOUNT}_elasticloadbalancing_{REGION}_{balancer.replace('/', '.')}_{end:%Y%m%dT%H%MZ}_{node}_{random}"
    folder = f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/{end:%Y/%m/%d}"
    return f"{folder}/{name}.log{'.gz' if packed else ''}"


def draw(rng: np.random.Generator, number: int, recipe: Recipe, start: datetime) -> Draw:
    """The numbers of a file that begins at `start`: a canary of 10 % is shifted after a third of the time."""
    base = int(start.timestamp()) * 1_000_000
    micros = np.sort(rng.integers(base, base + min(5, recipe.minutes) * 60_000_000, number))
    shift = int(START.timestamp() + recipe.minutes * 20) * 1_000_000
    group = (rng.random(number) < np.where(micros < shift, 0.1, 0.9)).astype(np.int64)
    shares = np.array([share for share, *_ in OUTCOMES])
    outcome = rng.choice(len(OUTCOMES), number, p=shares / shares.sum())
    bad = np.where(rng.random(number) < recipe.bad * len(BAD), rng.integers(1, len(BAD) + 1, number), 0)
    chance = rng.random(number)
    return Draw(
        micros=micros,
        group=group,
        target=rng.integers(0, len(TARGETS[0]), number),
        outcome=outcome,
        took=np.minimum(rng.lognormal(3.2 + 0.2 * group, 0.9, number).astype(np.int64), 59_999),
        client=np.minimum(rng.zipf(1.3, number), recipe.clients),
        path=rng.integers(0, len(PATHS), number),
        query=rng.integers(0, len(QUERIES), number),
        agent=rng.integers(0, len(AGENTS), number),
        kind=rng.choice(len(KINDS), number, p=(0.6, 0.35, 0.01, 0.02, 0.02)),
        bad=bad,
        shape=np.where(chance < recipe.old, 1, np.where(chance > 1 - recipe.more, 2, 0)),
    )


def client(number: int) -> str:
    """The address of a client: one in eight has IPv6."""
    high, low = divmod(number, 250)
    return f"2001:db8::{high:x}:{low:x}" if number % 8 == 0 else f"203.{high % 250}.113.{low}"


def lines(drawn: Draw, rng: np.random.Generator, node: str) -> Iterator[str]:
    """The lines of a file."""
    number = len(drawn.micros)
    chance = rng.bytes(28 * number).hex()
    ports = rng.integers(1024, 65535, number).tolist()
    minutes: dict[int, str] = {}
    columns = zip(
        drawn.micros.tolist(),
        drawn.group.tolist(),
        drawn.target.tolist(),
        drawn.outcome.tolist(),
        drawn.took.tolist(),
        drawn.client.tolist(),
        drawn.path.tolist(),
        drawn.query.tolist(),
        drawn.agent.tolist(),
        drawn.kind.tolist(),
        drawn.bad.tolist(),
        drawn.shape.tolist(),
        ports,
        strict=True,
    )
    for at, (micros, group, target, outcome, took, who, path, query, agent, kind, bad, shape, port) in enumerate(
        columns
    ):
        _, status, answered = OUTCOMES[outcome]
        name, protocol, cipher = KINDS[kind]
        arn = "-" if status in WITHOUT_GROUP else GROUPS[group]
        where = "-" if status in WITHOUT_TARGET else TARGETS[group][target]
        code = answered or "-"
        times = f"0.001 {took / 1000:.3f} 0.000" if answered else "-1 -1 -1"
        ended, began = stamp(micros, minutes), stamp(micros - 1000 * took, minutes)
        said = 'raw " quote' if bad == 1 else AGENTS[agent]
        secure = f'"{HOST}" "{CERTIFICATE}"' if cipher != "- -" else '"-" "-"'
        trace = chance[56 * at : 56 * at + 24]
        done = "redirect" if status == 301 else "forward" if arn != "-" else "-"
        line = (
            f"{name} {ended} {ELB} {client(who)}:{port} {where} {times} {status} {code} {100 + took} {1000 + took} "
            f'"GET https://{HOST}:443{PATHS[path]}{QUERIES[query]} {protocol}" "{said}" {cipher} {arn} '
            f'"Root=1-69a55c36-{trace}" {secure} 0 {began} "{done}" "-" "-" "{where}" "{code}" "-" "-"'
        )
        if shape != 1:
            line += f' TID_{chance[56 * at + 24 : 56 * at + 56]} "-" "-" "-" {node}'
        if shape == 2:
            line += ' "a new field" -'
        if bad == 2:
            line = line[: 20 + took % 300]
        elif bad == 3:
            line = f"?? {trace} not a line of a log"
        yield line + "\n"


def stamp(micros: int, minutes: dict[int, str]) -> str:
    """A time as the log writes it."""
    minute, rest = divmod(micros, 60_000_000)
    text = minutes.get(minute)
    if text is None:
        text = minutes[minute] = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M}"
    second, micro = divmod(rest, 1_000_000)
    return f"{text}:{second:02d}.{micro:06d}Z"


def count(truth: Truth, drawn: Draw, *, detailed: bool) -> None:
    """Add what the lines of a file say, counted from the numbers."""
    status = np.array([one[1] for one in OUTCOMES])[drawn.outcome]
    answered = np.array([one[2] or 0 for one in OUTCOMES])[drawn.outcome]
    group = np.where(np.isin(status, WITHOUT_GROUP), len(GROUPS), drawn.group)
    took = np.where(answered > 0, drawn.took, -1)
    good = drawn.bad == 0
    names = (*GROUPS, "-")
    minute = drawn.micros // 60_000_000
    elb, own = (status >= 500) & (answered == 0), answered >= 500
    for counter, chosen in ((truth.histogram, good), (truth.elb_5xx, good & elb), (truth.target_5xx, good & own)):
        rows, numbers = np.unique(np.stack([minute, group, took])[:, chosen], axis=1, return_counts=True)
        for (at, one, ms), n in zip(rows.T.tolist(), numbers.tolist(), strict=True):
            counter[at, names[one], ms] += n
    truth.bad.update(BAD[one - 1] for one in drawn.bad[~good].tolist())
    if detailed:
        _count_values(truth, drawn, status, answered, good)
        for at, one, ms in zip(minute[good].tolist(), group[good].tolist(), took[good].tolist(), strict=True):
            if ms >= 0:
                truth.milliseconds.setdefault((at, names[one]), []).append(ms)


def _count_values(truth: Truth, drawn: Draw, status: np.ndarray, answered: np.ndarray, good: np.ndarray) -> None:
    for at in np.flatnonzero(good).tolist():
        own, target = int(status[at]), int(answered[at])
        where = "-" if own in WITHOUT_TARGET else TARGETS[drawn.group[at]][drawn.target[at]]
        values = {
            "path": PATHS[drawn.path[at]],
            "client": client(int(drawn.client[at])),
            "status": f"{own}/{target or '-'}",
            "target": where,
            "user_agent": AGENTS[drawn.agent[at]],
        }
        truth.requests.update(values.items())
        if own >= 500:
            truth.failed.update(values.items())


if __name__ == "__main__":
    made = make(Recipe(seed=1, lines=int(sys.argv[2])), Path(sys.argv[1]), detailed=False)
    sys.stdout.write(f"{sum(made.histogram.values())} lines in {len(made.files)} files\n")
