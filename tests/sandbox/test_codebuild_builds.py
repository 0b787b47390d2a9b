"""Builds: started, looked at, stopped and started again; phases, statuses, logs and artifacts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from codebuild_stage import (
    CASES,
    IMAGE,
    NAME,
    RESULTS,
    SOURCES,
    Stage,
    environment,
    fresh,
    phases,
    reason,
    refusal,
    spec,
    unzipped,
    zipped,
)

from runbook_lib.sandbox.services import codebuild
from runbook_lib.sandbox.settings import BUILD_PHASE_SECONDS

KEYS = json.loads((CASES / "keys.json").read_text(encoding="utf-8"))
COMMIT = "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/orders"
S3 = {"type": "S3", "location": RESULTS}
ORDER = list(BUILD_PHASE_SECONDS)
PIPED = {"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}


@pytest.fixture
def stage() -> Stage:
    return fresh()


def inline(*commands: str, **more: Any) -> dict[str, str]:
    """A source that is nothing but a buildspec."""
    return {"type": "NO_SOURCE", "buildspec": spec(*commands, **more)}


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


# ---- failing


@pytest.mark.parametrize(
    ("failing", "ran"),
    [
        ("install", ["install", "upload"]),
        ("pre_build", ["install", "pre_build"]),
        ("build", ["install", "pre_build", "build", "post_build"]),
        ("post_build", ["install", "pre_build", "build", "post_build"]),
    ],
)
def test_what_follows_a_failed_phase(stage: Stage, failing: str, ran: list[str]) -> None:
    """After a failed build post_build still runs; after a failed preparation nothing does."""
    every = {name: [f"echo {name}", *(["false"] if name == failing else [])] for name in PHASES}
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec(**every)})
    build = stage.run()
    wanted = [name for name in PHASES if name in ran]
    assert stage.output(build) == wanted
    assert build["buildStatus"] == "FAILED"
    assert phases(build)[failing.upper()] == "FAILED"
    assert reason(build, failing.upper()) == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: false. Reason: exit status 1",
    )


PHASES = ("install", "pre_build", "build", "post_build")


def test_the_rest_of_a_failed_phase_is_skipped_but_for_finally(stage: Stage) -> None:
    """The finally block runs after a failure and after a success."""
    failing = {"commands": ["echo one", "false", "echo two"], "finally": ["echo cleaned up"]}
    well = {"commands": ["echo three"], "finally": ["echo and up"]}
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec(build=failing, post_build=well)})
    assert stage.output(stage.run()) == ["one", "cleaned up", "three", "and up"]


def test_a_finally_block_that_fails_fails_the_phase(stage: Stage) -> None:
    """With its own command in the message."""
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec(build={"commands": ["true"], "finally": ["exit 7"]})})
    build = stage.run()
    assert reason(build, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: exit 7. Reason: exit status 7",
    )


@pytest.mark.parametrize(
    ("word", "ran"), [("ABORT", ["build"]), ("CONTINUE", ["build", "after"]), ("RETRY-2", ["build"])]
)
def test_on_failure_says_how_to_go_on(stage: Stage, word: str, ran: list[str]) -> None:
    """The build has failed in any case."""
    failing = {"on-failure": word, "commands": ["echo build", "false"]}
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec(build=failing, post_build=["echo after"])})
    build = stage.run()
    assert stage.output(build) == ran
    assert (build["buildStatus"], phases(build).get("UPLOAD_ARTIFACTS")) == (
        "FAILED",
        "SUCCEEDED" if word == "CONTINUE" else None,
    )


def test_continue_goes_on_after_a_failed_preparation(stage: Stage) -> None:
    """Where the build would be skipped without it."""
    failing = {"on-failure": "CONTINUE", "commands": ["false"]}
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec("echo built", pre_build=failing)})
    assert stage.output(stage.run()) == ["built"]


def test_commands_are_told_whether_the_build_is_going_well(stage: Stage) -> None:
    """1 before the failure, 0 after it."""
    told = "echo $CODEBUILD_BUILD_SUCCEEDING"
    stage.create(source=inline(told, "false", pre_build=[told], post_build=[told]))
    assert stage.output(stage.run()) == ["1", "1", "0"]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (None, "YAML_FILE_ERROR", "stat /codebuild/output/src217100721/src/buildspec.yml: no such file or directory"),
        ("phases: {}\n", "YAML_FILE_ERROR", "missing version: 0.2 is expected at line 1 in buildspec.yml"),
        (
            "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n",
            "YAML_FILE_ERROR",
            "Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line "
            "4 might be empty in buildspec.yml",
        ),
        (
            "version: 0.2\nphases:\n  build:\n    on-failure: STOP\n    commands: [a]\n",
            "YAML_FILE_ERROR",
            "Invalid on-failure: STOP. Expecting: ABORT,CONTINUE,RETRY at line 4 in buildspec.yml",
        ),
        (
            "version: 0.2\nphases:\n  test:\n    commands: [a]\n",
            "YAML_FILE_ERROR",
            "Invalid buildspec phase name found: test. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD at line 4 in "
            "buildspec.yml",
        ),
    ],
)
def test_a_buildspec_that_cannot_be_used_fails_the_download(
    stage: Stage, text: str | None, code: str, message: str
) -> None:
    """The build is over before a command has run."""
    stage.create(source=stage.put("s.zip", **({"buildspec__yml": text} if text else {"x": ""})))
    build = stage.run()
    assert reason(build, "DOWNLOAD_SOURCE") == (code, message)
    assert [name for name, status in phases(build).items() if status == "SUCCEEDED"][-1] == "FINALIZING"
    assert "BUILD" not in phases(build)


# ---- sources


def test_a_commit_is_built_by_branch_or_by_its_id(stage: Stage) -> None:
    """The commit that was built is told."""
    first = stage.push(buildspec__yml=spec("cat word; echo $CODEBUILD_RESOLVED_SOURCE_VERSION"), word="one\n")
    second = stage.push(word="two\n")
    stage.create(source={"type": "CODECOMMIT", "location": COMMIT})
    for version, commit, word in ((None, second, "two"), ("refs/heads/main", second, "two"), (first, first, "one")):
        build = stage.run(**({"sourceVersion": version} if version else {}))
        assert stage.output(build) == [word, commit]
        assert (build["resolvedSourceVersion"], build.get("sourceVersion")) == (commit, version)


def test_a_branch_that_does_not_exist_fails_the_download(stage: Stage) -> None:
    """With CodeCommit's words."""
    stage.push(x="")
    stage.create(source={"type": "CODECOMMIT", "location": COMMIT})
    build = stage.run(sourceVersion="nowhere")
    code, message = reason(build, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    assert message.endswith("for primary source and source version nowhere")


def test_a_folder_in_s3_is_a_source(stage: Stage) -> None:
    """All that lies below the key."""
    s3 = stage.world.client("s3")
    for key, body in (("f/buildspec.yml", spec("cat a/b")), ("f/a/b", "deep\n"), ("g/x", "")):
        s3.put_object(Bucket=SOURCES, Key=key, Body=body.encode())
    stage.create(source={"type": "S3", "location": f"{SOURCES}/f/"})
    assert stage.output(stage.run()) == ["deep"]


@pytest.mark.parametrize(
    ("key", "body", "message"),
    [
        ("none.zip", None, "NoSuchKey: The specified key does not exist."),
        ("text.zip", b"text", "zip: not a valid zip file for primary source orders-sources/text.zip"),
        ("evil.zip", zipped({"../../x": ""}), "illegal file path ../../x in primary source orders-sources/evil.zip"),
    ],
)
def test_a_source_that_is_no_archive_fails_the_download(
    stage: Stage, key: str, body: bytes | None, message: str
) -> None:
    """Even where the buildspec lies elsewhere."""
    if body is not None:
        stage.world.client("s3").put_object(Bucket=SOURCES, Key=key, Body=body)
    stage.create(source={"type": "S3", "location": f"{SOURCES}/{key}", "buildspec": spec("true")})
    build = stage.run()
    code, told = reason(build, "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    assert told.startswith(message)


def test_a_source_outside_of_aws_cannot_be_reached(stage: Stage) -> None:
    """The build says so."""
    stage.create(source={"type": "GITHUB", "location": "https://github.com/x/y"})
    assert reason(stage.run(), "DOWNLOAD_SOURCE")[1].startswith("GITHUB cannot be reached from the sandbox")


def test_secondary_sources_lie_beside_the_primary_one(stage: Stage) -> None:
    """Their folders are told by their identifiers."""
    first = stage.push(word="old\n")
    stage.push(word="new\n")
    stage.create(
        source={**stage.put("a.zip", word="primary\n"), "buildspec": spec("cat word $CODEBUILD_SRC_DIR_more/word")},
        secondarySources=[{"type": "CODECOMMIT", "location": COMMIT, "sourceIdentifier": "more"}],
    )
    assert stage.output(stage.run()) == ["primary", "new"]
    versions = [{"sourceIdentifier": "more", "sourceVersion": first}]
    build = stage.run(secondarySourcesVersionOverride=versions)
    assert (stage.output(build), build["secondarySourceVersions"]) == (["primary", "old"], versions)


def test_a_buildspec_lies_where_the_project_says(stage: Stage) -> None:
    """In another file of the source, or in S3."""
    source = stage.put("s.zip", ci___build__yml=spec("echo from a file"))
    stage.world.client("s3").put_object(Bucket=SOURCES, Key="spec.yml", Body=spec("echo from s3").encode())
    stage.create(source={**source, "buildspec": "ci/build.yml"})
    assert stage.output(stage.run()) == ["from a file"]
    assert stage.output(stage.run(buildspecOverride=f"arn:aws:s3:::{SOURCES}/spec.yml")) == ["from s3"]


# ---- artifacts

TREE = "mkdir -p out/sub; echo 1 > out/a.txt; echo 2 > out/sub/b.txt; echo 3 > top.md; ln -s gone out/dangling.txt"


def test_an_artifact_is_a_zip_in_the_bucket(stage: Stage) -> None:
    """With its checksums, in the answer and on the object."""
    stage.create(source=inline(TREE, artifacts={"files": ["out/**/*", "top.md"]}), artifacts={**S3, "packaging": "ZIP"})
    build = stage.run()
    packed = stage.stored(RESULTS, "orders.zip")
    assert unzipped(packed) == {"out/a.txt": "1\n", "out/sub/b.txt": "2\n", "top.md": "3\n"}
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{RESULTS}/orders.zip"
    assert build["artifacts"]["sha256sum"] == hashlib.sha256(packed).hexdigest()
    head = stage.world.client("s3").head_object(Bucket=RESULTS, Key="orders.zip")
    assert head["Metadata"]["codebuild-content-md5"] == build["artifacts"]["md5sum"]


@pytest.mark.parametrize(
    ("artifact", "files"),
    [
        ({"files": ["**/*"], "base-directory": "out"}, {"a.txt": "1\n", "sub/b.txt": "2\n"}),
        ({"files": ["*"], "base-directory": "out"}, {"a.txt": "1\n"}),
        ({"files": ["**/*"], "base-directory": "o*"}, {"a.txt": "1\n", "sub/b.txt": "2\n"}),
        ({"files": ["*.txt"], "base-directory": "/tmp"}, {"c.txt": "4\n"}),
        ({"files": ["**/*.txt"], "discard-paths": "yes"}, {"a.txt": "1\n", "b.txt": "2\n"}),
        ({"files": ["**/*"], "exclude-paths": ["out/sub/**/*"]}, {"out/a.txt": "1\n", "top.md": "3\n"}),
        ({"files": ["./top.md", "nothing.md"]}, {"top.md": "3\n"}),
    ],
)
def test_an_artifact_holds_what_the_buildspec_names(
    stage: Stage, artifact: dict[str, Any], files: dict[str, str]
) -> None:
    """By folder, by pattern, with and without paths."""
    stage.create(
        source=inline(f"{TREE}; echo 4 > $TMPDIR/c.txt", artifacts=artifact), artifacts={**S3, "packaging": "ZIP"}
    )
    stage.run()
    assert unzipped(stage.stored(RESULTS, "orders.zip")) == files


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({}, ["orders/top.md"]),
        ({"name": "named"}, ["named/top.md"]),
        ({"name": "n.zip", "packaging": "ZIP", "path": "/p/q"}, ["p/q/n.zip"]),
        ({"namespaceType": "BUILD_ID", "packaging": "ZIP"}, ["BUILD/orders.zip"]),
        ({"overrideArtifactName": True, "name": "x"}, ["by-spec/top.md"]),
    ],
)
def test_an_artifact_lies_where_the_project_says(stage: Stage, settings: dict[str, Any], keys: list[str]) -> None:
    """Path, id of the build, and name."""
    artifact = {"files": ["top.md"], "name": "by-spec"}
    stage.create(source=inline(TREE, artifacts=artifact), artifacts={**S3, **settings})
    build = stage.run()
    assert stage.listed() == [key.replace("BUILD", build["id"].partition(":")[2]) for key in keys]
    assert bool(build["artifacts"]["sha256sum"]) == (settings.get("packaging") == "ZIP")


def test_secondary_artifacts_go_their_own_ways(stage: Stage) -> None:
    """Each by its identifier; one that the project does not name goes nowhere."""
    more = {"docs": {"files": ["top.md"]}, "other": {"files": ["out/a.txt"]}}
    stage.create(
        source=inline(TREE, artifacts={"files": ["out/a.txt"], "secondary-artifacts": more}),
        artifacts={**S3, "packaging": "ZIP"},
        secondaryArtifacts=[{**S3, "artifactIdentifier": "docs", "name": "docs.zip", "packaging": "ZIP"}],
    )
    build = stage.run()
    assert stage.listed() == ["docs.zip", "orders.zip"]
    assert unzipped(stage.stored(RESULTS, "docs.zip")) == {"top.md": "3\n"}
    assert [(one["artifactIdentifier"], one["location"]) for one in build["secondaryArtifacts"]] == [
        ("docs", f"arn:aws:s3:::{RESULTS}/docs.zip")
    ]


def test_without_artifacts_nothing_is_stored(stage: Stage) -> None:
    """Whatever the buildspec names."""
    stage.create(source=inline(TREE, artifacts={"files": ["nothing"]}))
    build = stage.run()
    assert (build["buildStatus"], stage.listed(), build["artifacts"]) == ("SUCCEEDED", [], {"location": ""})


@pytest.mark.parametrize(
    ("artifact", "bucket", "message"),
    [
        ({"files": ["none"]}, RESULTS, "no matching artifact paths found"),
        (
            {"files": ["*"], "base-directory": "none"},
            RESULTS,
            "no matching base directory path found for none",
        ),
        (
            {"files": ["top.md"]},
            "nobodys",
            "Error in UPLOAD_ARTIFACTS phase: [NoSuchBucket: The specified bucket does not exist]",
        ),
    ],
)
def test_an_artifact_that_cannot_be_stored_fails_the_build(
    stage: Stage, artifact: dict[str, Any], bucket: str, message: str
) -> None:
    """In the phase that stores it."""
    stage.allow({"Effect": "Allow", "Action": "*", "Resource": "*"})
    stage.create(source=inline(TREE, artifacts=artifact), artifacts={"type": "S3", "location": bucket})
    build = stage.run()
    assert (build["buildStatus"], phases(build)["FINALIZING"]) == ("FAILED", "SUCCEEDED")
    assert reason(build, "UPLOAD_ARTIFACTS") == ("CLIENT_ERROR", message)


def test_the_same_files_are_the_same_artifact(stage: Stage) -> None:
    """No time and no order of the machine is in it."""
    stage.create(source=inline(TREE, artifacts={"files": ["**/*"]}), artifacts={**S3, "packaging": "ZIP"})
    sums = {stage.run()["artifacts"]["sha256sum"] for _ in range(2)}
    assert len(sums) == 1


# ---- for a pipeline


def test_a_pipeline_hands_over_and_takes_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its artifacts are the objects that it names, and it is told of the end."""
    told: list[tuple[Any, ...]] = []
    monkeypatch.setitem(codebuild.HANDLERS, "codebuild.told", lambda world, *args: told.append(args))
    stage.put("in.zip", buildspec__yml=spec("cat word > out", artifacts={"files": ["out"]}), word="in\n")
    stage.create(**PIPED)
    id = codebuild.start(
        stage.world,
        project=NAME,
        source=(SOURCES, "in.zip"),
        output=(RESULTS, "out/abc"),
        revision="0123abc",
        initiator="codepipeline/orders",
        environment={"GREETING": "hello"},
        on_done=("codebuild.told", "mine"),
    )
    stage.settle()
    build = stage.shown(id)
    assert told == [("mine", id)]
    assert unzipped(stage.stored(RESULTS, "out/abc")) == {"out": "in\n"}
    assert (build["initiator"], build["resolvedSourceVersion"]) == ("codepipeline/orders", "0123abc")
    assert build["sourceVersion"] == f"arn:aws:s3:::{SOURCES}/in.zip"
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{RESULTS}/out/abc"
    assert refusal(stage.cb.retry_build, id=id)[0] == "InvalidInputException"


def test_a_pipeline_with_many_artifacts_names_them(stage: Stage) -> None:
    """The first source is the primary one; artifacts go by the names of the buildspec."""
    more = {"one": {"files": ["word"]}, "two": {"files": ["both"]}}
    text = spec("cat word $CODEBUILD_SRC_DIR_B/word > both", artifacts={"files": ["x"], "secondary-artifacts": more})
    stage.put("a.zip", buildspec__yml=text, word="a\n")
    stage.put("b.zip", word="b\n")
    stage.create(**PIPED)
    id = codebuild.start(
        stage.world,
        project=NAME,
        source=None,
        sources={"A": (SOURCES, "a.zip"), "B": (SOURCES, "b.zip")},
        outputs={"one": (RESULTS, "1"), "two": (RESULTS, "2")},
        initiator="codepipeline/orders",
    )
    stage.settle()
    assert stage.shown(id)["buildStatus"] == "SUCCEEDED"
    assert [unzipped(stage.stored(RESULTS, key)) for key in "12"] == [{"word": "a\n"}, {"both": "a\nb\n"}]


def test_a_stopped_build_of_a_pipeline_is_told_of(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once."""
    told: list[str] = []
    monkeypatch.setitem(codebuild.HANDLERS, "codebuild.told", lambda world, id: told.append(id))
    stage.put("in.zip", buildspec__yml=spec("true"))
    stage.create(**PIPED)
    id = codebuild.start(
        stage.world, project=NAME, source=(SOURCES, "in.zip"), initiator="x", on_done=("codebuild.told",)
    )
    stage.wait(15)
    codebuild.stop(stage.world, id)
    stage.settle()
    assert told == [id]
    assert codebuild.build(stage.world, id)["buildStatus"] == "STOPPED"


# ---- logs and events


def test_the_log_tells_the_build_in_the_agents_words(stage: Stage) -> None:
    """Phases, commands, what they wrote, and how each ended."""
    stage.create(source=inline("echo hello", "ls nothing", artifacts={"files": ["*.md"]}), artifacts=S3)
    lines = [line[len("[Container] 2026/03/02 09:01:00.000000 ") :] for line in _agent(stage, stage.run())]
    assert lines[:6] == [
        "Waiting for agent ping",
        "Waiting for DOWNLOAD_SOURCE",
        "Phase is DOWNLOAD_SOURCE",
        "CODEBUILD_SRC_DIR=/codebuild/output/src217100721/src",
        "YAML location is /codebuild/readonly/buildspec.yml",
        "Processing environment variables",
    ]
    begin = lines.index("Entering phase BUILD")
    assert lines[begin:] == [
        "Entering phase BUILD",
        "Running command echo hello",
        "Running command ls nothing",
        "Command did not exit successfully ls nothing exit status 2",
        "Phase complete: BUILD State: FAILED",
        "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: ls nothing. "
        "Reason: exit status 2",
        "Entering phase POST_BUILD",
        "Phase complete: POST_BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Expanding base directory path: .",
        "Assembling file list",
        "Expanding .",
        "Expanding file paths for base directory .",
        "Assembling file list",
        "Expanding *.md",
        "no matching artifact paths found",
        "Phase complete: UPLOAD_ARTIFACTS State: FAILED",
        "Phase context status code: CLIENT_ERROR Message: no matching artifact paths found",
    ]


def _agent(stage: Stage, build: dict[str, Any]) -> list[str]:
    return [line for line in stage.log(build).splitlines() if line.startswith("[Container]")]


def test_lines_have_the_worlds_times(stage: Stage) -> None:
    """Those of a command that sleeps, too."""
    stage.create(source=inline("echo a; sleep 7; echo b"))
    events = stage.events(stage.run())
    times = {each["message"]: datetime.fromtimestamp(each["timestamp"] / 1000, UTC) for each in events}
    assert (times["b\n"] - times["a\n"]).total_seconds() == 7
    assert times["a\n"].isoformat() == "2026-03-02T09:01:14+00:00"


def test_a_build_can_do_without_a_log(stage: Stage) -> None:
    """When the project turns it off."""
    stage.create(logsConfig={"cloudWatchLogs": {"status": "DISABLED"}})
    build = stage.run()
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["logs"]["cloudWatchLogs"] == {"status": "DISABLED"}
    assert stage.world.client("logs").describe_log_groups()["logGroups"] == []


def test_the_state_of_a_build_is_an_event(stage: Stage) -> None:
    """One when it begins, one when it has ended."""
    stage.create()
    id = stage.run()["id"]
    told = [
        event["detail"]
        for event in stage.world.store("events").emitted
        if event["detail-type"] == "CodeBuild Build State Change"
    ]
    assert [one["build-status"] for one in told] == ["IN_PROGRESS", "SUCCEEDED"]
    assert told[1]["build-id"].endswith(f"build/{id}")
    assert told[1]["additional-information"]["build-complete"] is True
