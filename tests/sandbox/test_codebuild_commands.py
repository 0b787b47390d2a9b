"""The commands of a build: their shell, its variables and its clock, and the AWS CLI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codebuild_stage import ACCOUNT, NAME, RESULTS, Stage, environment, fresh, reason, spec

from runbook_lib.sandbox.services import codebuild
from runbook_lib.sandbox.services.codebuild import performing, workshop
from runbook_lib.sandbox.settings import Settings


@pytest.fixture
def stage() -> Stage:
    return fresh()


# ---- the shell


def test_nothing_of_this_machine_reaches_a_build(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables, nor credentials, nor the names of its folders."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "HOST_ONLY"):
        monkeypatch.setenv(name, "of-this-machine")
    lines = stage.commands("env", "set", "pwd", "echo ~", "aws configure list", "ls -a ~")
    text = "\n".join(lines)
    assert "of-this-machine" not in text
    assert not [line for line in lines if line.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "RUNBOOK"))]
    assert ("/codebuild/output/src217100721/src" in lines, "/root" in lines) == (True, True)
    assert "codebuild-" not in text.replace("/codebuild-", "")


def test_the_cli_calls_as_the_builds_own_role(stage: Stage) -> None:
    """Whoever started the build."""
    assert stage.commands("aws sts get-caller-identity --query Arn --output text")[0].startswith(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/build/AWSCodeBuild-"
    )


def test_all_commands_share_one_shell(stage: Stage) -> None:
    """Variables, functions, options and the folder go on, from command to command and from phase to phase."""
    build = stage.tried(
        "echo $word ${list[1]} $(hello ada)",
        "pwd; set -o | grep -c 'noglob.*on'",
        install=["mkdir sub; cd sub", "word=plain; list=(a b)", "hello() { echo hello $1; }", "set -f"],
        post_build=["echo $IFS_KEPT; cd ..; pwd; umask"],
        env={"shell": "bash"},
    )
    folder = "/codebuild/output/src217100721/src"
    assert stage.succeeded(build) == ["plain b hello ada", f"{folder}/sub", "1", folder, "0022"]


def test_a_command_may_go_on_over_lines(stage: Stage) -> None:
    """A block is one command, and the last line decides."""
    lines = stage.commands(
        "if true; then\n  echo one\nfi\nfalse\necho two\n", "cat <<END\n@ 'quoted' \"text\" @\nEND\n"
    )
    assert lines == ["one", "two", "@ 'quoted' \"text\" @"]


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 3", 3), ("set -e; false; true", 1), ("kill -9 $$", 137), ("exit 124", 124), ("(exit 200)", 200)],
)
def test_a_command_that_ends_the_shell_fails_with_its_status(stage: Stage, command: str, status: int) -> None:
    """And what comes after it in the phase is skipped."""
    build = stage.tried(command, "echo never", post_build=["echo after"])
    assert stage.output(build) == ["after"]
    assert reason(build, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        f"Error while executing command: {command}. Reason: exit status {status}",
    )


def test_set_x_shows_commands_and_nothing_else(stage: Stage) -> None:
    """The shell's own bookkeeping stays hidden, in the next phase too, and after it is turned off."""
    lines = stage.commands("set -x", "echo one", "false || true", post_build=["echo two", "set +x", "echo three"])
    shown = [line.replace("++ ", "+ ") for line in lines]
    assert shown == ["+ echo one", "one", "+ false", "+ true", "+ echo two", "two", "+ set +x", "three"]


def test_a_trap_of_the_commands_is_kept_apart_from_the_shells_own(stage: Stage) -> None:
    """It runs when the phase ends, and the next phase still finds what was set."""
    lines = stage.commands("trap 'echo bye' EXIT", "WORD=kept", post_build=["echo $WORD"])
    assert lines == ["bye", "kept"]


def test_options_of_the_shell_hold_in_the_next_phase(stage: Stage) -> None:
    """Even those that would stop the shell's own bookkeeping."""
    begin = ["set -euo pipefail; set -C", "word=kept; readonly fixed=1; declare -A map=([a]=b)"]
    lines = stage.commands("echo $word $fixed ${map[a]}", "echo ${none:-unset}", install=begin, env={"shell": "bash"})
    assert lines == ["kept 1 b", "unset"]
    assert reason(stage.tried("echo $none", install=["set -u"]), "BUILD")[0] == "COMMAND_EXECUTION_ERROR"


@pytest.mark.parametrize("written", ["\\036", "\\036\\n", "\\036end of it", "\\036begin", "\\036now soon"])
def test_output_may_hold_any_character(stage: Stage, written: str) -> None:
    """Those by which the shell tells where it is, too."""
    lines = stage.commands(f"printf 'a{written}b'", "echo c")
    assert lines[-1] == "c"
    assert "".join(lines[:-1]).startswith("a")


def test_values_are_passed_on_as_they_are(stage: Stage) -> None:
    """Quotes, lines and letters of any language; a name that a shell cannot have is left out."""
    stage.create(
        source={"type": "NO_SOURCE", "buildspec": spec('printf "%s" "$A"; echo $B', "env | grep -c ^MY || true")},
        environment=environment(A='it\'s "q" $HOME `x` \\n é\nsecond ', B="b", **{"MY-VAR": "x"}),
    )
    assert stage.output(stage.run()) == ['it\'s "q" $HOME `x` \\n é', "second b", "0"]


def test_two_builds_run_side_by_side(stage: Stage) -> None:
    """Each sleeps its own time."""
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec("sleep $SECONDS_TO_SLEEP; date +%s")})
    started = [
        stage.start(environmentVariablesOverride=[{"name": "SECONDS_TO_SLEEP", "value": value}])
        for value in ("90", "60")
    ]
    stage.settle()
    assert [stage.output(stage.shown(build)) for build in started] == [["1772442164"], ["1772442134"]]


def test_sh_is_the_shell_unless_bash_is_asked_for(stage: Stage) -> None:
    """The one of the buildspec."""
    assert stage.commands("echo ${SHELLOPTS}")[0].count("posix") == 1
    assert stage.commands("echo ${SHELLOPTS}", env={"shell": "bash"})[0].count("posix") == 0


def test_what_is_left_in_the_background_ends_with_its_phase(stage: Stage) -> None:
    """The build does not wait for it."""
    build = stage.tried("(while :; do :; done) & echo started")
    assert stage.succeeded(build) == ["started"]


def test_nothing_of_a_build_is_left_on_this_machine(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its process, nor a listener, nor its folder."""
    folders: list[str] = []
    real = workshop.make
    monkeypatch.setattr(workshop, "make", lambda *of: folders.append((made := real(*of)).seat.root) or made)
    assert stage.commands("touch left behind; echo done") == ["done"]
    assert (stage.world.participants.children, stage.world.participants.listening) == ({}, False)
    assert [Path(folder).exists() for folder in folders] == [False]


# ---- variables


def test_the_calls_variables_come_before_the_projects_and_these_before_the_buildspecs(stage: Stage) -> None:
    """Each overrules the next; a value is taken as it is."""
    text = spec(
        "echo $A $B $C '$'PATH-free: $D", env={"variables": {"A": "spec", "B": "spec", "C": "spec", "D": "$A:x"}}
    )
    stage.create(source={"type": "NO_SOURCE", "buildspec": text}, environment=environment(A="project", B="project"))
    build = stage.run(environmentVariablesOverride=[{"name": "A", "value": "call"}])
    assert stage.output(build) == ["call project spec $PATH-free: $A:x"]


def test_the_builds_own_variables_are_set(stage: Stage) -> None:
    """Those that buildspecs read."""
    names = "BUILD_ID BUILD_ARN BUILD_NUMBER BUILD_IMAGE INITIATOR SRC_DIR LOG_PATH START_TIME KMS_KEY_ID"
    build = stage.tried(
        *(f"echo $CODEBUILD_{name}" for name in names.split()), "echo $AWS_REGION $CI ${AWS_ACCOUNT_ID-no}"
    )
    id = build["id"]
    assert stage.output(build) == [
        id,
        f"arn:aws:codebuild:us-east-1:{ACCOUNT}:build/{id}",
        "1",
        build["environment"]["image"],
        "operator",
        "/codebuild/output/src217100721/src",
        id.partition(":")[2],
        "1772442060000",
        f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/s3",
        "us-east-1 true no",
    ]


def test_exported_variables_are_as_the_last_command_left_them(stage: Stage) -> None:
    """They are told with the build; AWS's own names and secrets never are."""
    stage.world.client("ssm").put_parameter(Name="/orders/p", Value="hidden", Type="String")
    names = ["TAG", "SET_BEFORE", "AWS_REGION", "SECRET"]
    env = {"variables": {"SET_BEFORE": "yes"}, "exported-variables": names}
    text = spec("TAG=one; test $SECRET = hidden", post_build=["TAG=two"], env=env)
    stage.create(source={"type": "NO_SOURCE", "buildspec": text})
    secret = {"name": "SECRET", "value": "/orders/p", "type": "PARAMETER_STORE"}
    build = stage.run(environmentVariablesOverride=[secret])
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["exportedEnvironmentVariables"] == [
        {"name": "TAG", "value": "two"},
        {"name": "SET_BEFORE", "value": "yes"},
    ]
    assert codebuild.build(stage.world, build["id"])["exportedEnvironmentVariables"][0]["value"] == "two"


def test_parameters_and_secrets_are_read_and_never_shown(stage: Stage) -> None:
    """Of the buildspec and of the project; the log has stars in their place."""
    stage.world.client("ssm").put_parameter(Name="/orders/p", Value="first-word", Type="SecureString")
    secrets = stage.world.client("secretsmanager")
    arn = secrets.create_secret(Name="orders-key", SecretString='{"user": "ada", "word": "second-word"}')["ARN"]
    secrets.create_secret(Name="orders-plain", SecretString="third-word")
    env = {
        "parameter-store": {"P": "/orders/p"},
        "secrets-manager": {"Q": "orders-key:word", "R": f"{arn}:user:AWSCURRENT", "S": "orders-plain"},
    }
    build = stage.tried("echo $P $Q $R $S $T", "test $P$Q = first-wordsecond-word", env=env, variables={"T": "x"})
    assert stage.succeeded(build) == ["*** *** *** *** x"]
    assert [word for word in ("first-word", "second-word", "third-word") if word in stage.log(build)] == []


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        (
            {"parameter-store": {"P": "/orders/none"}},
            "Decrypted Variables Error",
            "parameter does not exist: /orders/none",
        ),
        (
            {"secrets-manager": {"S": "orders-none"}},
            "Secrets Manager Error",
            "ResourceNotFoundException: Secrets Manager can't find the specified secret",
        ),
    ],
)
def test_a_variable_that_is_nowhere_fails_the_download(
    stage: Stage, env: dict[str, Any], code: str, message: str
) -> None:
    """With the words of the service that was asked."""
    told = reason(stage.tried("true", env=env), "DOWNLOAD_SOURCE")
    assert told[0] == code
    assert told[1].startswith(message)


# ---- time


def test_sleep_and_date_are_the_sandboxs(stage: Stage) -> None:
    """A long build plays in a moment and takes its time in the world."""
    build = stage.tried("date -u +%FT%TZ", "sleep 5m", "date +%s", "sleep 1.5 0.5s; date -u '+%H:%M:%S'", "date")
    assert stage.succeeded(build) == [
        "2026-03-02T09:01:14Z",
        "1772442374",
        "09:06:16",
        "Mon Mar  2 09:06:16 UTC 2026",
    ]
    lasted = {one["phaseType"]: one.get("durationInSeconds") for one in build["phases"]}
    assert lasted["BUILD"] == 302


def test_a_phase_that_sleeps_less_than_its_time_takes_its_time(stage: Stage) -> None:
    """The declared one."""
    build = stage.tried("sleep 10")
    assert next(one for one in build["phases"] if one["phaseType"] == "BUILD")["durationInSeconds"] == 30


def test_a_wrong_sleep_fails_as_the_real_one_does(stage: Stage) -> None:
    """With its words."""
    build = stage.tried("sleep soon")
    assert stage.output(build)[0] == "sleep: invalid time interval 'soon'"
    assert reason(build, "BUILD")[1].endswith("exit status 1")


def test_a_command_that_hangs_ends_as_a_time_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote is in the log; the build ends when its time is over."""
    monkeypatch.setattr(performing, "PATIENCE", 0.5)
    stage.create(source={"type": "NO_SOURCE", "buildspec": spec("echo begun", "tail -f /dev/null")}, timeoutInMinutes=5)
    build = stage.run()
    assert stage.output(build) == ["begun"]
    assert (build["buildStatus"], reason(build, "BUILD")[0]) == ("TIMED_OUT", "BUILD_TIMED_OUT")
    assert (build["endTime"] - build["startTime"]).total_seconds() == 300


# ---- commands


def test_a_command_that_is_not_known_is_skipped_and_says_so(stage: Stage) -> None:
    """Alone, in a script of its own, and with sudo."""
    lines = stage.commands(
        "npm ci", "printf '#!/bin/sh\\npip install x\\n' > s; chmod +x s; ./s", "sudo apt-get -y update"
    )
    assert lines == [
        "skipped in the sandbox: npm ci",
        "skipped in the sandbox: pip install x",
        "skipped in the sandbox: apt-get -y update",
    ]


def test_a_command_runs_when_the_settings_allow_it() -> None:
    """Really, with the world's address and the role's credentials."""
    stage = fresh(Settings(allow_commands=("python3",)))
    script = "import os, urllib.request as u; print(6 * 7, 'AWS_ACCESS_KEY_ID' in os.environ)"
    assert stage.commands(f'python3 -c "{script}"') == ["42 True"]


def test_an_allowed_command_calls_aws_through_the_same_door() -> None:
    """What the role does not allow is denied to it, too."""
    stage = fresh(Settings(allow_commands=("curl",)))
    auth = "Credential=$AWS_ACCESS_KEY_ID/20260302/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
    ask = (
        'curl -s -X POST -H "Authorization: AWS4-HMAC-SHA256 ' + auth + '" '
        "-H 'Content-Type: application/x-amz-json-1.1' "
        "-H 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.%s' -d '{}' $AWS_ENDPOINT_URL/"
    )
    lines = stage.commands(ask % "GetAuthorizationToken", ask % "DescribeRepositories")
    assert "authorizationData" in lines[0]
    assert "not authorized to perform: ecr:DescribeRepositories" in lines[-1]


def test_jq_and_the_like_work_on_files(stage: Stage) -> None:
    """What reads and writes files on the machine is there."""
    lines = stage.commands("""printf '{"a": [1, 2]}' > x; grep -c a x; sed s/a/b/ x; sort <<< 'c' | tr c d""")
    assert lines == ["1", '{"b": [1, 2]}d']


# ---- the AWS CLI


def test_the_cli_speaks_to_the_sandbox(stage: Stage) -> None:
    """Files go to S3 and come back."""
    lines = stage.commands(
        f"echo hello > x; aws s3 cp x s3://{RESULTS}/a/b%20c.txt",
        f"aws s3 ls s3://{RESULTS}/a/",
        f"aws s3 cp s3://{RESULTS}/a/b%20c.txt - ",
    )
    assert stage.stored(RESULTS, "a/b%20c.txt") == b"hello\n"
    assert lines[-1] == "hello"
    assert any("b%20c.txt" in line for line in lines[:-1])


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("aws ecr get-login", 252, "Invalid choice"),
        ("aws ecr describe-images --repository-name none-such", 254, "AccessDeniedException"),
        (f"aws ecr describe-images --repository-name {NAME} --image-ids imageTag=none", 254, "ImageNotFoundException"),
        ("aws ecr describe-images", 252, "repository-name"),
        ("aws --version", 0, "aws-cli/2."),
    ],
)
def test_the_cli_ends_as_version_2_does(stage: Stage, command: str, status: int, words: str) -> None:
    """Build images bring version 2, which has no get-login any more."""
    build = stage.tried(f"{command}; echo status $?")
    lines = stage.output(build)
    assert lines[-1] == f"status {status}"
    assert words in "\n".join(lines)
