"""`runbook convert`: a rolling repository made ready for blue/green, and nothing else of it changed."""

from __future__ import annotations

import difflib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.documents import pipeline
from runbook_lib.errors import BadInput
from runbook_lib.preflight import reading
from runbook_lib.preflight.convert import Conversion, Wishes, plan_conversion
from runbook_lib.preflight.fix import apply_fixes
from runbook_lib.preflight.report import Report

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real repositories is not here")
BEFORE = Path(__file__).parents[1] / "cases" / "fix" / "handed_over" / "before"
# Refused, because nothing can be told: it builds no image at all.
REFUSED = {"yaelsprikut__pgs-poc": "no docker push"}
# Nobody but its owner knows which of two images of one repository is the application's.
CHOSEN = {"AnImpulsiveHuman__simple-docker-webapp": "mywebapp", "yaelsprikut__pgs-poc": "pgs-poc-container"}
# What failed before and has more than one right form; it fails afterwards as it did.
LEFT = {"Deepak-Vohra__docker-node-server": {"buildspec"}}
# post_build scans the image between build and push: whether that is wanted after a failed build, its owner knows.
DOUBTED = {"705jul__sbcntr-backend": {"B4"}}
ENTRY = r"(?:- )?[\"']?(?:imageDetail\.json|imagedefinitions\.json|appspec\.yaml|taskdef\.json)[\"']?"
INTENDED = (
    rf"\s*{ENTRY}",
    r"\s*- printf '\{\"ImageURI\":\"%s\"\}' \"[^\"]+\" > \S+",
    r"\s*printf '\{\"ImageURI\":\"%s\"\}' \"[^\"]+\" > \S+",
    r"\s*- aws ecr get-login-password --region \S+ \| docker login --username AWS --password-stdin .+",
    r"\s*files:(?: \[.*\])?",
    r"\s+on-failure: ABORT",
)
REPLACED = (r".*aws ecr get-login .*", r"\s*files: .*", rf"\s*{ENTRY}")


def rolling() -> list[Path]:
    """The repositories of the collection that have a buildspec and neither AppSpec nor blue/green action."""
    folders = sorted(path for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []
    read = ((path, reading.read_folder(path)) for path in folders)
    return [path for path, picture in read if picture.rolls() and picture.files and picture.files.buildspec]


def described(container: str, port: int) -> str:
    """What DescribeTaskDefinition answers for the revision that runs."""
    definition = {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7",
        "family": "web",
        "revision": 7,
        "status": "ACTIVE",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::111122223333:role/run",
        "volumes": [],
        "containerDefinitions": [
            {
                "name": container,
                "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1",
                "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}],
                "environment": [],
            }
        ],
    }
    return json.dumps({"taskDefinition": definition})


def blue_green_pipeline() -> str:
    """The pipeline as 22_pipeline makes it of a rolling one."""
    kind = {"owner": "AWS", "version": "1"}
    source = {
        "name": "Source",
        "actionTypeId": {"category": "Source", "provider": "CodeCommit", **kind},
        "configuration": {"RepositoryName": "web", "BranchName": "main"},
        "outputArtifacts": [{"name": "SourceArtifact"}],
    }
    build = {
        "name": "Build",
        "actionTypeId": {"category": "Build", "provider": "CodeBuild", **kind},
        "configuration": {"ProjectName": "web"},
        "inputArtifacts": [{"name": "SourceArtifact"}],
        "outputArtifacts": [{"name": "BuildArtifact"}],
    }
    deploy = {
        "name": "Deploy",
        "actionTypeId": {"category": "Deploy", "provider": "ECS", **kind},
        "configuration": {"ClusterName": "web", "ServiceName": "web"},
        "inputArtifacts": [{"name": "BuildArtifact"}],
    }
    definition = {
        "name": "web",
        "roleArn": "arn:aws:iam::111122223333:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [{"name": one["name"], "actions": [one]} for one in (source, build, deploy)],
    }
    edit = pipeline.to_blue_green(
        definition, application="web", group="web", artifact="BuildArtifact", placeholder="IMAGE1_NAME"
    )
    return json.dumps({"pipeline": edit.definition})


def converted(original: Path, tmp_path: Path) -> tuple[Path, Path, Wishes, Conversion]:
    """A copy of a repository, converted and written, with the pipeline that it shall be deployed by."""
    copy = Path(shutil.copytree(original, tmp_path / "files"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    picture = reading.read_folder(original)
    assert picture.files is not None
    facts, container = picture.files.facts, CHOSEN.get(original.name)
    told = container or (facts.container.value if facts and facts.container else "web")
    ports = picture.files.dockerfile.ports if picture.files.dockerfile else ()
    (tmp_path / "described.json").write_text(described(told, ports[0][0] if ports else 80), encoding="utf-8")
    (tmp_path / "pipeline.json").write_text(blue_green_pipeline(), encoding="utf-8")
    wishes = Wishes("IMAGE1_NAME", container, described=tmp_path / "described.json")
    made = plan_conversion(copy, wishes, pipeline_file=tmp_path / "pipeline.json")
    apply_fixes(made.fixes)
    return copy, tmp_path / "pipeline.json", wishes, made


def failing(asked: Report) -> set[str]:
    return {one.story.id for one in asked.asked if one.verdict > Verdict.INCONCLUSIVE}


def changed_lines(before: str, after: str) -> Iterator[tuple[str, str]]:
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line[0] in "+-":
            yield line[0], line[2:].rstrip()


@pytest.fixture(scope="module")
def repositories() -> list[Path]:
    return rolling()


@needs_corpus
def test_the_collection_has_rolling_repositories(repositories: list[Path]) -> None:
    """So that the tests below ask something."""
    assert len(repositories) == 13


@needs_corpus
@pytest.mark.parametrize(
    "original", [path for path in rolling() if path.name not in REFUSED], ids=lambda path: path.name
)
def test_a_rolling_repository_is_converted(original: Path, tmp_path: Path) -> None:
    """Its buildspec gets the lines that are meant and no other, the result passes, and a second run changes nothing."""
    copy, pipeline_file, wishes, made = converted(original, tmp_path)
    name = next(edit.name for edit in made.edits if "buildspec" in edit.name)
    before, after = ((folder / name).read_bytes().decode() for folder in (original, copy))
    for sign, line in changed_lines(before, after):
        patterns = INTENDED if sign == "+" else REPLACED
        assert any(re.fullmatch(pattern, line) for pattern in patterns), f"{sign}{line}"
    assert len(after) > len(before)
    assert failing(made.fixes.after) == LEFT.get(original.name, set())
    assert failing(made.fixes.after) <= failing(made.before)
    after_failure = next(one for one in made.fixes.after.asked if one.story.id == "B4")
    assert (after_failure.verdict > Verdict.SKIP) == ("B4" in DOUBTED.get(original.name, set()))
    again = plan_conversion(copy, wishes, pipeline_file=pipeline_file)
    assert again.diff == ""
    untouched = {path.relative_to(original) for path in original.rglob("*") if path.is_file()} - {Path(name)}
    assert all((original / path).read_bytes() == (copy / path).read_bytes() for path in untouched)


@needs_corpus
@pytest.mark.parametrize("repository", sorted(REFUSED))
def test_what_cannot_be_told_is_refused(repository: str, tmp_path: Path) -> None:
    """With the reason, and nothing is written."""
    with pytest.raises(BadInput, match=REFUSED[repository]):
        converted(CORPUS / repository, tmp_path)
    assert not (tmp_path / "files" / "appspec.yaml").exists()


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A rolling application with CRLF, a byte-order mark and comments in its buildspec."""
    folder = tmp_path / "app"
    folder.mkdir()
    text = (BEFORE / "buildspec.yml").read_text(encoding="utf-8")
    (folder / "buildspec.yml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "described.json").write_text(described("web", 8080), encoding="utf-8")
    return folder


def test_the_command_shows_the_diff_and_writes_when_told(
    application: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --yes nothing is written and the exit code is that of a closed gate."""
    given = ["convert", str(application), "--task-definition", str(tmp_path / "described.json")]
    assert main(given) == 3
    assert sorted(path.name for path in application.iterdir()) == ["buildspec.yml"]
    assert main([*given, "--yes"]) == 0
    assert sorted(path.name for path in application.iterdir()) == ["appspec.yaml", "buildspec.yml", "taskdef.json"]
    assert "+        TaskDefinition: <TASK_DEFINITION>" in capsys.readouterr().out
    written = (application / "buildspec.yml").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    assert written.count(b"\r\n") == written.count(b"\n")
    assert '"image": "<IMAGE1_NAME>"' in (application / "taskdef.json").read_text()
    assert main([*given, "--yes"]) == 0
    told = capsys.readouterr().out
    assert "Nothing to convert" in told
    assert "described.json is not used: the folder has a taskdef.json" in told
    assert main(["check", str(application)]) == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "no task definition"),
        (["--container", "shop"], "containers 'shop'"),
        (["--port", "9"], "web with the ports 8080"),
        (["--placeholder", "a b"], "the placeholder"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_said_before_anything_is_written(
    application: Path, tmp_path: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen, wanted, and what to do next."""
    given = [] if not more else ["--task-definition", str(tmp_path / "described.json")]
    assert main(["convert", str(application), *given, *more, "--yes"]) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in application.iterdir()) == ["buildspec.yml"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "--task-definition running.json\n  seen:   no such file"),
        ('{"taskDefinition": 5}', "running.json\n  seen:   an answer without 'taskDefinition'"),
        ("{}", "running.json\n  seen:   containers 'web'"),
    ],
)
def test_a_running_revision_that_is_none_is_named(
    application: Path, content: str | None, told: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its file, before anything is written."""
    if content is not None:
        Path("running.json").write_text(content, encoding="utf-8")
    assert main(["convert", str(application), "--task-definition", "running.json", "--yes"]) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in application.iterdir()) == ["buildspec.yml"]


def test_a_task_definition_that_is_there_is_kept_but_for_the_image(application: Path) -> None:
    """Comments are not JSON, but order, spaces and line ends are somebody's."""
    text = '{"family":"web",\r\n "networkMode":"awsvpc", "requiresCompatibilities":["FARGATE"],'
    text += '"cpu":"256","memory":"512",\r\n'
    text += ' "executionRoleArn":"arn:aws:iam::111122223333:role/run",\r\n "containerDefinitions":[{"name":"web",'
    text += '"image":"nginx:1.27","portMappings":[{"containerPort":8080}]}]}'
    (application / "taskdef.json").write_bytes(text.encode())
    assert main(["convert", str(application), "--yes"]) == 0
    assert (application / "taskdef.json").read_bytes() == text.replace("nginx:1.27", "<IMAGE1_NAME>").encode()
