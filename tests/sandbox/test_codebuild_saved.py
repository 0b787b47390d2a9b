"""Builds that go on in a world that was saved and loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from codebuild_play import prepared, traces
from codebuild_stage import Stage, again, fresh

from runbook_lib.sandbox import Sandbox, save
from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.services.codebuild import memo


def saved(stage: Stage, path: Path) -> Stage:
    """The world as somebody else finds it in a file."""
    save.save(stage.world, path)
    return Stage(save.load(path))


@pytest.mark.parametrize("phase", ["QUEUED", "DOWNLOAD_SOURCE", "PRE_BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"])
@pytest.mark.parametrize("remembered", [False, True], ids=["run", "played"])
def test_a_build_goes_on_in_a_loaded_world(phase: str, remembered: bool, tmp_path: Path) -> None:
    """As if nothing had been: its folder is made again from what it did."""
    stage = prepared(fresh())
    whole = traces(stage, stage.run())
    if not remembered:
        memo.forget()
    stage = prepared(again())
    build = stage.start()
    stage.until_phase(build, phase)
    memo.forget()
    loaded = saved(stage, tmp_path / "world")
    loaded.settle()
    calls = [call for call in traces(loaded, loaded.shown(build))["calls"] if call["operation"] != "BatchGetBuilds"]
    assert calls == [call for call in whole["calls"] if call["operation"] != "BatchGetBuilds"]
    kept = ("log", "stored", "images", "now")
    found = traces(loaded, loaded.shown(build))
    assert {key: found[key] for key in kept} == {key: whole[key] for key in kept}
    assert found["build"] == whole["build"]


def test_a_played_build_goes_on_where_nobody_remembers_it(tmp_path: Path) -> None:
    """It slept when the world was saved; the rest is run from what the world had answered."""
    stage = prepared(fresh())
    whole = traces(stage, stage.run())
    stage = prepared(again())
    build = stage.start()
    stage.wait(40)
    loaded = saved(stage, tmp_path / "world")
    memo.forget()
    loaded.settle()
    found = traces(loaded, loaded.shown(build))
    assert found["build"] == whole["build"]
    assert (found["log"], found["images"]) == (whole["log"], whole["images"])


def test_a_world_is_not_saved_while_a_command_sleeps(tmp_path: Path) -> None:
    """A process cannot be saved; when the build is stopped it can."""
    stage = prepared(fresh())
    build = stage.start()
    stage.wait(40)
    with pytest.raises(SandboxError, match="1 running child process"):
        save.save(stage.world, tmp_path / "world")
    stage.cb.stop_build(id=build)
    assert saved(stage, tmp_path / "world").shown(build)["buildStatus"] == "STOPPED"


GO_ON = """
import json, sys
from runbook_lib.sandbox import Sandbox, Settings
sandbox = Sandbox.new(Settings())
sandbox.load(sys.argv[1])
sandbox.clock.sleep(600)
c = sandbox.client
build = c("codebuild").batch_get_builds(ids=[sys.argv[2]])["builds"][0]
where = build["logs"]
log = c("logs").get_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True)
image = c("ecr").describe_images(repositoryName="orders")["imageDetails"][0]["imageDigest"]
print(json.dumps([build["buildStatus"], [each["message"] for each in log["events"]], image]))
"""


def test_a_build_goes_on_in_another_process(tmp_path: Path) -> None:
    """With the same log and the same image."""
    stage = prepared(fresh())
    build = stage.start()
    stage.until_phase(build, "POST_BUILD")
    sandbox = Sandbox(stage.world)
    sandbox.save(tmp_path / "world")
    done = subprocess.run(
        [sys.executable, "-c", GO_ON, str(tmp_path / "world"), build],
        env={**os.environ, "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    stage.settle()
    log = [each["message"] for each in stage.events(stage.shown(build))]
    assert json.loads(done.stdout) == ["SUCCEEDED", log, next(iter(stage.images().values()))]
