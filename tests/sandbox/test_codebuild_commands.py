"""The commands of a build: their shell, its variables and its clock, docker, the AWS CLI, and what they may do."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from codebuild_stage import (
    ACCOUNT,
    DOCKERFILE,
    HOST,
    NAME,
    REGISTRY,
    RESULTS,
    Stage,
    environment,
    fresh,
    phases,
    policy,
    reason,
    spec,
    unzipped,
)

from runbook_lib.sandbox import Settings
from runbook_lib.sandbox.services import codebuild
from runbook_lib.sandbox.services.codebuild import performing

LOGIN = f"aws ecr get-login-password --region us-east-1 | docker login --username AWS --password-stdin {HOST}"
APP = {"Dockerfile": DOCKERFILE, "app__py": "print(1)\n"}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture
def stage() -> Stage:
    return fresh()


def built(stage: Stage, *commands: str, files: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A build of these commands in a folder with an application; docker is there, and time enough."""
    source = stage.put("app.zip", **(APP if files is None else files))
    stage.cb.delete_project(name=NAME)
    stage.create(
        source={**source, "buildspec": spec(*commands, **more)},
        environment=environment(privilegedMode=True, AWS_ACCOUNT_ID=ACCOUNT),
        timeoutInMinutes=2160,
    )
    return stage.run()


def succeeded(stage: Stage, build: dict[str, Any]) -> list[str]:
    assert build["buildStatus"] == "SUCCEEDED", stage.log(build)
    return stage.output(build)


# ---- the story of the seed


def test_a_build_pushes_an_image_and_names_it_for_the_deployment(stage: Stage) -> None:
    """Login, build, tag, push, and the file that a rolling deployment reads."""
    commit = stage.push(
        **APP,
        buildspec__yml=spec(
            "docker build -t orders:latest .",
            f"docker tag orders:latest {REGISTRY}:$IMAGE_TAG",
            pre_build=[LOGIN, "IMAGE_TAG=$(echo $CODEBUILD_RESOLVED_SOURCE_VERSION | cut -c 1-7)"],
            post_build=[
                f"docker push {REGISTRY}:$IMAGE_TAG",
                f"""printf '[{{"name":"orders","imageUri":"%s"}}]' {REGISTRY}:$IMAGE_TAG > imagedefinitions.json""",
            ],
            artifacts={"files": ["imagedefinitions.json"]},
        ),
    )
    stage.create(
        source={"type": "CODECOMMIT", "location": f"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{NAME}"},
        artifacts={"type": "S3", "location": RESULTS, "packaging": "ZIP"},
        environment=environment(privilegedMode=True),
    )
    assert "Login Succeeded" in succeeded(stage, stage.run())
    files = unzipped(stage.stored(RESULTS, "orders.zip"))
    assert json.loads(files["imagedefinitions.json"]) == [{"name": NAME, "imageUri": f"{REGISTRY}:{commit[:7]}"}]
    assert list(stage.images()) == [commit[:7]]


def test_a_build_reads_back_the_digest_of_its_image(stage: Stage) -> None:
    """As the buildspec of a blue/green deployment does."""
    lines = succeeded(
        stage,
        built(
            stage,
            LOGIN,
            f"docker build -q -t {REGISTRY}:v1 .",
            f"docker push -q {REGISTRY}:v1",
            f"aws ecr describe-images --repository-name {NAME} --image-ids imageTag=v1 "
            "--query 'imageDetails[0].imageDigest' --output text",
            f"docker inspect --format '{{{{index .RepoDigests 0}}}}' {REGISTRY}:v1",
        ),
    )
    digest = stage.images()["v1"]
    assert lines[-2:] == [digest, f"{REGISTRY}@{digest}"]


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
    assert succeeded(stage, build) == ["plain b hello ada", f"{folder}/sub", "1", folder, "0022"]


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
    assert succeeded(stage, build) == ["started"]


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
    build = stage.tried("echo $P $Q $R $S $T", "test $P$Q = first-wordsecond-word", env=env, environment={"T": "x"})
    assert succeeded(stage, build) == ["*** *** *** *** x"]
    assert "word" not in json.dumps(build, default=str).replace("second-word = ", "").replace(
        "first-wordsecond-word", ""
    ).replace("orders-key:word", "")


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
    assert succeeded(stage, build) == [
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


# ---- docker


def test_docker_needs_the_privilege(stage: Stage) -> None:
    """Without it there is no daemon."""
    build = stage.tried("docker build -t x .")
    assert stage.output(build) == [
        "Cannot connect to the Docker daemon at unix:/var/run/docker.sock. Is the docker daemon running?"
    ]
    assert phases(build)["BUILD"] == "FAILED"


def digest_of(stage: Stage, files: dict[str, str], options: str = "") -> str:
    """The digest of the image that these sources make."""
    build = built(
        stage, LOGIN, f"docker build {options} -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v", files=files
    )
    succeeded(stage, build)
    return stage.images()["v"]


def test_an_image_is_named_by_its_content(stage: Stage) -> None:
    """The same sources give the same digest, any other sources another one."""
    first = digest_of(stage, APP)
    assert digest_of(stage, {**APP, "README__md": ""}) == first, "a file that is not copied counts"
    assert digest_of(fresh(), APP) == first
    others = [
        digest_of(stage, {**APP, "app__py": "print(2)\n"}),
        digest_of(stage, {**APP, "Dockerfile": DOCKERFILE + "ENV X=1\n"}),
        digest_of(stage, {**APP, "Dockerfile": DOCKERFILE.replace("3.12", "3.13")}),
        digest_of(stage, APP, "--platform linux/arm64"),
        digest_of(stage, APP, "--label a=b"),
    ]
    assert len({first, *others}) == 6


def test_build_arguments_count_where_they_are_used(stage: Stage) -> None:
    """ARG gives ENV its value."""
    with_argument = {**APP, "Dockerfile": DOCKERFILE + "ARG VERSION=0\nENV APP_VERSION=$VERSION\n"}
    assert len({digest_of(stage, with_argument, f"--build-arg VERSION={one}") for one in (1, 2)}) == 2


def test_dockerignore_keeps_files_out(stage: Stage) -> None:
    """Of the context, and so of the digest."""
    files = {"Dockerfile": "FROM scratch\nCOPY . /app\n", "app__py": "1", "__dockerignore": "notes.md\n"}
    assert digest_of(stage, {**files, "notes__md": "a"}) == digest_of(stage, {**files, "notes__md": "b"})


def test_docker_tells_what_it_holds(stage: Stage) -> None:
    """images and inspect agree on the id."""
    lines = succeeded(
        stage,
        built(
            stage,
            "docker build -q -t orders:1 .",
            "docker tag orders:1 orders:2",
            "docker images -q orders",
            "docker images orders",
            "docker inspect --format '{{.Id}} {{.Config.Cmd}} {{json .RepoTags}}' orders:2",
        ),
    )
    id = lines[0]
    assert lines[1] == id.removeprefix("sha256:")[:12]
    assert [line.split()[:2] for line in lines[2:5]] == [["REPOSITORY", "TAG"], ["orders", "2"], ["orders", "1"]]
    assert lines[5] == f'{id} [/bin/sh -c python /app.py] ["orders:1","orders:2"]'


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        (["docker push {registry}:v"], "no basic auth credentials"),
        (["docker logout {host}", "docker push {registry}:v"], "no basic auth credentials"),
        (["{login}", "docker push {host}/none:v"], "denied: User:"),
        (["{login}", "docker push {registry}:other"], "An image does not exist locally with the tag"),
        (["{login}", "sleep 13h; docker push {registry}:v"], "Your authorization token has expired"),
        (["echo wrong | docker login --username AWS --password-stdin {host}"], "400 Bad Request"),
        (["docker login -u AWS {host} < /dev/null"], "Cannot perform an interactive login from a non TTY device"),
        (["docker build -f Nofile ."], "unable to prepare context"),
        (["docker tag none:1 orders:2"], "No such image: none:1"),
        (["docker inspect none"], "No such object: none"),
        (["docker build -t Orders ."], "repository name must be lowercase"),
        (["docker fly"], "docker: 'fly' is not a docker command."),
    ],
)
def test_docker_fails_in_its_own_words(stage: Stage, commands: list[str], words: str) -> None:
    """And the build with it."""
    filled = [each.format(login=LOGIN, registry=REGISTRY, host=HOST) for each in commands]
    build = built(stage, f"docker build -q -t {REGISTRY}:v -t {HOST}/none:v .", *filled)
    assert phases(build)["BUILD"] == "FAILED"
    assert words in "\n".join(stage.output(build))
    assert stage.images() == {}


MANY_STAGES = """
ARG PYTHON=3.12
FROM public.ecr.aws/docker/library/python:$PYTHON-slim AS base
ENV HOME=/app
FROM base AS tests
COPY app.py /
RUN python -m unittest
FROM base
# a comment between two lines
LABEL team="orders and more" \\
      tier=web
WORKDIR $HOME
WORKDIR src
COPY --from=tests /app.py .
USER app
EXPOSE 8080 9090/udp
ENTRYPOINT ["python"]
CMD ["app.py"]
"""


def test_a_dockerfile_of_many_stages_becomes_its_last_one(stage: Stage) -> None:
    """Or the one that is asked for; what the image says about its containers is what the file says."""
    show = "docker inspect --format '{{json .Config}}'"
    lines = succeeded(
        stage,
        built(
            stage,
            "docker build -q -t last . > id",
            f"{show} last",
            "docker build -q -t tests --target tests . > id",
            f"{show} tests",
            files={"Dockerfile": MANY_STAGES, "app__py": "1"},
        ),
    )
    assert json.loads(lines[0]) == {
        "Env": ["HOME=/app"],
        "Cmd": ["app.py"],
        "Entrypoint": ["python"],
        "ExposedPorts": {"8080/tcp": {}, "9090/udp": {}},
        "WorkingDir": "/app/src",
        "User": "app",
        "Labels": {"team": "orders and more", "tier": "web"},
    }
    assert json.loads(lines[1]) == {"Env": ["HOME=/app"]}


def test_what_another_stage_copies_counts(stage: Stage) -> None:
    """The digest changes with the file that only a stage before has read."""
    digests = {digest_of(stage, {"Dockerfile": MANY_STAGES, "app__py": text}) for text in "12"}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM scratch\nCOPY none.py .\n", "COPY failed: file not found in build context or excluded by .dockerignore"),
        ("FROM scratch\nCOPY ../x .\n", "COPY failed: forbidden path outside the build context: ../x"),
        ("FROM scratch\nCOPY a b /c\n", "the destination must be a directory and end with a /"),
        ("FROM scratch\nCOPY a\n", "COPY requires at least two arguments"),
        ("FROM scratch\nFLY away\n", "dockerfile parse error line 2: unknown instruction: FLY"),
        ("FROM scratch\n\nRUN\n", "dockerfile parse error line 3: RUN requires at least one argument"),
        ("FROM $NONE\n", "base name ($NONE) should not be blank"),
        ("FROM scratch\nEXPOSE http\n", "Invalid containerPort: http"),
        ("FROM scratch\nENV A\n", "ENV must have two arguments"),
        ("FROM scratch AS one two\n", "FROM requires either one or three arguments"),
        ("RUN true\n", "no build stage in current context"),
        ("# nothing\n", "cannot be empty"),
        (f"FROM {REGISTRY}:none\n", "no basic auth credentials"),
    ],
)
def test_a_dockerfile_that_cannot_be_built_fails_in_dockers_words(stage: Stage, dockerfile: str, words: str) -> None:
    """And leaves no image."""
    build = built(stage, "docker build -t x .", "echo never", files={"Dockerfile": dockerfile, "a": "", "b": ""})
    output = "\n".join(stage.output(build))
    assert phases(build)["BUILD"] == "FAILED"
    assert words in output
    assert "Successfully" not in output


def test_a_command_over_many_lines_is_one_step(stage: Stage) -> None:
    """With a here-document, or with lines that go on."""
    dockerfile = "FROM scratch\nRUN one && \\\n    two\nCOPY <<END /note\nFROM nowhere\nEND\n"
    lines = succeeded(stage, built(stage, "docker build -t x .", files={"Dockerfile": dockerfile}))
    assert [line for line in lines if line.startswith("Step")] == [
        "Step 1/3 : FROM scratch",
        "Step 2/3 : RUN one &&     two",
        "Step 3/3 : COPY <<END /note",
    ]


def test_docker_hub_can_run_into_its_limit(stage: Stage) -> None:
    """When the scenario says so; the public registry of AWS has none."""
    codebuild.refuse_docker_hub(stage.world, True)
    build = built(stage, "docker build -t x .", files={"Dockerfile": "FROM python:3.12\n"})
    assert "toomanyrequests: You have reached your unauthenticated pull rate limit" in "\n".join(stage.output(build))
    assert phases(build)["BUILD"] == "FAILED"
    succeeded(stage, built(stage, "docker build -t x ."))


def test_what_docker_cannot_do_here_is_skipped(stage: Stage) -> None:
    """With a word in the log."""
    assert succeeded(stage, built(stage, "docker run --rm x pytest", "docker compose up -d")) == [
        "skipped in the sandbox: docker run --rm x pytest",
        "skipped in the sandbox: docker compose up -d",
    ]


def test_a_pushed_image_can_be_the_base_of_the_next(stage: Stage) -> None:
    """It is pulled with the role of the build."""
    digest_of(stage, APP)
    build = built(stage, LOGIN, "docker build -t x .", files={"Dockerfile": f"FROM {REGISTRY}:v\nENV MORE=1\n"})
    assert succeeded(stage, build)[-1].startswith("Successfully tagged x:latest")
    assert ("ecr", "GetDownloadUrlForLayer", "") in stage.calls()


def test_a_tag_that_must_not_move_is_refused(stage: Stage) -> None:
    """The repository is immutable."""
    digest_of(stage, APP)
    stage.world.client("ecr").put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    build = built(
        stage, LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v", files={**APP, "app__py": "2"}
    )
    assert "tag invalid: The image tag 'v' already exists" in "\n".join(stage.output(build))


# ---- permissions


def test_docker_cannot_push_what_the_role_may_not(stage: Stage) -> None:
    """ECR's denial stands in the log, and in the record of calls."""
    stage.deny("ecr")
    build = built(stage, LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v")
    words = "\n".join(stage.output(build))
    assert "Login Succeeded" in words
    assert "denied: User: arn:aws:sts::123456789012:assumed-role/build/AWSCodeBuild-" in words
    action = "ecr:BatchCheckLayerAvailability"
    resource = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
    assert f"is not authorized to perform: {action} on resource: {resource} because no identity-based policy" in words
    assert stage.calls()[-1] == ("ecr", "BatchCheckLayerAvailability", "AccessDeniedException")


def test_without_a_token_there_is_no_login(stage: Stage) -> None:
    """The right to the token is one on everything."""
    stage.deny("token")
    build = built(stage, LOGIN)
    words = "\n".join(stage.output(build))
    assert "calling the GetAuthorizationToken operation: User: " in words
    assert "Cannot perform an interactive login" in words
    assert phases(build)["BUILD"] == "FAILED"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("aws ecs list-clusters", ("ecs", "ListClusters", "AccessDeniedException")),
        (f"aws s3 cp s3://{RESULTS}/x -", ("s3", "HeadObject", "AccessDenied")),
        ("aws s3api put-object --bucket elsewhere --key k", ("s3", "PutObject", "AccessDenied")),
        ("aws s3api list-buckets", ("s3", "ListBuckets", "AccessDenied")),
        ("aws ssm get-parameter --name /others/p", ("ssm", "GetParameter", "AccessDeniedException")),
        ("aws elbv2 describe-load-balancers", ("elbv2", "DescribeLoadBalancers", "AccessDenied")),
        ("aws ec2 describe-vpcs", ("ec2", "DescribeVpcs", "AccessDenied")),
        ("aws iam list-roles", ("iam", "ListRoles", "AccessDenied")),
    ],
)
def test_the_cli_is_denied_what_the_role_may_not(stage: Stage, command: str, error: tuple[str, str, str]) -> None:
    """In the protocol of each service."""
    if "HeadObject" in error:
        stage.deny("s3")
    build = stage.tried(command)
    assert phases(build)["BUILD"] == "FAILED"
    assert stage.calls()[-1] == error
    assert "AccessDenied" in "\n".join(stage.output(build)) or "403" in "\n".join(stage.output(build))


def test_an_explicit_denial_wins(stage: Stage) -> None:
    """Over whatever is allowed."""
    denial = {"Effect": "Deny", "Action": "ecr:PutImage", "Resource": "*"}
    stage.allow(EVERYTHING, denial)
    build = built(stage, LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v")
    assert "not authorized to perform: ecr:PutImage" in "\n".join(stage.output(build))
    assert stage.images() == {}


def test_a_world_without_realism_asks_nobody(stage: Stage) -> None:
    """What hurts on a real account can be turned off."""
    stage.allow({"Effect": "Allow", "Action": "sts:TagSession", "Resource": "*"})
    stage.world.settings = Settings(realism=False)
    succeeded(stage, built(stage, LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v"))
    assert list(stage.images()) == ["v"]


@pytest.mark.parametrize(
    ("service", "phase", "code", "words"),
    [
        (
            "logs",
            "PROVISIONING",
            "ACCESS_DENIED",
            "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build arn:aws:codebuild:",
        ),
        ("s3", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "AccessDenied: Access Denied status code: 403 for primary source"),
        (
            "ssm",
            "DOWNLOAD_SOURCE",
            "Decrypted Variables Error",
            "not authorized to perform: ssm:GetParameters on resource:",
        ),
        (
            "secretsmanager",
            "DOWNLOAD_SOURCE",
            "Secrets Manager Error",
            "not authorized to perform: secretsmanager:GetSecretValue on resource:",
        ),
    ],
)
def test_codebuild_itself_does_what_the_role_allows(
    stage: Stage, service: str, phase: str, code: str, words: str
) -> None:
    """Logs, sources and secrets are reached with the role of the project."""
    stage.world.client("ssm").put_parameter(Name="/orders/p", Value="p", Type="String")
    stage.world.client("secretsmanager").create_secret(Name="orders-s", SecretString="s")
    stage.deny(service)
    env = {"parameter-store": {"P": "/orders/p"}, "secrets-manager": {"S": "orders-s"}}
    build = built(stage, "true", env=env)
    assert phases(build)[phase] == "FAILED"
    told = reason(build, phase)
    assert (told[0], words in told[1]) == (code, True), told


def test_a_commit_and_an_artifact_need_the_role_too(stage: Stage) -> None:
    """GitPull for the one, PutObject for the other."""
    stage.push(buildspec__yml=spec("touch x", artifacts={"files": ["x"]}))
    location = f"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{NAME}"
    stage.create(source={"type": "CODECOMMIT", "location": location}, artifacts={"type": "S3", "location": RESULTS})
    stage.deny("s3")
    assert reason(stage.run(), "UPLOAD_ARTIFACTS") == (
        "CLIENT_ERROR",
        "Error in UPLOAD_ARTIFACTS phase: [AccessDenied: Access Denied status code: 403]",
    )
    stage.deny("codecommit")
    assert reason(stage.run(), "DOWNLOAD_SOURCE")[1].startswith("authorization failed for primary source")


def test_the_policy_of_the_samples_is_enough(stage: Stage) -> None:
    """Nothing that a build of the seed does needs more than that."""
    assert "PutImage" in json.dumps(policy())
    digest_of(stage, APP)
    assert [error for *_, error in stage.calls() if error] == []


def test_no_shell_of_a_build_is_left(stage: Stage) -> None:
    """Neither a process nor a listener."""
    stage.commands("echo done")
    assert (stage.world.participants.children, stage.world.participants.listening) == ({}, False)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "/.sandbox/driver.sh" not in left
