"""Builds that are played back instead of run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codebuild_play import prepared, traces
from codebuild_stage import APP, NAME, Stage, again, environment, fresh, phases, spec, unzipped

from runbook_lib.sandbox import cache, participants
from runbook_lib.sandbox.services.codebuild import memo
from runbook_lib.sandbox.settings import Settings


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The phases for which a shell is really run, one word each time."""
    ran: list[str] = []
    real: Callable[..., str] = participants.run_child

    def counted(world: Any, command: list[str], **more: Any) -> str:
        ran.append(next(build.phase.type for build in world.store("codebuild").builds.values() if not build.over))
        return real(world, command, **more)

    monkeypatch.setattr(participants, "run_child", counted)
    return ran


def test_a_remembered_build_is_as_the_real_one(shells: list[str]) -> None:
    """To the last line of the log and the last call, and no shell runs for it."""
    first = prepared(fresh())
    real = traces(first, first.run())
    assert shells == ["PRE_BUILD", "BUILD", "POST_BUILD"]
    second = prepared(again())
    played = traces(second, second.run())
    assert played == real
    assert len(shells) == 3
    assert real["build"]["buildStatus"] == "SUCCEEDED"
    assert unzipped(real["stored"]["orders.zip"]) == {"tag.txt": "v090114"}
    assert real["stored"]["app.py"] == b"print(1)\n"
    assert real["build"]["exportedEnvironmentVariables"] == [{"name": "TAG", "value": "v090114"}]
    assert list(real["images"]) == ["v090114"]


def test_what_comes_after_a_remembered_build_is_the_same(shells: list[str]) -> None:
    """The next build finds the same world: ids, numbers and images."""
    worlds = []
    for made in (fresh, again):
        stage = prepared(made())
        stage.run()
        worlds.append(traces(stage, stage.run()))
    assert worlds[0] == worlds[1]
    assert worlds[0]["build"]["buildNumber"] == 2


def test_a_remembered_failure_is_as_the_real_one(shells: list[str]) -> None:
    """With its reason; what was skipped stays skipped."""
    source = {"type": "NO_SOURCE", "buildspec": spec("echo one", "exit 3", post_build=["echo after"])}
    worlds = []
    for made in (fresh, again):
        stage = made()
        stage.create(source=source)
        worlds.append(traces(stage, stage.run()))
    assert worlds[0] == worlds[1]
    assert shells == ["BUILD", "POST_BUILD"]
    assert phases(worlds[0]["build"])["BUILD"] == "FAILED"


def test_a_build_in_two_shells_of_one_phase_is_remembered(shells: list[str]) -> None:
    """A command that ends the shell leaves the finally block to another one."""
    phase = {"commands": ["exit 4"], "finally": ["echo cleaned", "sleep 3", "date +%s"]}
    worlds = []
    for made in (fresh, again):
        stage = made()
        stage.create(source={"type": "NO_SOURCE", "buildspec": spec(build=phase)})
        worlds.append(traces(stage, stage.run()))
    assert worlds[0] == worlds[1]
    assert shells == ["BUILD", "BUILD"]
    assert [text for _, text in worlds[0]["log"] if not text.startswith("[")][1:] == ["cleaned\n", "1772442077\n"]


def _project(**changes: Any) -> Callable[[Stage], None]:
    return lambda stage: prepared(stage, **changes) and None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_project(files={**APP, "app__py": "print(2)\n"}), id="source"),
        pytest.param(_project(environment=environment(privilegedMode=True, MORE="1")), id="variable"),
        pytest.param(
            _project(environment=environment(privilegedMode=True, type="ARM_CONTAINER")), id="another machine"
        ),
        pytest.param(_project(environment=environment()), id="privilege"),
        pytest.param(_project(artifacts={"type": "NO_ARTIFACTS"}), id="artifacts"),
    ],
)
def test_another_input_is_built_anew(shells: list[str], change: Callable[[Stage], None]) -> None:
    """And gives what it would have given without the other one."""
    prepared(fresh()).run()
    stage = again()
    change(stage)
    shells.clear()
    remembering = traces(stage, stage.run())
    assert shells[0] == "PRE_BUILD"
    memo.forget()
    stage = again()
    change(stage)
    assert traces(stage, stage.run()) == remembering


def test_where_the_world_answers_otherwise_the_commands_are_run_from_there(shells: list[str]) -> None:
    """A layer that is in the registry already is not uploaded again, as in a build that was never remembered."""

    def with_history(stage: Stage) -> Stage:
        world = stage.world
        upload = world.client("ecr").initiate_layer_upload(repositoryName=NAME)["uploadId"]
        assert upload
        return prepared(stage)

    prepared(fresh()).run()
    shells.clear()
    stage = with_history(again())
    taken_up = traces(stage, stage.run())
    assert shells == ["POST_BUILD"]
    memo.forget()
    stage = with_history(again())
    assert traces(stage, stage.run()) == taken_up


def test_another_role_answers_otherwise(shells: list[str]) -> None:
    """What the role may not do any more is denied to a remembered build, too."""
    prepared(fresh()).run()
    stage = again()
    stage.deny("ecr")
    prepared(stage)
    shells.clear()
    build = stage.run()
    assert shells == ["POST_BUILD"]
    assert phases(build)["POST_BUILD"] == "FAILED"
    assert stage.images() == {}
    assert ("ecr", "BatchCheckLayerAvailability", "AccessDeniedException") in stage.calls()


def test_a_stopped_build_is_not_remembered(shells: list[str]) -> None:
    """It did not come to its end."""
    stage = prepared(fresh())
    build = stage.start()
    stage.until_phase(build, "BUILD")
    stage.cb.stop_build(id=build)
    shells.clear()
    stage = prepared(again())
    assert stage.run()["buildStatus"] == "SUCCEEDED"
    assert shells == ["PRE_BUILD", "BUILD", "POST_BUILD"]


def test_a_played_build_can_be_stopped(shells: list[str]) -> None:
    """While it sleeps as the real one did."""
    prepared(fresh()).run()
    stage = prepared(again())
    build = stage.start()
    stage.wait(40)
    assert stage.shown(build)["currentPhase"] == "BUILD"
    stage.cb.stop_build(id=build)
    stage.settle()
    assert stage.shown(build)["buildStatus"] == "STOPPED"
    assert stage.images() == {}


def test_a_build_with_commands_that_the_settings_allow_is_always_run(shells: list[str]) -> None:
    """Nobody sees what they do."""
    settings = Settings(allow_commands=("python3",))
    for made in (fresh, again):
        stage = made(settings)
        stage.create(source={"type": "NO_SOURCE", "buildspec": spec("python3 -c 'print(1)'")})
        assert stage.output(stage.run()) == ["1"]
    assert shells == ["BUILD", "BUILD"]


def test_memories_are_kept_on_disk(shells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the cache folder, for other processes and later days."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    first = prepared(fresh())
    real = traces(first, first.run())
    assert len(list((tmp_path / "builds").glob("*.json"))) == 1
    memo.forget()
    shells.clear()
    second = prepared(again())
    assert traces(second, second.run()) == real
    assert shells == []


def test_memory_holds_so_many_builds_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten."""
    monkeypatch.setattr(memo, "KEPT", 2)
    for word in ("a", "b", "c"):
        memo.keep(word, memo.Memo((), {}, {}))
    assert [memo.find(word) is None for word in ("a", "b", "c")] == [True, False, False]
