"""What a look at the outside found, as plain data, and how it comes into the world.

It is the only way in: a world that is served again is told the same reports at the same times (sandbox/following.py),
and what really runs then is not asked. So nothing here may look at a process, a clock or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import traffic
from runbook_lib.sandbox.services.elbv2.health import Answer
from runbook_lib.sandbox.traffic.live import logs
from runbook_lib.sandbox.traffic.live.store import store
from runbook_lib.sandbox.traffic.record import Record

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

HANDLER = "live.report"
FIELDS = tuple(one.name for one in fields(Record))


@dataclass
class Report:
    """Lists of plain values, in the order in which they are told to the world; times are the world's."""

    begun: list[list[Any]] = field(default_factory=list)  # [ARN of a task, [[log group, stream, make the group] ...]]
    refused: list[list[Any]] = field(default_factory=list)  # [ARN, why it cannot start]
    written: list[list[Any]] = field(default_factory=list)  # [log group, stream, [[milliseconds, text] ...]]
    exited: list[list[Any]] = field(default_factory=list)  # [ARN, container, exit code]
    gone: list[str] = field(default_factory=list)  # ARNs: the last process of the task has ended
    checked: list[list[Any]] = field(default_factory=list)  # [group, address, port, when begun, status, silent]
    served: list[list[Any]] = field(default_factory=list)  # the values of a Record
    sent: list[list[Any]] = field(default_factory=list)  # [when, milliseconds, status, trouble, version]

    def told(self) -> dict[str, Any]:
        """What there is to tell, as JSON; empty when nothing happened."""
        return {name: value for name, value in vars(self).items() if value}

    def add_request(self, record: Record) -> None:
        """A request that the load balancer served."""
        self.served.append([getattr(record, name) for name in FIELDS])


def bring(world: World, content: Mapping[str, Any]) -> None:
    """Handler: let what was found happen in the world."""
    for name, into in PARTS.items():
        if content.get(name):
            into(world, content[name])


def _begun(world: World, found: list[list[Any]]) -> None:
    from runbook_lib.sandbox.services import ecs

    for _, streams in found:
        for group, name, create in streams:
            _note_log(world, group, logs.open_stream(world, group, name, create_group=create))
    arns = [arn for arn, _ in found]
    _answered(world, arns)
    ecs.processes_started(world, arns)


def _refused(world: World, found: list[list[Any]]) -> None:
    from runbook_lib.sandbox.services import ecs

    for arn, reason in found:
        _answered(world, [arn])
        ecs.processes_refused(world, arn, reason)


def _answered(world: World, arns: list[str]) -> None:
    for arn in arns:
        store(world).asked.pop(arn, None)


def _written(world: World, found: list[list[Any]]) -> None:
    for group, stream, events in found:
        _note_log(world, group, logs.write(world, group, stream, events))


def _note_log(world: World, group: str, there: bool) -> None:
    if not there:
        store(world).lost[group] = None


def _exited(world: World, found: list[list[Any]]) -> None:
    from runbook_lib.sandbox.services import ecs

    for arn, container, code in found:
        ecs.container_exited(world, arn, container, code)


def _gone(world: World, found: list[str]) -> None:
    from runbook_lib.sandbox.services import ecs

    for arn in found:
        ecs.processes_gone(world, arn)


def _checked(world: World, found: list[list[Any]]) -> None:
    from runbook_lib.sandbox.services.elbv2 import observing

    for group, ip, port, begun, status, silent in found:
        observing.check_made(world, group, ip=ip, port=port, begun=begun, answer=Answer(0.0, status, silent=silent))
    load = store(world).load
    if load.begun is None and _any_healthy(world):
        load.begun = world.now


def _any_healthy(world: World) -> bool:
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    return any(one.state == "healthy" for group in elbv2.store(world).targets.values() for one in group.values())


def _served(world: World, found: list[list[Any]]) -> None:
    from runbook_lib.sandbox.services.elbv2 import store as elbv2

    known = elbv2.store(world).listeners
    by_balancer: dict[str, list[Record]] = {}
    for values in found:
        record = Record(*values)
        if record.listener in known:
            by_balancer.setdefault(known[record.listener].load_balancer, []).append(record)
    for arn, records in by_balancer.items():
        traffic.observe(world, arn, records)


def _sent(world: World, found: list[list[Any]]) -> None:
    for values in found:
        store(world).load.add(*values)


PARTS: Mapping[str, Callable[[World, Any], None]] = {
    "begun": _begun,
    "refused": _refused,
    "written": _written,
    "exited": _exited,
    "gone": _gone,
    "checked": _checked,
    "served": _served,
    "sent": _sent,
}
