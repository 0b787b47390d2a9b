"""CodeBuild: projects, and builds that really run the commands of their buildspec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.services.codebuild import builds, entrance, flow, listing, lookup, projects
from runbook_lib.sandbox.services.codebuild.store import PIPELINE, CodeBuildStore, Order, Place, Plan

if TYPE_CHECKING:
    from runbook_lib.sandbox.world import World

__all__ = ["HANDLERS", "OPERATIONS", "STORE", "WSGI", "build", "refuse_docker_hub", "start", "stop"]

STORE = CodeBuildStore
OPERATIONS = {**projects.OPERATIONS, **builds.OPERATIONS, **listing.OPERATIONS}
HANDLERS = flow.HANDLERS
WSGI = {entrance.PREFIX: entrance.application}

Object = tuple[str, str]  # bucket and key
Variables = Mapping[str, str] | Sequence[Mapping[str, str]]


def start(
    world: World,
    *,
    project: str,
    source: Object | None,
    initiator: str,
    on_done: tuple[Any, ...] = (),
    environment: Variables = (),
    output: Object | None = None,
    revision: str = "",
    sources: Mapping[str, Object] | None = None,
    outputs: Mapping[str, Object] | None = None,
    connections: tuple[str, ...] = (),
) -> str:
    """Start a build for a pipeline and give its id; raises AwsError where StartBuild would refuse.

    `source` and `output` are the objects of one input and one output artifact; `sources` and `outputs` name several of
    them (the first of the sources is the primary one).  `environment` maps names to values, or lists entries with name,
    value and type as the API takes them.  `revision` is the commit that the source stands for,
    `connections` are those through which the build clones it itself.  When the build is over,
    handler(world, *args, build_id) is called for on_done = (handler's name, *args).
    """
    found = lookup.project(world, project)
    given = sources or ({"": source} if source else {})
    wanted = outputs or ({"": output} if output else {})
    order = Order(
        {name: Place(*place) for name, place in given.items()},
        {name: Place(*place) for name, place in wanted.items()},
        revision,
        connections,
    )
    own = found.settings["source"]
    settings = {
        **found.settings,
        "source": {"type": PIPELINE, **({"buildspec": own["buildspec"]} if "buildspec" in own else {})},
        "artifacts": {"type": PIPELINE},
        "environment": builds.with_variables(found.settings["environment"], _entries(environment)),
    }
    plan = Plan(found.name, settings, None, order)
    return builds.begin(world, plan, initiator=initiator, on_done=on_done).id


def build(world: World, id: str) -> dict[str, Any]:
    """A build as BatchGetBuilds shows it, with its exported variables; raises AwsError for an unknown one."""
    return builds.shown(world, lookup.build(world, id))


def stop(world: World, id: str) -> None:
    """Stop a build, as StopBuild does; one that is over stays as it is."""
    flow.stop(world, lookup.build(world, id))


def refuse_docker_hub(world: World, refuse: bool) -> None:
    """Let anonymous pulls from Docker Hub run into its rate limit in the builds that start from now on."""
    lookup.store(world).refuse_docker_hub = refuse


def _entries(environment: Variables) -> list[dict[str, Any]]:
    if isinstance(environment, Mapping):
        return [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in environment.items()]
    return [dict(each) for each in environment]
