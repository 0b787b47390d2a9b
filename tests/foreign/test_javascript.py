"""Another SDK: AWS's for JavaScript drives a deployment from start to end, in JSON and in CBOR."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import codedeploy_stage
import pipeline_stage
import pytest
from abroad import HERE, Abroad, served

SOURCE = HERE / "javascript"
# What npm says where no registry answers; anything else that goes wrong fails the test.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")
SECONDS = 120
NAME = codedeploy_stage.NAME
BUCKET = "from-javascript"


@pytest.fixture(scope="module")
def program(pytestconfig: pytest.Config) -> Path:
    """The program with its packages, installed once for every state of the lock file."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are needed to run the AWS SDK for JavaScript, and one of them is not installed")
    assert pytestconfig.cache is not None
    lock = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = pytestconfig.cache.mkdir(f"javascript-{lock}")
    if not (folder / "installed").exists():
        shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
        install(folder)
        (folder / "installed").touch()
    return Path(shutil.copy(SOURCE / "release.mjs", folder))


def install(folder: Path) -> None:
    """Installs what the lock file names; skipped where the registry cannot be reached in time."""
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0")
    try:
        done = subprocess.run(["npm", "ci", *quiet], cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the npm registry did not deliver the AWS SDK for JavaScript within {SECONDS} seconds")
    if any(f"code {word}" in done.stderr for word in UNREACHABLE):
        pytest.skip(f"the npm registry cannot be reached: {done.stderr.strip().splitlines()[0]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def stage() -> codedeploy_stage.Stage:
    """A service with a deployment group, and a pipeline."""
    made = codedeploy_stage.fresh()
    made.make_group(deploymentConfigName=codedeploy_stage.ALL_AT_ONCE)
    pipelines = pipeline_stage.Stage(pipeline_stage.furnish(made.world))
    pipelines.create(pipeline_stage.source(), pipeline_stage.approval())
    return made


@pytest.fixture(scope="module")
def abroad(stage: codedeploy_stage.Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    """The world, five minutes of it in a second of the program's."""
    with served(stage.world, tmp_path_factory.mktemp("javascript"), clock="scaled", scale=300.0) as where:
        yield where


@pytest.fixture(scope="module", params=["json", "cbor"])
def seen(request: pytest.FixtureRequest, program: Path, abroad: Abroad, stage: codedeploy_stage.Stage) -> Any:
    """What the program saw, in each protocol."""
    names = {
        "application": NAME, "group": NAME, "definition": NAME, "target": f"{NAME}:{NAME}", "pipeline": NAME,
        "listener": stage.production, "bucket": f"{BUCKET}-{request.param}", "now": abroad.world().status()["now"],
    }  # fmt: skip
    given = json.dumps({"protocol": request.param, "names": names})
    done = abroad.run("node", str(program), given=given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_its_waiter_waits_until_the_deployment_has_succeeded(seen: Any) -> None:
    """With every event of the way, and the times as dates."""
    assert (seen["waited"], seen["status"], seen["completed"]) == ("SUCCESS", "Succeeded", True)
    assert seen["created"].startswith("2026-03-02T")
    assert {event.split()[1] for event in seen["events"]} <= {"Succeeded", "Skipped"}
    assert "AllowTraffic Succeeded" in seen["events"]
    assert len(seen["live"]) == 1


def test_metrics_alarms_pipelines_and_uploads_work(seen: Any) -> None:
    """A compressed body, numbers and dates in answers, a stream in chunks with a checksum behind it."""
    assert seen["measured"] == {"threshold": 0.5, "dated": True}
    assert seen["pipeline"] == ["Source", "Release"]
    assert seen["uploaded"] == {"length": 70_003, "end": "aend", "encoding": ""}


def test_refusals_arrive_under_their_names(seen: Any) -> None:
    """The SDK throws AWS's exceptions, and says what is not served."""
    refused = seen["refused"]
    names = {key: (value["name"], value["status"]) for key, value in refused.items()}
    assert names == {
        "deployment": ("DeploymentDoesNotExistException", 400),
        "service": ("ClusterNotFoundException", 400),
        "group": ("TargetGroupNotFoundException", 400),
        "unserved": ("NotImplemented", 501),
    }
    assert "cloudwatch.ListMetricStreams" in refused["unserved"]["message"]
