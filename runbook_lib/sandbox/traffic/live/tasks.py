"""The processes of the world's tasks: started, followed and ended as ECS does with containers.

Sources: ECS developer guide, task-lifecycle-explanation; ECS API reference, ContainerDefinition (stopTimeout).
"""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.traffic.live import image, ports, probes, walltime
from runbook_lib.sandbox.traffic.live.container import Container, Exit, Inbox, News
from runbook_lib.sandbox.traffic.live.hints import Hints
from runbook_lib.sandbox.traffic.live.image import CannotStart
from runbook_lib.sandbox.traffic.live.leash import Leash
from runbook_lib.sandbox.traffic.live.logs import Logs
from runbook_lib.sandbox.traffic.live.ports import Ports
from runbook_lib.sandbox.traffic.live.probes import Probe, Probes
from runbook_lib.sandbox.traffic.stream import Stream

if TYPE_CHECKING:
    from runbook_lib.sandbox.services.ecs.store import Task
    from runbook_lib.sandbox.world import World

STOP_TIMEOUT = 30  # seconds of the world
STARTING = 10.0  # seconds of the wall in which a task that is at work is waited for to listen
LEAST_PATIENCE = 5.0  # seconds of the wall between SIGTERM and SIGKILL, however fast the clock
FOREIGN = "an image of another registry is known by name only: only images of the sandbox's own registry run live"


Secrets = Mapping[str, Mapping[str, str]]  # by container and variable


@dataclass(frozen=True)
class Given:
    """What a task gets besides its task definition: its secrets, and the credentials of its role."""

    secrets: Secrets
    credentials: Mapping[str, str]  # environment variables; none without a role


@dataclass
class Running:
    """The processes of a task; `stop_after` is the configuration of the load balancer that no longer names it."""

    root: Path
    ports: dict[int, int]  # the container's port -> that of loopback
    streams: dict[str, Stream]
    opened: list[list[Any]]  # [log group, stream, make the group], of the containers that were started
    more: Mapping[str, str]  # what ECS tells every container, as environment variables
    secrets: Secrets
    patience: float
    containers: dict[str, Container] = field(default_factory=dict)
    stop_after: int | None = None
    told: bool = False  # that it shall stop
    begun: float = field(default_factory=walltime.now)
    listened: bool = False  # all its ports were open once


class Tasks:
    """The tasks whose processes run here, by ARN."""

    def __init__(self, leash: Leash, folder: Path, *, ports: Ports, hints: Hints, scale: float) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self.logs, self.probes = Logs(hints), Probes()
        self._leash, self._folder, self._ports, self._hints, self._scale = leash, folder, ports, hints, scale
        self._tools = image.furnish(folder / "bin")
        self._running: dict[str, Running] = {}

    def __contains__(self, arn: str) -> bool:
        return arn in self._running

    def start(self, world: World, task: Task, given: Given, *, endpoint: str) -> None:
        """Start all containers of a task, or none; raises CannotStart."""
        over = {one.name for one in task.containers if one.status == "STOPPED"}  # of a task that is started anew
        declared = [one for one in _declared(world, task) if one["name"] not in over]
        running = self._running[task.arn] = Running(
            root=self._folder / task.id,
            ports={port: self._ports.take() for one in declared for port in _container_ports(one)},
            streams={one["name"]: stream for one in declared if (stream := Stream.of(one, task.id))},
            opened=[],
            more=_told(world, task, endpoint) | dict(given.credentials),
            secrets=given.secrets,
            patience=max(LEAST_PATIENCE, max(one.get("stopTimeout", STOP_TIMEOUT) for one in declared) / self._scale),
        )
        try:
            for one in declared:
                self._start_container(world, task, running, one)
        except CannotStart as error:
            self._hints.say(f"task {task.id}: {error.reason} ({error.hint})")
            self._forget(task.arn)
            raise

    def _start_container(self, world: World, task: Task, running: Running, declared: Mapping[str, Any]) -> None:
        name, root = declared["name"], running.root / declared["name"]
        contents = image.contents(world, _uri(task, name))
        if contents is None:
            if declared["essential"]:
                raise CannotStart(image.NO_COMMAND, FOREIGN)
            self._hints.say(f"container {name} of {task.group} does not run: {FOREIGN}")
            return
        self._warn(task, contents)
        image.unpack(contents, root)
        start = image.start_of(
            contents,
            root,
            tools=self._tools,
            declared=declared,
            override=_override(task, name),
            more=_more(running, declared),
        )
        try:
            made = Container(self._leash, start, task=task.arn, name=name, tell=self.inbox.put)
        except OSError as error:
            reason = f'{image.RUNC}exec: "{start.command[0]}": {error.strerror}: unknown'
            raise CannotStart(reason, "the program cannot run on this machine") from error
        running.containers[name] = made
        self._probe(task, running, declared, start)
        if name in running.streams:
            stream, options = running.streams[name], declared["logConfiguration"]["options"]
            running.opened.append([stream.group, stream.name, options.get("awslogs-create-group") == "true"])

    def _warn(self, task: Task, contents: image.Contents) -> None:
        place = f"image {_uri(task, task.main).rpartition('/')[2]}"
        for command in contents.not_run:
            self._hints.say(f"{place}: RUN {command} was not executed; an application that needs it will fail")
        for line in contents.missing:
            self._hints.say(f"{place}: {line.split(' ')[0]} is not there; COPY --from and ADD of a URL bring no files")

    def _probe(self, task: Task, running: Running, declared: Mapping[str, Any], start: image.Start) -> None:
        check = declared.get("healthCheck")
        if not check or check["command"][0] == "NONE":
            return
        probe = Probe(
            probes.command_of(check["command"], running.ports),
            start.directory,
            start.environment,
            interval=check["interval"] / self._scale,
            timeout=float(check["timeout"]),
            retries=check["retries"],
            grace=check.get("startPeriod", 0) / self._scale,
        )
        self.probes.begin(task.arn, declared["name"], probe)

    def stop(self, arn: str, *, after: int) -> None:
        """Let a task end once that configuration of the load balancer is in force."""
        running = self._running.get(arn)
        if running is not None and running.stop_after is None:
            running.stop_after = after

    def waiting(self) -> int | None:
        """The latest configuration that a task waits for before it is told to end; None when none waits."""
        return max((one.stop_after for one in self._running.values() if _waits(one)), default=None)  # type: ignore[type-var]

    def tell_to_stop(self, in_force: int) -> None:
        """SIGTERM for the tasks that no request reaches any more."""
        for arn, running in self._running.items():
            if _waits(running) and running.stop_after is not None and running.stop_after <= in_force:
                running.told = True
                self.probes.end(arn)
                for container in running.containers.values():
                    container.stop(patience=running.patience)

    def kill(self, arn: str) -> None:
        """End a task's processes at once."""
        for container in self._running[arn].containers.values():
            container.kill()

    def news(self) -> list[News]:
        """What the containers wrote and which ended, since the last time."""
        return [self.inbox.get() for _ in range(self.inbox.qsize())]

    def buried(self, end: Exit) -> bool:
        """A container has ended; whether it was the last one of its task, which is forgotten then."""
        running = self._running.get(end.task)
        if running is None:
            return False
        ended = running.containers.pop(end.container, None)
        if ended is not None:
            ended.buried()
        if not running.containers:
            self._forget(end.task)
        return not running.containers

    def _forget(self, arn: str) -> None:
        running = self._running.pop(arn)
        self.probes.end(arn)
        for container in running.containers.values():
            container.kill()
        shutil.rmtree(running.root, ignore_errors=True)

    def arns(self) -> tuple[str, ...]:
        """The tasks that run here."""
        return tuple(self._running)

    def opened(self, arn: str) -> list[list[Any]]:
        """The log streams that a task writes into: [log group, stream, make the group]."""
        return self._running[arn].opened

    def stream(self, arn: str, container: str) -> Stream | None:
        """Where a container's lines go."""
        running = self._running.get(arn)
        return running.streams.get(container) if running else None

    def listen(self, arn: str) -> bool:
        """Whether a task has opened all its ports; one that has ended will not any more."""
        running = self._running.get(arn)
        if running is None or not any(one.lives for one in running.containers.values()):
            return True
        return all(ports.listens(port) for port in running.ports.values())

    def starting(self) -> bool:
        """Whether a task is at work and has not listened yet; one that only waits or takes long does not count."""
        return any([self._starts(arn, one) for arn, one in self._running.items() if not one.listened])

    def _starts(self, arn: str, running: Running) -> bool:
        running.listened = self.listen(arn) or walltime.now() - running.begun > STARTING
        return not running.listened and any(one.works for one in running.containers.values())

    def address(self, arn: str, port: int) -> int | None:
        """The port of loopback behind a task's container port; None where it has none."""
        running = self._running.get(arn)
        return running.ports.get(port) if running else None

    def processes(self) -> Iterator[int]:
        """The ids of all processes."""
        for running in self._running.values():
            yield from (container.pid for container in running.containers.values())


def _told(world: World, task: Task, endpoint: str) -> dict[str, str]:
    """What ECS tells a container, and where AWS is here."""
    region = world.settings.region
    return {
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "HOSTNAME": f"ip-{task.ip.replace('.', '-')}.ec2.internal",
    }


def _more(running: Running, declared: Mapping[str, Any]) -> dict[str, str]:
    """What a container is told that its image and its definition do not say: its secrets and its port among it."""
    own = _container_ports(declared)
    port = {"PORT": str(running.ports[own[0]])} if own else {}
    return {**running.more, **running.secrets.get(declared["name"], {}), **port}


def _waits(running: Running) -> bool:
    return running.stop_after is not None and not running.told


def _declared(world: World, task: Task) -> list[dict[str, Any]]:
    from runbook_lib.sandbox.services import ecs

    found: list[dict[str, Any]] = ecs.task_definition(world, task.task_definition_arn)["containerDefinitions"]
    return found


def _container_ports(declared: Mapping[str, Any]) -> list[int]:
    return [one["containerPort"] for one in declared.get("portMappings", ()) if "containerPort" in one]


def _override(task: Task, name: str) -> Mapping[str, Any]:
    found = (one for one in task.overrides.get("containerOverrides", ()) if one.get("name") == name)
    return next(found, {})


def _uri(task: Task, name: str) -> str:
    """The image by its digest: a tag may have moved since the pull."""
    from runbook_lib.sandbox.services.ecs.launching import by_digest

    one = next(container for container in task.containers if container.name == name)
    return by_digest(one.image, one.digest) if one.digest else one.image
