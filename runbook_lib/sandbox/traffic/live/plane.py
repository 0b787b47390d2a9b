"""What really runs beside a world: the tasks' processes, the load balancer, the checks and the load.

It belongs to this process, not to the world, and is never saved: after a world was loaded its tasks are started anew.
The owner of the world looks at it ten times a second; in between everything flows by itself.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox import visiting
from runbook_lib.sandbox.clocks import ScaledClock
from runbook_lib.sandbox.services.ecs import secrets
from runbook_lib.sandbox.services.elbv2 import store as elbv2
from runbook_lib.sandbox.traffic.live import balancer, door, ports, reading, report, seen, walltime
from runbook_lib.sandbox.traffic.live.balancer import Balancer
from runbook_lib.sandbox.traffic.live.checks import Checks, Finding
from runbook_lib.sandbox.traffic.live.container import Exit, Line
from runbook_lib.sandbox.traffic.live.door import Door
from runbook_lib.sandbox.traffic.live.hints import Hints
from runbook_lib.sandbox.traffic.live.image import CannotStart
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.load import Load
from runbook_lib.sandbox.traffic.live.ports import LOOPBACK, Ports
from runbook_lib.sandbox.traffic.live.report import Report
from runbook_lib.sandbox.traffic.live.store import store
from runbook_lib.sandbox.traffic.live.tasks import Given, Tasks
from runbook_lib.sandbox.traffic.live.walltime import Pace
from runbook_lib.sandbox.traffic.stream import Stream
from runbook_lib.sandbox.visiting import Found

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

LOOK = 0.1  # seconds of the wall between two looks
SUSPICIOUS = 5  # checks that nobody answers, before a hint is given
SILENT = 2  # the same of those that were waited for
SETTLES = 1.0  # seconds of the wall in which traefik goes over to a configuration, while the world stands still
RESUMED = 10.0  # seconds of the wall that tasks get to listen again, before traffic flows without them
UP = ("ACTIVATING", "RUNNING", "DEACTIVATING")
KILLED = 137  # 128 + SIGKILL


class Plane:
    """The live side of one world."""

    def __init__(self, world: World, clock: ScaledClock, *, tell: Callable[[str, Any], None], url: str = "") -> None:
        balancer.program()  # refused now, not when the first listener comes
        self.clock, self._tell = clock, tell
        folder, scale = Path(tempfile.mkdtemp(prefix="sandbox-live-")), clock.scale
        self._folder, self._leash, self._ports, self.hints = folder, Leash(folder), Ports(), Hints()
        self.door = Door(url)
        self.tasks = Tasks(self._leash, folder, ports=self._ports, hints=self.hints, scale=scale)
        self.checks = Checks()
        self.load = Load(self._leash, folder, rate=world.settings.requests_per_second)
        self.balancer: Balancer | None = None
        self._next = Report()  # what will be told at the next look
        self._entrances: dict[str, str] = {}  # listener -> entrance
        self._open_from: dict[str, int] = {}  # listener -> the configuration from which it is served
        self._unanswered: dict[str, int] = {}
        self._number = 0

    # ---- the tasks

    def start_task(self, world: World, task: Task, given: Given) -> None:
        """Start the containers of a task; what came of it is told at the next look."""
        try:
            self.tasks.start(world, task, given, endpoint=self.door.url)
        except CannotStart as error:
            self._next.refused.append([task.arn, error.reason])
        else:
            self._next.begun.append([task.arn, self.tasks.opened(task.arn)])

    def stop_task(self, world: World, arn: str) -> None:
        """Let a task end, as soon as the load balancer sends it nothing any more."""
        if arn not in self.tasks:
            self._next.gone.append(arn)
            return
        self._follow(world)
        self.tasks.stop(arn, after=self.balancer.generation if self.balancer else 0)

    def resume(self, world: World) -> None:
        """After a world was loaded: start the tasks that it shows as running, and end those that were ending."""
        asked, found = store(world).asked, list(reading.tasks_by_ip(world).values())
        for task in found:
            if task.arn in asked or (task.status in UP and task.ended is None):
                self._start_again(world, task, asked=task.arn in asked)
            elif task.status == "STOPPING" and task.execution_stopped is None:
                left = [one.name for one in task.containers if one.status != "STOPPED"]
                self._next.exited += [[task.arn, name, KILLED] for name in left]
                self._next.gone.append(task.arn)
        self._wait_for_the_healthy(world)

    def _start_again(self, world: World, task: Task, *, asked: bool) -> None:
        try:
            given = Given(secrets.read(world, task), door.credentials(world, task))
            if asked:
                self.start_task(world, task, given)
            else:
                self.tasks.start(world, task, given, endpoint=self.door.url)
        except (CannotStart, secrets.NotRead) as error:
            self.hints.say(f"task {task.id} cannot be started again: {error}")
            self._next.exited.append([task.arn, task.main, 1])

    def _wait_for_the_healthy(self, world: World) -> None:
        """Targets that the world shows as healthy answer: no request is to fail only because a server was restarted."""
        targets = [one for group in elbv2.store(world).targets.values() for one in group.values()]
        healthy = {one.id for one in targets if one.state == "healthy"}
        waited_for = [task.arn for ip, task in reading.tasks_by_ip(world).items() if ip in healthy]
        walltime.wait_until(lambda: all(self.tasks.listen(arn) for arn in waited_for), at_most=RESUMED)

    # ---- looking

    def look(self, world: World) -> bool:
        """Bring what really happened into the world, and what the world wants into effect.

        Gives whether the world shall stand still: how long a task takes to start is declared, and not how fast this
        machine is (Settings.task_start).
        """
        told = self._found(world).told()
        if told:
            self._tell(report.HANDLER, told)
        for group in store(world).lost:
            self.hints.say(f"{group}: the log group is gone; what containers write is lost")
        self._end_what_is_gone(world)
        self._follow(world)
        self._tell_to_stop()
        self.door.serve(world)
        return self.tasks.starting()

    def _found(self, world: World) -> Report:
        pace = Pace.of(self.clock)
        found, self._next = self._next, Report()
        self._take_news(found, pace)
        self._take_findings(found)
        self._take_requests(world, found, pace)
        found.probed += [[one.task, one.container, one.health] for one in self.tasks.probes.verdicts()]
        for line in self.load.lines():
            due, *rest = Load.read(line)
            found.sent.append([pace.in_world(due), *rest])
        return found

    def _take_news(self, found: Report, pace: Pace) -> None:
        written: dict[Stream, list[Line]] = {}
        ended: list[Exit] = []
        for one in self.tasks.news():
            if isinstance(one, Exit):
                ended.append(one)
            elif stream := self.tasks.stream(one.task, one.container):
                written.setdefault(stream, []).append(one)
        for stream, lines in written.items():
            events = self.tasks.logs.events(stream, lines, pace)
            if events:
                found.written.append([stream.group, stream.name, events])
        for end in ended:
            found.exited.append([end.task, end.container, end.code])
            if self.tasks.buried(end):
                found.gone.append(end.task)

    def _take_findings(self, found: Report) -> None:
        for one in self.checks.findings():
            self._suspect(one)
            where, answer = one.where, one.answer
            found.checked.append([where.group, where.ip, where.port, one.order.version, answer.status, answer.silent])

    def _suspect(self, found: Finding) -> None:
        """Say what a person should know of a target whose checks nobody answers, and AWS would not say."""
        key = f"{found.where.ip}:{found.where.port}"
        number = self._unanswered[key] = 0 if found.answer.status else self._unanswered.get(key, 0) + 1
        port, where = found.order.address, f"the task at {key}"
        if port is None:
            return
        if found.answer.silent and number == SILENT:
            self.hints.say(
                f"{where} takes connections on {LOOPBACK}:{port} and does not answer: GET {found.order.path} was "
                f"waited for {found.order.timeout:g} s of the wall, {number} times"
            )
        elif not found.answer.silent and number == SUSPICIOUS and not ports.listens(port):
            self.hints.say(
                f"{where} runs, and nothing listens on {LOOPBACK}:{port}: an application in a world with "
                "live traffic must listen on the port that its environment variable PORT names"
            )

    def _take_requests(self, world: World, found: Report, pace: Pace) -> None:
        if self.balancer is None:
            return
        known = elbv2.store(world)
        for line in self.balancer.seen.lines():
            record = seen.record(
                line, names=self.balancer.names, pace=pace, listener=known.listeners.get, trace=self._trace
            )
            if record is not None:
                found.add_request(record)

    def _trace(self) -> str:
        self._number += 1
        return f"Root=1-{int(self.clock.due()):08x}-{self._number:024x}"

    def _end_what_is_gone(self, world: World) -> None:
        """A task that never served is not drained: ECS ends it with its interface."""
        from runbook_lib.sandbox.services.ecs.store import store as ecs

        known = ecs(world).tasks
        for arn in self.tasks.arns():
            if arn not in known or known[arn].status in ("DEPROVISIONING", "STOPPED"):
                self.tasks.kill(arn)

    # ---- bringing into effect

    def _follow(self, world: World) -> None:
        by_ip = reading.tasks_by_ip(world)

        def find(ip: str, port: int) -> int | None:
            return self.tasks.address(by_ip[ip].arn, port) if ip in by_ip else None

        self._open_entrances(world)
        if self.balancer is not None:
            before = self.balancer.generation
            given = self.balancer.give(reading.plan(world, self._entrances, find))
            if given > before:
                # Fast clocks: what traefik takes to go over to other weights would be much of a minute of the world.
                walltime.wait_until(partial(self.balancer.in_force, given), at_most=SETTLES)
            self._open_from = {arn: self._open_from.get(arn, given) for arn in self._entrances}
        self.checks.follow(reading.checks(world, find, self.clock.scale))
        first = reading.production(world)
        self.load.send_to(self.url(first.arn) if first else None)

    def _open_entrances(self, world: World) -> None:
        names = reading.roles(world)
        for arn in set(self._entrances) - set(names):
            del self._entrances[arn]
        for arn in [arn for arn in names if arn not in self._entrances]:
            self.balancer = self.balancer or Balancer(self._leash, self._folder, ports=self._ports)
            free = [name for name in self.balancer.entrances if name not in self._entrances.values()]
            if free:
                self._entrances[arn] = free[0]
                self.hints.say(f"listener {names[arn]} is at {self._at(free[0])}")
            else:
                self.hints.say(f"listener {names[arn]} is not served: {len(self.balancer.entrances)} can be at a time")

    def _tell_to_stop(self) -> None:
        wanted = self.tasks.waiting()
        if wanted is not None and (self.balancer is None or self.balancer.in_force(wanted)):
            self.tasks.tell_to_stop(wanted)

    def url(self, listener: str) -> str | None:
        """Where a listener is served; None where it is not, or not yet."""
        entrance, given = self._entrances.get(listener), self._open_from.get(listener)
        if entrance is None or given is None or self.balancer is None or not self.balancer.in_force(given):
            return None
        return self._at(entrance)

    def _at(self, entrance: str) -> str:
        assert self.balancer is not None  # it has the entrances
        return f"http://{LOOPBACK}:{self.balancer.entrances[entrance]}"

    def addresses(self, world: World) -> dict[str, str]:
        """Where a person reaches the listeners: what each is called -> URL."""
        return {name: url for arn, name in reading.roles(world).items() if (url := self.url(arn))}

    def listeners(self, world: World) -> dict[str, str]:
        """The same for programs: the name and port that a listener has in the world -> URL."""
        balancers = elbv2.store(world).load_balancers
        found = ((one, self.url(one.arn)) for one in reading.listeners(world))
        return {f"{balancers[one.load_balancer].dns_name.lower()}:{one.port}": url for one, url in found if url}

    def visit(self, world: World, url: str) -> Found:
        """Ask as a user does; meanwhile the world stands still, and answers what its tasks ask it."""
        entrance = self.listeners(world).get(visiting.listener_of(url))
        if entrance is None:
            return visiting.NOBODY
        with ThreadPoolExecutor(1) as asking:
            answer = asking.submit(visiting.get, entrance, url)
            while not wait([answer], timeout=LOOK).done:
                self.door.serve(world)
            return answer.result()

    def close(self) -> None:
        """End all of it."""
        self.checks.close()
        self.tasks.probes.close()
        self.door.close()
        self._leash.close()
        shutil.rmtree(self._folder, ignore_errors=True)
