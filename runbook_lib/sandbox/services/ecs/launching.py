"""Tasks on their way up: an interface, the image, the container, the target group; a batch takes each step together.

Source: ECS developer guide, task-lifecycle-explanation. How long a step takes is a figure of the world's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services import elbv2
from runbook_lib.sandbox.services.ecs import interfaces, news, processor, scheduler, start_checks, stopping
from runbook_lib.sandbox.services.ecs.interfaces import NoAddress
from runbook_lib.sandbox.services.ecs.store import Binding, Container, Network, Task, change_task, put, store

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World


@dataclass(frozen=True)
class Order:
    """What is to be started: tasks of a revision somewhere, for somebody."""

    cluster: str  # ARN
    definition: Mapping[str, Any]
    group: str
    started_by: str
    network: Network | None
    platform_version: str
    service: str | None = None
    bindings: tuple[Binding, ...] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)  # container -> image by digest
    overrides: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def launch(world: World, order: Order, count: int) -> tuple[Task, ...]:
    """Start so many tasks; they are PROVISIONING now."""
    made = tuple(_new_task(world, order) for _ in range(count))
    for task in made:
        put(world, task)
        store(world).tags[task.arn] = dict(order.tags)
    _next(world, made, "attach", world.settings.task_provisioning)
    return made


def _new_task(world: World, order: Order) -> Task:
    identity, cluster = world.ids.hex("task", 32), order.cluster.rpartition("/")[2]
    containers = order.definition["containerDefinitions"]
    essential = next(one["name"] for one in containers if one["essential"])
    return Task(
        id=identity,
        arn=world.arn("ecs", f"task/{cluster}/{identity}"),
        cluster=order.cluster,
        group=order.group,
        task_definition_arn=order.definition["taskDefinitionArn"],
        started_by=order.started_by,
        service=order.service,
        bindings=order.bindings,
        network=order.network,
        platform_version=order.platform_version,
        containers=tuple(_new_container(world, order, cluster, identity, one) for one in containers),
        main=order.bindings[0].container if order.bindings else essential,
        environment={},
        overrides=order.overrides,
        tags=order.tags,
        created=world.now,
        attachment=world.ids.uuid("attachment"),
    )


def _new_container(world: World, order: Order, cluster: str, task: str, given: Mapping[str, Any]) -> Container:
    arn = world.arn("ecs", f"container/{cluster}/{task}/{world.ids.uuid('container')}")
    return Container(given["name"], order.pinned.get(given["name"], given["image"]), given["essential"], arn)


def task_step(world: World, step: str, arns: Sequence[str]) -> None:
    """Event: the tasks of a batch that are still on their way take a step."""
    wanted, take = STEPS[step]
    tasks = [store(world).tasks[arn] for arn in arns if arn in store(world).tasks]
    on_their_way = tuple(task for task in tasks if task.live and task.status == wanted)
    if on_their_way:
        take(world, on_their_way)


def _next(world: World, tasks: Sequence[Task], step: str, delay: float) -> None:
    world.after(delay, "ecs.task_step", step, tuple(task.arn for task in tasks))


def _attach(world: World, tasks: Sequence[Task]) -> None:
    attached = []
    for task in tasks:
        try:
            attached.append(change_task(world, task, **_connection(world, task), status="PENDING"))
        except NoAddress as full:
            assert task.network is not None
            public = "enabled" if task.network.public_ip else "disabled"
            stopping.fail_to_start(
                world,
                (task,),
                f"Unexpected EC2 error while attempting to Create Network Interface with public IP assignment {public} "
                f"in subnet '{_subnet(world, task)}': {full}",
            )
    _next(world, attached, "pull", world.settings.task_pending)


def _connection(world: World, task: Task) -> dict[str, Any]:
    if task.network is None:
        return {"connected": world.now}
    description = world.arn("ecs", f"attachment/{task.attachment}")
    made = interfaces.make(
        world, _subnet(world, task), task.network.security_groups, description, public=task.network.public_ip
    )
    return {"interface": made, "connected": world.now}


def _subnet(world: World, task: Task) -> str:
    """The subnet with the fewest tasks of the same set: they are spread over the zones."""
    assert task.network is not None
    alike = [one for one in store(world).tasks.values() if one.started_by == task.started_by and one.live]
    taken = [one.interface.subnet for one in alike if one.interface]
    return min(task.network.subnets, key=taken.count)


def _pull(world: World, tasks: Sequence[Task]) -> None:
    pulling = tuple(change_task(world, task, pull_started=world.now) for task in tasks)
    reason = start_checks.why_not(world, pulling[0])
    if reason:
        stopping.fail_to_start(world, pulling, reason)
    else:
        _next(world, pulling, "start", world.settings.image_pull)


def _start(world: World, tasks: Sequence[Task]) -> None:
    images = {one.image: start_checks.pulled(world, one.image) for one in tasks[0].containers}
    digests = {one.name: (one.image, images[one.image].digest) for one in tasks[0].containers}
    # A revision's tasks all get the image that its tag meant at the first pull (ECS: versionConsistency).
    pinned = {name: by_digest(image, digest) for name, (image, digest) in digests.items() if digest}
    scheduler.pin(world, tasks[0], pinned)
    started = [change_task(world, task, **_contents(world, task, images)) for task in tasks]
    _next(world, started, "activate", world.settings.task_start)


def by_digest(image: str, digest: str) -> str:
    """The same image, named by its digest instead of its tag."""
    repository = image.partition("@")[0]
    place, slash, name = repository.rpartition("/")
    return f"{place}{slash}{name.partition(':')[0]}@{digest}"


def _contents(world: World, task: Task, images: Mapping[str, start_checks.Pulled]) -> dict[str, Any]:
    main = images[task.image]
    containers = tuple(replace(one, digest=images[one.image].digest) for one in task.containers)
    return {
        "pull_stopped": world.now,
        "containers": containers,
        "environment": {**main.environment, **_environment(world, task)},
    }


def _environment(world: World, task: Task) -> dict[str, str]:
    definition = store(world).task_definitions[task.task_definition_arn]
    declared = next(one for one in definition["containerDefinitions"] if one["name"] == task.main)
    overridden = [one for one in task.overrides.get("containerOverrides", ()) if one.get("name") == task.main]
    pairs = [*declared["environment"], *(pair for one in overridden for pair in one.get("environment", ()))]
    return {pair["name"]: pair["value"] for pair in pairs}


def _activate(world: World, tasks: Sequence[Task]) -> None:
    if world.settings.traffic == "modelled":
        _activated(world, tasks)
        return
    from runbook_lib.sandbox.traffic import live

    for task in tasks:
        live.start_task(world, task)


def processes_started(world: World, arns: Sequence[str]) -> None:
    """The processes of tasks that were to be started run; those of one batch take the next step together."""
    found = [store(world).tasks[arn] for arn in arns if arn in store(world).tasks]
    batches: dict[tuple[str, str], list[Task]] = {}
    for task in found:
        if task.live and task.status == "PENDING":
            batches.setdefault((task.started_by, task.task_definition_arn), []).append(task)
    for batch in batches.values():
        _activated(world, batch)


def processes_refused(world: World, arn: str, reason: str) -> None:
    """The processes of a task could not be started: it stops, and says why."""
    task = store(world).tasks.get(arn)
    if task is not None and task.live and task.status == "PENDING":
        stopping.fail_to_start(world, (task,), reason)


def _activated(world: World, tasks: Sequence[Task]) -> None:
    activating = [change_task(world, _with_running_containers(world, task), status="ACTIVATING") for task in tasks]
    for binding in activating[0].bindings:
        for task in activating:
            elbv2.register_target(world, binding.target_group, ip=task.ip, port=binding.port, zone=task.zone)
        news.say_of(world, activating, f"registered {len(activating)} targets in (target-group {binding.target_group})")
    _next(world, activating, "run", world.settings.target_registration if activating[0].bindings else 0.0)


def _with_running_containers(world: World, task: Task) -> Task:
    running = tuple(
        replace(one, status="RUNNING", runtime_id=f"{task.id}-{world.ids.digits('runtime', 10)}")
        for one in task.containers
    )
    return replace(task, containers=running)


def _run(world: World, tasks: Sequence[Task]) -> None:
    from runbook_lib.sandbox import traffic
    from runbook_lib.sandbox.traffic.behaviour import Behaviour

    traffic.touch(world)
    behaviour = Behaviour.of(tasks[0].environment)
    listening = world.now + behaviour.start_seconds
    running = [
        change_task(world, task, status="RUNNING", started_at=world.now, answers_from=listening) for task in tasks
    ]
    for task in running:
        elbv2.reconsider_address(world, task.ip)
    # A live task's process is made for this machine's processor, whatever its image says.
    foreign = processor.stranger(world, running[0]) if world.settings.traffic == "modelled" else ""
    if foreign:
        processor.complain(world, running, foreign)
        stopping.crash(world, running, name=foreign)
        return
    if behaviour.crash_after_seconds is not None and world.settings.traffic == "modelled":
        _next(world, running, "crash", behaviour.crash_after_seconds)
    scheduler.tasks_run(world, running)


def _crash(world: World, tasks: Sequence[Task]) -> None:
    stopping.crash(world, tasks)


# step -> the status in which a task takes it, and what it does
STEPS: Mapping[str, tuple[str, Callable[[World, Sequence[Task]], None]]] = {
    "attach": ("PROVISIONING", _attach),
    "pull": ("PENDING", _pull),
    "start": ("PENDING", _start),
    "activate": ("PENDING", _activate),
    "run": ("ACTIVATING", _run),
    "crash": ("RUNNING", _crash),
}
