"""How access logs reach their bucket: collected by interval, delivered some minutes late, if the bucket lets them in.

Sources: ELB user guide, enable-access-logging (who must be allowed to write, ELBAccessLogTestFile) and
load-balancer-access-logs (best effort). A file stands in its bucket from its delivery on; the lines of modelled
requests are made when somebody reads it, so that a busy hour whose log nobody reads costs next to nothing.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.traffic import accesslog, bucket, logfile, modelled
from runbook_lib.sandbox.traffic.accesslog import INTERVAL, File, Front, Interval, Minute, Origin, Seen, Written
from runbook_lib.sandbox.traffic.logfile import Modelled
from runbook_lib.sandbox.traffic.tally import Tally, minute_of, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.elbv2.store import LoadBalancer
    from runbook_lib.sandbox.world import World

SOONEST, LATEST = 60, 240  # seconds after the end of an interval: AWS promises nothing, these are the sandbox's figures
LETTERS = string.ascii_lowercase + string.digits
TEST_FILE = "ELBAccessLogTestFile"


def start_access_log(world: World, balancer: str, *, into: str, prefix: str) -> None:
    """Begin to write the log of a load balancer: a first file shows that the bucket lets it in."""
    key = f"{accesslog.folder(prefix, world.settings.account)}/{TEST_FILE}"
    if not bucket.lets_in(world, into, key):
        message = f"Access Denied for bucket: {into}. Please check S3bucket permission"
        raise AwsError("InvalidConfigurationRequest", message)
    text = f"Enable AccessLog for ELB: {balancer.split('/')[-2]} at {world.datetime():%Y-%m-%dT%H:%M:%S.000Z}\n"
    bucket.write(world, into, key, text.encode())


def note_minute(world: World, balancer: LoadBalancer, minute: int, tally: Tally) -> None:
    """Keep a modelled minute for the log, when there is one."""
    listener = next((one for one in modelled.production(world) if one.load_balancer == balancer.arn), None)
    if listener is not None and _enabled(balancer):
        front = Front(listener.arn, listener.protocol.lower(), balancer.dns_name.lower(), listener.port)
        _interval(world, balancer.arn, minute).minutes.append(Minute(minute, front, tally))


def note_records(world: World, balancer: LoadBalancer, seen: Iterable[Seen]) -> None:
    """Keep requests that were seen for the log, when there is one; late ones stand in the file that is open now."""
    if _enabled(balancer):
        origins = {origin.zone: origin for origin in _origins(world, balancer)}
        for record, zone, action in seen:
            line = accesslog.line(record, action, origins[zone])
            interval = _interval(world, balancer.arn, max(record.ended, minute_of(world.now)))
            interval.written.append(Written(record.ended, zone, line))


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
        minutes = [one for one in interval.minutes if any(out.node == origin.zone for out in one.tally)]
        written = sorted((one for one in interval.written if one.zone == origin.zone), key=lambda one: one.ended)
        if minutes or written:
            random = world.ids.letters("access-log", 8, LETTERS)
            key = accesslog.key_of(balancer.arn, told["access_logs.s3.prefix"], end, origin.ip, random=random)
            at = end + _lateness(world, key)
            body = (
                Modelled.of(key, minutes, origin, seed=world.settings.seed, delivered=at)
                if minutes
                else logfile.compressed((one.line for one in written), at=at)
            )
            yield File(balancer.arn, told["access_logs.s3.bucket"], key, at, body)


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
        bucket.write(world, file.bucket, file.key, file.body)
