"""What a build hands over: to a bucket, and to a pipeline."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from codebuild_stage import (
    NAME,
    PIPED,
    RESULTS,
    S3,
    SOURCES,
    Stage,
    fresh,
    inline,
    phases,
    reason,
    refusal,
    spec,
    unzipped,
)

from runbook_lib.sandbox.services import codebuild


@pytest.fixture
def stage() -> Stage:
    return fresh()


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


def test_a_pipeline_takes_the_place_of_a_projects_own_source(stage: Stage) -> None:
    """And of its artifacts; the buildspec of the project stays."""
    stage.put("in.zip", word="in\n")
    own = stage.put("own.zip", word="own\n")
    text = spec("cat word > out", artifacts={"files": ["out"]})
    stage.create(source={**own, "buildspec": text}, artifacts={**S3, "packaging": "ZIP"})
    id = codebuild.start(
        stage.world, project=NAME, source=(SOURCES, "in.zip"), output=(RESULTS, "out/abc"), initiator="codepipeline/x"
    )
    stage.settle()
    build = stage.shown(id)
    assert stage.listed() == ["out/abc"]
    assert unzipped(stage.stored(RESULTS, "out/abc")) == {"out": "in\n"}
    assert build["source"] == {"type": "CODEPIPELINE", "buildspec": text}


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
