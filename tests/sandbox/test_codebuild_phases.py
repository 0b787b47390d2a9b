"""What follows a phase that failed, where the sources of a build come from, and what its log and its events tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from codebuild_stage import COMMIT, S3, SOURCES, Stage, fresh, inline, phases, reason, spec, zipped

PHASES = ("install", "pre_build", "build", "post_build")


@pytest.fixture
def stage() -> Stage:
    return fresh()


# ---- failing


@pytest.mark.parametrize(("failing", "ran"), [("install", 1), ("pre_build", 2), ("build", 4), ("post_build", 4)])
def test_what_follows_a_failed_phase(stage: Stage, failing: str, ran: int) -> None:
    """After a failed build post_build still runs; after a failed preparation nothing does."""
    every = {name: [f"echo {name}", *(["false"] if name == failing else [])] for name in PHASES}
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec(**every)})
    build = stage.run()
    assert stage.output(build) == list(PHASES[:ran])
    assert phases(build).get("UPLOAD_ARTIFACTS") == ("SUCCEEDED" if ran == 4 else None)
    assert build["buildStatus"] == "FAILED"
    assert phases(build)[failing.upper()] == "FAILED"
    assert reason(build, failing.upper()) == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: false. Reason: exit status 1",
    )


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
