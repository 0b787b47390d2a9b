"""A world with live traffic: the stage of the ECS tests at thirty times the wall's pace, with images that run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.sandbox import Sandbox
from runbook_lib.sandbox.services import ecr
from runbook_lib.sandbox.services.ecr import images
from runbook_lib.sandbox.services.ecr.store import Stored
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.shims.docker import image as docker
from runbook_lib.sandbox.traffic import live
from runbook_lib.sandbox.traffic.live.plane import Plane
from runbook_lib.sandbox.world import World
from tests.sandbox import ecs_stage

APPLICATION = Path(ecr.__file__).parents[2] / "application" / "app.py"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
GRACE = 60  # seconds of the world in which nobody is replaced for failing checks
PATIENCE = 20.0  # seconds of the wall until a test gives up


def settings(**changes: Any) -> Settings:
    figures = {"realism": False, "traffic": "live", "clock": "scaled", "scale": 30.0, "requests_per_second": 0.0}
    quick = {"task_provisioning": 1.0, "task_pending": 1.0, "image_pull": 1.0, "task_stop": 1.0}
    return Settings(**{**figures, **quick, **changes})


@dataclass
class LiveStage:
    """The ECS stage, with a sandbox around its world."""

    stage: ecs_stage.Stage
    sandbox: Sandbox
    said: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.sandbox.world

    @property
    def plane(self) -> Plane:
        found = live._planes.get(self.world)
        assert found is not None
        return found

    def wait_for(self, what: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Lets the world go on until something is so."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            self.sandbox.clock.sleep(3.0)
            found = what()
            if found:
                return found
        pytest.fail(f"it did not come to pass within {patience} seconds; the load balancer: {self.stage.health()}")

    def deploy(
        self, image: str, *, count: int = 1, container: Mapping[str, Any] | None = None, **environment: str
    ) -> str:
        """A service of so many tasks behind blue; the ARN of its revision."""
        arn = self.stage.define(image, dict(container or {}), **environment)
        self.stage.serve("ECS", taskDefinition=arn, desiredCount=count, healthCheckGracePeriodSeconds=GRACE)
        return arn

    def healthy(self, count: int = 1) -> list[str]:
        return self.wait_for(lambda: self.stage.health().count("healthy") == count)

    def stopped(self) -> dict[str, Any]:
        """The first task that stopped."""

        def first() -> Any:
            return next((one for one in self.stage.tasks("STOPPED") if one["lastStatus"] == "STOPPED"), None)

        found: dict[str, Any] = self.wait_for(first)
        return found

    def url(self, role: str = "production :80") -> str:
        found: str = self.wait_for(lambda: self.plane.addresses(self.world).get(role))
        return found


def push(world: World, files: Mapping[str, str | bytes], tag: str = "1", **config: Any) -> str:
    """Put an image of these files (path in the image -> content) into the registry; its URI."""
    known = ecr.lookup.repositories(world, world.settings.region)
    if "app" not in known:
        world.client("ecr").create_repository(repositoryName="app")
    blobs = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    lines = [f"{path} {'755' if path.endswith('.sh') else '644'} {docker.digest(blob)}" for path, blob in blobs.items()]
    made = docker.Image(docker.Config(**config), (docker.layer(lines),))
    kept = known["app"]
    kept.layers.update({docker.digest(blob): blob for blob in (*made.blobs, *blobs.values())})
    if made.digest not in kept.images:
        images.add(world, kept, Stored(made.digest, made.manifest.decode(), docker.MANIFEST, world.now), tag)
    return f"{REGISTRY}/app:{tag}"


def orders(world: World) -> str:
    """The sample application's image."""
    return push(
        world,
        {"/app/app.py": APPLICATION.read_bytes()},
        command=("python", "app.py"),
        directory="/app",
        environment={"PYTHONUNBUFFERED": "1"},
    )


@contextmanager
def live_stage(**changes: Any) -> Iterator[LiveStage]:
    """The stage, ended in every case."""
    stage = ecs_stage._build(settings(**changes))
    sandbox = Sandbox(stage.world)
    try:
        yield LiveStage(stage, sandbox)
    finally:
        sandbox.close()
