"""How access logs reach their bucket: collected by interval, delivered some minutes late, if the bucket lets them in.

Sources: ELB user guide, enable-access-logging (who must be allowed to write, ELBAccessLogTestFile) and
load-balancer-access-logs (best effort). A file counts as delivered when its event has come; its content is made when
somebody first looks into the bucket, so that a busy hour whose log nobody reads costs nothing.
"""

from __future__ import annotations

import gzip
import string
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.traffic import accesslog, bucket, modelled, synthesis
from runbook_lib.sandbox.traffic.accesslog import INTERVAL, File, Front, Interval, Minute, Origin, Seen
from runbook_lib.sandbox.traffic.tally import Tally, minute_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import LoadBalancer
    from runbook_lib.sandbox.world import World

SOONEST, LATEST = 60, 240  # seconds after the end of an interval: AWS promises nothing, these are the sandbox's figures
LETTERS = string.ascii_lowercase + string.digits
LEVEL = 3  # of compression
TEST_FILE = "ELBAccessLogTestFile"


def start_access_log(world: World, balancer: str, *, into: str, prefix: str) -> None:
    """Begin to write the log of a load balancer: a first file shows that the bucket lets it in."""
    key = f"{accesslog.folder(prefix, world.settings.account)}/{TEST_FILE}"
    if not bucket.lets_in(world, into, key):
        message = f"Access Denied for bucket: {into}. Please check S3bucket permission"
        raise AwsError("InvalidConfigurationRequest", message)
    text = f"Enable AccessLog for ELB: {balancer.split('/')[-2]} at {world.datetime():%Y-%m-%dT%H:%M:%S.000Z}\n"
    bucket.write(world, into, key, text.encode(), at=world.now)


def note_minute(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> None:
    """Keep a modelled minute for the log, when there is one."""
    listener = next((one for one in modelled.production(world) if one.load_balancer == balancer.arn), None)
    if listener is not None and _enabled(balancer):
        front = Front(listener.arn, listener.protocol.lower(), balancer.dns_name.lower(), listener.port)
        _interval(world, balancer.arn, minute).minutes.append(Minute(minute, front, tally))


def note_records(world: World, balancer: LoadBalancer, seen: Iterable[Seen]) -> None:
    """Keep requests that were seen for the log, when there is one; late ones stand in the file that is open now."""
    if _enabled(balancer):
        for one in seen:
            _interval(world, balancer.arn, max(one[0].ended, minute_of(world.now))).seen.append(one)


def _enabled(balancer: LoadBalancer) -> bool:
    return balancer.attributes["access_logs.s3.enabled"] == "true"


def _interval(world: World, balancer: str, at: float) -> Interval:
    end = (int(at) // INTERVAL + 1) * INTERVAL
    return store(world).intervals.setdefault((balancer, end), Interval())


def close_intervals(world: World) -> None:
    """Let the files of the intervals that are over be delivered."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    kept = store(world).intervals
    for arn, end in sorted(key for key in kept if key[1] <= world.now):
        interval, balancer = kept.pop((arn, end)), elbv2.store(world).load_balancers.get(arn)
        if balancer is not None and _enabled(balancer):
            for file in _files(world, balancer, end, interval):
                world.at(file.delivered, "traffic.deliver", file, background=True)


def _files(world: World, balancer: LoadBalancer, end: int, interval: Interval) -> Iterator[File]:
    """One for each node that served anything."""
    told = balancer.attributes
    for origin in _origins(world, balancer):
        minutes = tuple(one for one in interval.minutes if any(out.node == origin.zone for out in one.tally))
        seen = tuple(one for one in interval.seen if one[1] == origin.zone)
        if minutes or seen:
            random = world.ids.letters("access-log", 8, LETTERS)
            key = accesslog.key_of(balancer.arn, told["access_logs.s3.prefix"], end, origin.ip, random=random)
            at = end + _lateness(world, key)
            where = told["access_logs.s3.bucket"]
            yield File(balancer.arn, where, key, at, world.settings.seed, origin, minutes, seen)


def _lateness(world: World, key: str) -> float:
    if not world.settings.realism:
        return 0.0
    return float(modelled.generator(world, f"{key}/delivery").integers(SOONEST, LATEST))


def _origins(world: World, balancer: LoadBalancer) -> list[Origin]:
    from runbook_lib.sandbox.services.ecs.store import store as ecs
    from runbook_lib.sandbox.services.elbv2 import dimension, listeners_of

    named = listeners_of(world, balancer.arn)
    certificates = {listener.arn: listener.certificates[0] for listener in named if listener.certificates}
    nodes = [ecs(world).interfaces[one] for one in balancer.interfaces]
    elb = dimension(balancer.arn)
    return [Origin(elb, node.zone, node.public_ip or node.ip, certificates) for node in nodes]


def deliver(world: World, file: File) -> None:
    """Event: a file reaches its bucket, unless its log was ended or the bucket keeps it out."""
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    balancer = elbv2.store(world).load_balancers.get(file.balancer)
    logging = balancer is not None and _enabled(balancer)
    if logging and bucket.lets_in(world, file.bucket, file.key):
        store(world).files.append(file)


def write_what_is_due(world: World, operation: str, url: str) -> None:
    """Before S3 is asked for the objects of a bucket: write the files that have been delivered to it."""
    kept = store(world)
    if not kept.files or operation not in bucket.LOOKS_AT_OBJECTS:
        return
    due = {file.key: file for file in kept.files if file.bucket in url or operation in bucket.COPIES}
    kept.files = [file for file in kept.files if file.key not in due]
    for file in due.values():
        bucket.write(world, file.bucket, file.key, content(file), at=file.delivered)


def content(file: File) -> bytes:
    """The file as it is stored: its lines in the order of their times, compressed."""
    seen = sorted(file.seen, key=lambda one: one[0].ended)
    lines = [accesslog.line(record, action, file.origin) for record, _, action in seen]
    for minute in file.minutes:
        lines += synthesis.lines(minute, file.origin, seed=file.seed)
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), LEVEL, mtime=int(file.delivered))
