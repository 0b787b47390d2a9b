"""docker in a build: images named by their content, pushed and pulled, and docker's own words where it fails."""

from __future__ import annotations

import json

import pytest
from codebuild_stage import (
    APP,
    COMMIT,
    DOCKERFILE,
    HOST,
    LOGIN,
    NAME,
    REGISTRY,
    RESULTS,
    S3,
    Stage,
    environment,
    fresh,
    phases,
    spec,
    unzipped,
)

from runbook_lib.sandbox.services import codebuild


@pytest.fixture
def stage() -> Stage:
    return fresh()


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
        source={"type": "CODECOMMIT", "location": COMMIT},
        artifacts={**S3, "packaging": "ZIP"},
        environment=environment(privilegedMode=True),
    )
    assert "Login Succeeded" in stage.succeeded(stage.run())
    files = unzipped(stage.stored(RESULTS, "orders.zip"))
    assert json.loads(files["imagedefinitions.json"]) == [{"name": NAME, "imageUri": f"{REGISTRY}:{commit[:7]}"}]
    assert list(stage.images()) == [commit[:7]]


def test_a_build_reads_back_the_digest_of_its_image(stage: Stage) -> None:
    """As the buildspec of a blue/green deployment does."""
    lines = stage.succeeded(
        stage.built(
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


def test_docker_needs_the_privilege(stage: Stage) -> None:
    """Without it there is no daemon."""
    build = stage.tried("docker build -t x .")
    assert stage.output(build) == [
        "Cannot connect to the Docker daemon at unix:/var/run/docker.sock. Is the docker daemon running?"
    ]
    assert phases(build)["BUILD"] == "FAILED"


def digest_of(stage: Stage, files: dict[str, str], options: str = "") -> str:
    """The digest of the image that these sources make."""
    build = stage.built(LOGIN, f"docker build {options} -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v", files=files)
    stage.succeeded(build)
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
    lines = stage.succeeded(
        stage.built(
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
    build = stage.built(f"docker build -q -t {REGISTRY}:v -t {HOST}/none:v .", *filled)
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
    lines = stage.succeeded(
        stage.built(
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
    build = stage.built("docker build -t x .", "echo never", files={"Dockerfile": dockerfile, "a": "", "b": ""})
    output = "\n".join(stage.output(build))
    assert phases(build)["BUILD"] == "FAILED"
    assert words in output
    assert "Successfully" not in output


def test_a_command_over_many_lines_is_one_step(stage: Stage) -> None:
    """With a here-document, or with lines that go on."""
    dockerfile = "FROM scratch\nRUN one && \\\n    two\nCOPY <<END /note\nFROM nowhere\nEND\n"
    lines = stage.succeeded(stage.built("docker build -t x .", files={"Dockerfile": dockerfile}))
    assert [line for line in lines if line.startswith("Step")] == [
        "Step 1/3 : FROM scratch",
        "Step 2/3 : RUN one &&     two",
        "Step 3/3 : COPY <<END /note",
    ]


def test_docker_hub_can_run_into_its_limit(stage: Stage) -> None:
    """When the scenario says so; the public registry of AWS has none."""
    codebuild.refuse_docker_hub(stage.world, True)
    build = stage.built("docker build -t x .", files={"Dockerfile": "FROM python:3.12\n"})
    assert "toomanyrequests: You have reached your unauthenticated pull rate limit" in "\n".join(stage.output(build))
    assert phases(build)["BUILD"] == "FAILED"
    stage.succeeded(stage.built("docker build -t x ."))


def test_what_docker_cannot_do_here_is_skipped(stage: Stage) -> None:
    """With a word in the log."""
    assert stage.succeeded(stage.built("docker run --rm x pytest", "docker compose up -d")) == [
        "skipped in the sandbox: docker run --rm x pytest",
        "skipped in the sandbox: docker compose up -d",
    ]


def test_a_pushed_image_can_be_the_base_of_the_next(stage: Stage) -> None:
    """It is pulled with the role of the build."""
    digest_of(stage, APP)
    build = stage.built(LOGIN, "docker build -t x .", files={"Dockerfile": f"FROM {REGISTRY}:v\nENV MORE=1\n"})
    assert stage.succeeded(build)[-1].startswith("Successfully tagged x:latest")
    assert ("ecr", "GetDownloadUrlForLayer", "") in stage.calls()


def test_a_tag_that_must_not_move_is_refused(stage: Stage) -> None:
    """The repository is immutable."""
    digest_of(stage, APP)
    stage.world.client("ecr").put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    build = stage.built(
        LOGIN, f"docker build -q -t {REGISTRY}:v .", f"docker push {REGISTRY}:v", files={**APP, "app__py": "2"}
    )
    assert "tag invalid: The image tag 'v' already exists" in "\n".join(stage.output(build))
