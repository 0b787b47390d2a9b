"""Requests made up for a modelled minute: counted again, they give its tally exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from runbook_lib.sandbox.traffic.accesslog import MICRO, Minute, Origin, filled, form, took
from runbook_lib.sandbox.traffic.record import Record
from runbook_lib.sandbox.traffic.tally import MINUTE, Outcome

# Blocks that are set aside for documentation (RFC 5737), so that they are nobody's.
CLIENTS = tuple(f"{block}.{host}" for block in ("192.0.2", "198.51.100") for host in range(1, 101))
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
    "okhttp/4.12.0",
    "curl/8.5.0",
)
PATHS = ("/orders", "/orders", "/orders?sort=item", "/", "/")  # what the sample application answers
WITHOUT_QUERY = tuple(path.partition("?")[0] for path in PATHS)
SHARES = {path: WITHOUT_QUERY.count(path) / len(PATHS) for path in WITHOUT_QUERY}
PORTS = (32_768, 61_000)  # from which clients call
RECEIVED = 160  # bytes of a request beside its path and agent
SENT = {2: 320, 4: 150, 5: 170}  # bytes of an answer, by the family of its status
TRACE_DIGITS = 24


class Caller(NamedTuple):
    """Who asked."""

    client: str
    trace: str


def lines(minute: Minute, origin: Origin, *, seed: int) -> Iterator[str]:
    """The lines of the requests of a minute that one node served, in the order in which they ended."""
    import numpy

    tally = minute.tally
    served = [(outcome, counts) for outcome, counts in tally.items() if outcome.node == origin.zone and counts.any()]
    if not served:
        return
    numbers = _generator(f"{seed}/{minute.front.listener}/{minute.start}/{origin.zone}")
    times = numpy.concatenate([numpy.repeat(numpy.arange(len(counts)), counts) for _, counts in served])
    which = numpy.repeat(numpy.arange(len(served)), [int(counts.sum()) for _, counts in served])
    ends = numbers.integers(0, MINUTE * MICRO, len(times))
    order = numpy.argsort(ends, kind="stable")
    alike: dict[tuple[int, int, int], str] = {}
    drawn = zip(*(found[order].tolist() for found in (which, times, ends)), *_callers(numbers, len(times)), strict=True)
    for number, ms, end, client, port, path, digits in drawn:
        outcome, kind = served[number][0], (number, client % len(AGENTS), path)
        if kind not in alike:
            asked = outcome.path or PATHS[path]
            alike[kind] = form(_example(minute, outcome, AGENTS[kind[1]], asked), outcome.action, origin)
        ended = minute.start * MICRO + end
        began = ended - ms * 1000
        caller = Caller(f"{CLIENTS[client]}:{port}", f"Root=1-{began // MICRO:08x}-{digits}")
        yield filled(
            alike[kind], (ended, began, took(ms / 1000 if outcome.target_status else None)), caller, origin.elb
        )


def _generator(what: str) -> Any:
    import numpy

    return numpy.random.default_rng(int.from_bytes(hashlib.sha256(what.encode()).digest()[:16], "big"))


def _callers(numbers: Any, many: int) -> tuple[list[Any], ...]:
    """Client, port and path of each request, and the digits of its trace."""
    digits = numbers.bytes(many * TRACE_DIGITS // 2).hex()
    return (
        numbers.integers(0, len(CLIENTS), many).tolist(),
        numbers.integers(*PORTS, many).tolist(),
        numbers.integers(0, len(PATHS), many).tolist(),
        [digits[at : at + TRACE_DIGITS] for at in range(0, many * TRACE_DIGITS, TRACE_DIGITS)],
    )


def _example(minute: Minute, outcome: Outcome, agent: str, path: str) -> Record:
    """A request with this outcome, as many others are."""
    front, passed = minute.front, 0.0 if outcome.target_status else None
    return Record(
        listener=front.listener,
        rule_priority=0,
        group=outcome.group or None,
        target=None if outcome.target == "-" else outcome.target,
        client="",
        kind=front.kind,
        method="GET",
        url=f"{front.kind}://{front.host}:{front.port}{path}",
        protocol="HTTP/1.1",
        user_agent=agent,
        began=minute.start,
        ended=minute.start,
        request_processing=passed,
        target_processing=passed,
        response_processing=passed,
        status=outcome.status,
        target_status=outcome.target_status or None,
        received_bytes=RECEIVED + len(path) + len(agent),
        sent_bytes=SENT.get(outcome.status // 100, 0),
        trace="",
    )
