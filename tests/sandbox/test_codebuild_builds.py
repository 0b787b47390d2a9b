"""Builds: what is answered of them, how they are started, and how they are ended before their time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from codebuild_stage import (
    CASES,
    COMMIT,
    IMAGE,
    NAME,
    PIPED,
    RESULTS,
    S3,
    Stage,
    environment,
    fresh,
    inline,
    phases,
    reason,
    refusal,
    spec,
)

from runbook_lib.sandbox.settings import BUILD_PHASE_SECONDS

KEYS = json.loads((CASES / "keys.json").read_text(encoding="utf-8"))
ORDER = list(BUILD_PHASE_SECONDS)


@pytest.fixture
def stage() -> Stage:
    return fresh()


# ---- what is answered


def test_a_build_that_begins_says_what_is_known_of_it(stage: Stage) -> None:
    """It is in progress, has no log yet, and will put its artifact where the project says."""
    stage.create(artifacts={**S3, "packaging": "ZIP"})
    build = stage.cb.start_build(projectName=NAME)["build"]
    assert sorted(build) == sorted(KEYS["running"])
    assert sorted(build["logs"]) == KEYS["running.logs"]
    assert (build["buildStatus"], build["buildComplete"], build["currentPhase"]) == ("IN_PROGRESS", False, "SUBMITTED")
    assert build["artifacts"] == {"location": f"arn:aws:s3:::{RESULTS}/{NAME}.zip"}
    assert build["initiator"] == "operator"
    assert stage.shown(build["id"]) == build


def test_a_build_that_ended_shows_every_phase(stage: Stage) -> None:
    """The keys of the answer are those that the API shows."""
    stage.push(buildspec__yml=spec("echo x > x", artifacts={"files": ["x"]}))
    stage.create(source={"type": "CODECOMMIT", "location": COMMIT}, artifacts={**S3, "packaging": "ZIP"})
    build = stage.run(sourceVersion="main")
    assert sorted(build) == sorted(KEYS["ended"])
    assert sorted(build["logs"]) == KEYS["ended.logs"]
    assert sorted(build["artifacts"]) == KEYS["ended.artifacts"]
    assert {one["phaseType"]: sorted(one) for one in build["phases"]} == KEYS["phases"]


def test_phases_last_as_long_as_the_settings_say(stage: Stage) -> None:
    """A phase without commands takes no time, and each begins where the one before ended."""
    stage.create(source=inline("true", install=["true"]))
    build = stage.run()
    assert [one["phaseType"] for one in build["phases"]] == ORDER
    lasted = {one["phaseType"]: one.get("durationInSeconds") for one in build["phases"]}
    assert lasted == {**BUILD_PHASE_SECONDS, "PRE_BUILD": 0, "POST_BUILD": 0, "COMPLETED": None}
    ends = [one["endTime"] for one in build["phases"][:-1]]
    assert ends == [one["startTime"] for one in build["phases"][1:]]
    assert (build["endTime"] - build["startTime"]).total_seconds() == 49


def test_a_phase_that_runs_has_no_status_yet(stage: Stage) -> None:
    """It has begun, and that is all."""
    stage.create()
    build = stage.start()
    stage.until_phase(build, "BUILD")
    assert sorted(stage.shown(build)["phases"][-1]) == ["phaseType", "startTime"]


def test_the_log_has_a_name_when_it_exists(stage: Stage) -> None:
    """Not before the build is provisioned."""
    stage.create()
    build = stage.start()
    assert "groupName" not in stage.shown(build)["logs"]
    stage.until_phase(build, "DOWNLOAD_SOURCE")
    where = stage.shown(build)["logs"]
    assert (where["groupName"], where["streamName"]) == ("/aws/codebuild/orders", build.partition(":")[2])
    assert "Phase is DOWNLOAD_SOURCE" in stage.log(stage.shown(build))


def test_builds_are_listed_newest_first(stage: Stage) -> None:
    """Of one project or of all."""
    stage.create()
    stage.create(name="other")
    assert stage.cb.list_builds_for_project(projectName=NAME).get("ids", []) == []
    mine = [stage.run()["id"], stage.run()["id"]]
    other = stage.cb.start_build(projectName="other")["build"]["id"]
    assert stage.cb.list_builds()["ids"] == [other, *reversed(mine)]
    assert stage.cb.list_builds(sortOrder="ASCENDING")["ids"] == [*mine, other]
    assert stage.cb.list_builds_for_project(projectName=NAME)["ids"] == mine[::-1]


def test_builds_are_numbered_by_project(stage: Stage) -> None:
    """From one on."""
    stage.create()
    stage.create(name="other")
    numbers = [stage.cb.start_build(projectName=name)["build"]["buildNumber"] for name in (NAME, NAME, "other")]
    assert numbers == [1, 2, 1]


def test_builds_are_read_by_id_and_by_arn(stage: Stage) -> None:
    """Those that are not there are named."""
    stage.create()
    build = stage.run()
    found = stage.cb.batch_get_builds(ids=[build["arn"], "orders:nothing"])
    assert (found["builds"], found["buildsNotFound"]) == ([build], ["orders:nothing"])


def test_builds_that_are_over_can_be_deleted(stage: Stage) -> None:
    """One that runs stays, and the answer says why."""
    stage.create()
    over, running = stage.run()["arn"], stage.start()
    answer = stage.cb.batch_delete_builds(ids=[over, running])
    assert answer["buildsDeleted"] == [over]
    assert answer["buildsNotDeleted"] == [{"id": running, "statusCode": "BUILD_IN_PROGRESS"}]
    assert stage.cb.list_builds()["ids"] == [running]


@pytest.mark.parametrize("story", ["succeeds", "fails", "is stopped", "takes too long"])
def test_what_is_chosen_out_of_a_few_is_one_of_them(stage: Stage, story: str) -> None:
    """Statuses, phases and types are words of the API's model, whatever becomes of the build."""
    commands = {"fails": "false", "takes too long": "sleep 1h"}
    stage.create(source=inline(commands.get(story, "true")), artifacts=S3, timeoutInMinutes=5)
    build = stage.start()
    if story == "is stopped":
        stage.wait(20)
        stage.cb.stop_build(id=build)
    stage.settle()
    shape = stage.cb.meta.service_model.operation_model("BatchGetBuilds").output_shape.members["builds"].member
    words = list(chosen(stage.shown(build), shape))
    assert len(words) > 20
    assert [(word, known) for word, known in words if word not in known] == []


def chosen(value: Any, shape: Any) -> Iterator[tuple[str, list[str]]]:
    """Each word in an answer that the model picks out of a list, and the list."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from chosen(inner, shape.members[name])
    elif shape.type_name == "list":
        for inner in value:
            yield from chosen(inner, shape.member)
    elif getattr(shape, "enum", None):
        yield value, shape.enum


# ---- starting


def test_a_build_can_differ_from_its_project(stage: Stage) -> None:
    """Everything that is overridden holds for this build alone."""
    stage.create(environment=environment(GREETING="hello", NAME="ada"))
    build = stage.run(
        buildspecOverride=spec("echo $GREETING $NAME"),
        environmentVariablesOverride=[{"name": "GREETING", "value": "good day", "type": "PLAINTEXT"}],
        imageOverride="aws/codebuild/standard:7.0",
        computeTypeOverride="BUILD_GENERAL1_LARGE",
        environmentTypeOverride="ARM_CONTAINER",
        privilegedModeOverride=True,
        timeoutInMinutesOverride=7,
        queuedTimeoutInMinutesOverride=8,
        logsConfigOverride={"cloudWatchLogs": {"status": "ENABLED", "groupName": "/mine", "streamName": "a"}},
        artifactsOverride={"type": "S3", "location": RESULTS},
    )
    assert stage.output(build) == ["good day ada"]
    assert (build["environment"]["image"], build["environment"]["privilegedMode"]) == (
        "aws/codebuild/standard:7.0",
        True,
    )
    assert (build["environment"]["type"], build["environment"]["computeType"]) == (
        "ARM_CONTAINER",
        "BUILD_GENERAL1_LARGE",
    )
    assert (build["timeoutInMinutes"], build["queuedTimeoutInMinutes"]) == (7, 8)
    assert (build["logs"]["groupName"], build["logs"]["streamName"]) == ("/mine", f"a/{build['id'].partition(':')[2]}")
    assert stage.cb.batch_get_projects(names=[NAME])["projects"][0]["environment"]["image"] == IMAGE


def test_a_build_can_have_another_source(stage: Stage) -> None:
    """The project's own is left alone."""
    stage.create()
    source = stage.put("other.zip", buildspec__yml=spec("cat word"), word="from s3\n")
    build = stage.run(sourceTypeOverride="S3", sourceLocationOverride=source["location"], buildspecOverride="")
    assert stage.output(build) == ["from s3"]
    assert build["source"] == {"type": "S3", "location": source["location"], "buildspec": ""}


def test_a_pipelines_project_builds_by_itself_with_another_source(stage: Stage) -> None:
    """When its source and its artifacts are overridden."""
    stage.create(**PIPED)
    build = stage.run(
        sourceTypeOverride="NO_SOURCE",
        buildspecOverride=spec("echo alone"),
        artifactsOverride={"type": "NO_ARTIFACTS"},
    )
    assert stage.output(build) == ["alone"]


def test_a_token_starts_one_build(stage: Stage) -> None:
    """For five minutes; with other parameters it is refused."""
    stage.create()
    first = stage.start(idempotencyToken="t")
    assert stage.start(idempotencyToken="t") == first
    code, message = refusal(stage.cb.start_build, projectName=NAME, idempotencyToken="t", timeoutInMinutesOverride=9)
    assert (code, message) == ("InvalidInputException", "The idempotency token was given before, with other parameters")
    stage.wait(300)
    assert stage.start(idempotencyToken="t") != first


def test_a_build_goes_by_the_project_as_it_was(stage: Stage) -> None:
    """What becomes of the project later does not touch it."""
    stage.create(source=inline("echo old"))
    build = stage.start()
    stage.cb.update_project(name=NAME, source=inline("echo new"))
    stage.settle()
    assert stage.output(stage.shown(build)) == ["old"]


def test_a_build_can_be_started_again(stage: Stage) -> None:
    """As it was asked for then, with another id."""
    stage.create(source=inline("echo $GREETING"))
    first = stage.run(environmentVariablesOverride=[{"name": "GREETING", "value": "hello"}])
    again = stage.cb.retry_build(id=first["arn"])["build"]
    stage.settle()
    assert (again["id"] != first["id"], again["buildNumber"]) == (True, 2)
    assert stage.output(stage.shown(again["id"])) == ["hello"]


def test_a_project_runs_no_more_builds_than_it_may(stage: Stage) -> None:
    """The next one is refused until one has ended."""
    stage.create(concurrentBuildLimit=1)
    stage.start()
    code, message = refusal(stage.cb.start_build, projectName=NAME)
    assert (code, message) == (
        "AccountLimitExceededException",
        "Cannot have more than 1 builds in queue for the project",
    )
    stage.settle()
    assert stage.run()["buildStatus"] == "SUCCEEDED"


def test_a_role_that_is_gone_fails_the_build_at_once(stage: Stage) -> None:
    """CodeBuild cannot take it on."""
    stage.create()
    iam = stage.world.client("iam")
    iam.delete_role_policy(RoleName="build", PolicyName="build")
    iam.delete_role(RoleName="build")
    build = stage.run()
    assert phases(build) == {"SUBMITTED": "FAILED"}
    assert reason(build, "SUBMITTED")[0] == "ACCESS_DENIED"
    assert build["buildStatus"] == "FAILED"


# ---- ending before the time


def test_a_stopped_build_stays_stopped(stage: Stage) -> None:
    """The phase that ran is stopped with it; stopping again changes nothing."""
    stage.create(source=inline("true", pre_build=["true"]))
    build = stage.start()
    stage.until_phase(build, "BUILD")
    stopped = stage.cb.stop_build(id=build)["build"]
    assert (stopped["buildStatus"], stopped["buildComplete"], stopped["currentPhase"]) == ("STOPPED", True, "COMPLETED")
    assert (phases(stopped)["PRE_BUILD"], phases(stopped)["BUILD"]) == ("SUCCEEDED", "STOPPED")
    stage.settle()
    assert stage.cb.stop_build(id=build)["build"] == stopped


def test_a_build_is_stopped_in_the_middle_of_a_command(stage: Stage) -> None:
    """Nothing of it lives on, and the world can be saved at once."""
    stage.create(source=inline("echo begun; sleep 600; echo never", post_build=["echo never"]))
    build = stage.start()
    stage.wait(100)
    assert len(stage.world.participants.children) == 1
    stage.cb.stop_build(id=build)
    assert not stage.world.participants.children
    stage.settle()
    assert stage.shown(build)["buildStatus"] == "STOPPED"
    assert "never\n" not in stage.log(stage.shown(build)).replace("echo never", "")


def test_a_build_may_stop_itself(stage: Stage) -> None:
    """The call that stops it is its last."""
    stage.allow({"Effect": "Allow", "Action": "*", "Resource": "*"})
    stage.create(source=inline("aws codebuild stop-build --id $CODEBUILD_BUILD_ID", "echo never"))
    assert stage.run()["buildStatus"] == "STOPPED"


def test_a_build_that_takes_too_long_times_out(stage: Stage) -> None:
    """At the end of the time that its project gives it."""
    stage.create(source=inline("sleep 1h", post_build=["true"]), timeoutInMinutes=5)
    build = stage.run()
    assert (build["buildStatus"], phases(build)["BUILD"]) == ("TIMED_OUT", "TIMED_OUT")
    assert reason(build, "BUILD") == ("BUILD_TIMED_OUT", "Build has timed out. ")
    assert (build["endTime"] - build["startTime"]).total_seconds() == 300
    assert "POST_BUILD" not in phases(build)
