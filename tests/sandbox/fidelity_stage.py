"""How a row of the table of fidelity is tried: in a world of its own, step by step.

A probe is a list of steps: a call with its parameters and what it must show (JMESPath expressions) or how it must be
refused, or a wait.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import codedeploy_stage
import ecs_stage
import jmespath
import pipeline_stage
from botocore import xform_name
from botocore.exceptions import ClientError

from runbook_lib.sandbox import Sandbox, Settings
from runbook_lib.sandbox.world import World
from tests.fidelity import Row

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Scene:
    """A world with the names that a probe may use as $name."""

    world: World
    names: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.world.gateway.client(service, caller=self.world.operator)


# ---- trying a row


def attempt(row: Row) -> None:
    """Play the probe of a row; AssertionError when the sandbox does not do what the row says."""
    if row.state == "refused":
        assert_refused(row.service, row.operations)
        return
    with_scene(row.stage, lambda scene: [_step(scene, row, step) for step in row.probe])


def with_scene(stage: str, play: Callable[[Scene], Any]) -> None:
    """Play something in a fresh world of that kind."""
    if stage == "plain":
        sandbox = Sandbox.new(Settings(realism=False))
        try:
            play(Scene(sandbox.world))
        finally:
            sandbox.close()
    else:
        play(SCENES[stage]())


def _ecs() -> Scene:
    made = ecs_stage.fresh(whole=True)
    return Scene(made.world, _texts(made) | {"subnet": made.subnets[0], "network": made.network()})


def _codedeploy() -> Scene:
    made = codedeploy_stage.fresh()
    return Scene(made.world, _texts(made) | {"group": made.group(), "appspec": made.appspec(2)})


def _release() -> Scene:
    made = codedeploy_stage.fresh()
    made.make_group()
    return Scene(made.world, _texts(made) | {"deployment": made.start(), "appspec": made.appspec(2)})


def _pipeline() -> Scene:
    made = pipeline_stage.fresh()
    return Scene(made.world)


def _run() -> Scene:
    """A pipeline of which a run waits for an approval."""
    made = pipeline_stage.fresh()
    run = made.create(pipeline_stage.source(), pipeline_stage.approval())
    made.settle()
    token = made.action("Release", "Approve")["latestExecution"]["token"]
    return Scene(made.world, {"run": run, "token": token, "pipeline": made.definition(pipeline_stage.source())})


def _image() -> Scene:
    """A registry with one image, v1."""
    world = World(Settings(realism=False))
    ecr = world.client("ecr")
    ecr.create_repository(repositoryName="orders", imageTagMutability="IMMUTABLE")
    manifests = {name: _push(ecr, f'{{"by": "{name}"}}'.encode()) for name in ("one", "two")}
    ecr.put_image(repositoryName="orders", imageTag="v1", imageManifest=manifests["one"])
    return Scene(world, {**manifests, "digest": _digest(manifests["one"].encode())})


def _push(ecr: Any, config: bytes) -> str:
    """Uploads a configuration and gives the manifest of an image that has nothing but that."""
    upload = ecr.initiate_layer_upload(repositoryName="orders")["uploadId"]
    told = {"repositoryName": "orders", "uploadId": upload}
    ecr.upload_layer_part(**told, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config)
    ecr.complete_layer_upload(**told, layerDigests=[_digest(config)])
    kind = "application/vnd.docker.container.image.v1+json"
    named = {"mediaType": kind, "size": len(config), "digest": _digest(config)}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": named, "layers": []})


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _texts(stage: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(stage).items() if isinstance(value, str)}


SCENES: Mapping[str, Callable[[], Scene]] = {
    "ecs": _ecs,
    "codedeploy": _codedeploy,
    "release": _release,
    "pipeline": _pipeline,
    "run": _run,
    "image": _image,
}


def _step(scene: Scene, row: Row, step: Mapping[str, Any]) -> None:
    if "wait" in step:
        scene.world.run_until(scene.world.now + step["wait"])
        return
    service, _, operation = str(step["call"]).rpartition(".")
    params = ecs_stage.filled(step.get("with", {}), scene.names)
    answer = _ask(scene.client(service or row.service), operation, params, step.get("refused"))
    wanted = ecs_stage.filled(step.get("shows", {}), scene.names)
    seen = {look: _plain(jmespath.search(look, answer)) for look in wanted}
    assert seen == wanted, f"{row.name}: {operation} shows {seen}, wanted {wanted}"
    scene.names |= {name: jmespath.search(look, answer) for name, look in step.get("keep", {}).items()}


def _ask(client: Any, operation: str, params: dict[str, Any], refused: str | None) -> dict[str, Any]:
    """The answer of a call; a call that must be refused (code, or code: fragment of its words) is checked for that."""
    try:
        answer: dict[str, Any] = getattr(client, operation)(**params)
    except ClientError as error:
        told = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        code, _, words = (refused or "").partition(": ")
        assert refused is not None, f"{operation} was refused: {told}"
        assert told.startswith(f"{code}: "), f"{told}; wanted {code}"
        assert words in told, f"{told}; wanted {words}"
        return dict(error.response)
    assert refused is None, f"{operation} was not refused with {refused}, but answered {answer}"
    return answer


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# ---- what is refused


def assert_refused(service: str, operations: tuple[str, ...]) -> None:
    """Each operation answers 501 and is named in the message, whatever it is asked."""

    def play(scene: Scene) -> None:
        client = scene.client(service)
        told = {name: _refusal(client, name) for name in operations}
        wrong = {name: seen for name, seen in told.items() if seen[0] != 501 or name not in seen[1]}
        assert wrong == {}, f"{service}: {wrong}"

    with_scene("plain", play)


def _refusal(client: Any, operation: str) -> tuple[int, str]:
    shape = client.meta.service_model.operation_model(operation).input_shape
    try:
        getattr(client, xform_name(operation))(**(sample(shape) if shape else {}))
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Message"]
    return 200, "answered"


def sample(shape: Any, depth: int = 0) -> Any:
    """The least that a model accepts for a shape."""
    if getattr(shape, "is_tagged_union", False):
        name, member = next(iter(shape.members.items()))
        return {name: sample(member, depth + 1)}
    if shape.type_name == "structure":
        return {name: sample(shape.members[name], depth + 1) for name in shape.required_members} if depth < 9 else {}
    if shape.type_name == "list":
        return [sample(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "string":
        return (shape.enum or ["x" * max(1, shape.metadata.get("min", 1))])[0]
    return SAMPLES[shape.type_name](shape)


SAMPLES: Mapping[str, Callable[[Any], Any]] = {
    "integer": lambda shape: shape.metadata.get("min", 1),
    "long": lambda shape: shape.metadata.get("min", 1),
    "float": lambda _: 1.0,
    "double": lambda _: 1.0,
    "boolean": lambda _: True,
    "blob": lambda _: b"x",
    "map": lambda shape: {},
    "timestamp": lambda _: datetime(2026, 1, 1, tzinfo=UTC),
}
