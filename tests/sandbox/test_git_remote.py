"""The git repository behind a connection: read as a folder or by a URL, and cloned whole."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hub_stage import ARN, NAME, Hub, make
from pipeline_stage import BUILDSPEC, Stage, action, fresh, stage

from runbook_lib.sandbox import Sandbox, Settings, git_remote
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import codeconnections
from runbook_lib.sandbox.settings import from_texts


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Two commits on main and a tag on the second."""
    made = make(tmp_path)
    made.push("first", app_py="1")
    made.push("second", app_py="2", buildspec_yml=BUILDSPEC.format(commands="      - 'true'"))
    made.tag("v1")
    return made


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_a_remote_is_a_folder_or_a_url(hub: Hub, kind: str) -> None:
    """What a URL names is fetched anew at each look."""
    remote = hub.remote if kind == "folder" else f"file://{hub.remote}"
    assert git_remote.refs(remote) == {"refs/heads/main": hub.head(), "refs/tags/v1": hub.head()}
    third = hub.push("third", app_py="3")
    assert git_remote.resolved(remote, "main") == third
    assert git_remote.described(remote, third) == ("1772366400 +0000", "third")


def test_a_branch_that_was_deleted_at_a_url_is_gone(hub: Hub) -> None:
    """The mirror keeps nothing that the remote has not."""
    remote = f"file://{hub.remote}"
    hub.push("x", branch="x", app_py="x")
    assert "refs/heads/x" in git_remote.refs(remote)
    hub.git("push", "-q", "origin", "--delete", "x")
    assert git_remote.resolved(remote, "x") is None


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("/nowhere/hub.git", "there is no such folder"),
        ("file:///nowhere/hub.git", "cannot be read"),
        ("{tmp}", "not a git repository"),
    ],
)
def test_what_is_no_repository_cannot_be_read(tmp_path: Path, remote: str, words: str) -> None:
    """The error has git's own words."""
    with pytest.raises(AwsError, match="ResourceUnavailableException") as refused:
        git_remote.refs(remote.format(tmp=tmp_path))
    assert words in refused.value.message


def test_a_clone_has_the_history_and_is_clean(hub: Hub, tmp_path: Path) -> None:
    """As CodeBuild clones it: the commit checked out, branches of origin and tags beside it."""
    place = tmp_path / "unpacked"
    for path, (_, content) in git_remote.clone(hub.remote, hub.head()).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    assert hub.git("log", "--format=%s", place=place).splitlines() == ["second", "first"]
    assert hub.git("describe", "--tags", place=place) == "v1"
    assert hub.git("status", "--porcelain", place=place) == ""
    assert hub.git("rev-parse", "origin/main", place=place) == hub.head()


def test_the_same_commits_make_the_same_clone(hub: Hub) -> None:
    """Byte for byte, also after the remote was packed: a build is known by its source."""
    before = git_remote.clone(hub.remote, hub.head())
    hub.git("gc", "-q", place=hub.bare)
    assert git_remote.clone(hub.remote, hub.head()) == before


# ---- connections that a person has completed beforehand


def test_the_connections_of_the_settings_are_completed(hub: Hub) -> None:
    """By their ARN, with the repositories that they reach."""
    sandbox = Sandbox.new(Settings(connections={ARN: {NAME: hub.remote}}))
    found = sandbox.client("codeconnections").get_connection(ConnectionArn=ARN)["Connection"]
    read = codeconnections.commit(sandbox.world, ARN, NAME, "v1")
    sandbox.close()
    assert (found["ConnectionStatus"], read.message) == ("AVAILABLE", "second")


@pytest.mark.parametrize("text", ["[]", '{"x": {"a/b": "c"}}', f'{{"{ARN}": {{"b": "c"}}}}', f'{{"{ARN}": "c"}}'])
def test_settings_map_arn_and_full_name_to_a_remote(text: str) -> None:
    """Anything else is refused with the shape that is wanted."""
    with pytest.raises(Exception, match="ARN of a connection -> owner/repository -> path or URL"):
        from_texts([f"connections={text}"])


# ---- full clones and the roles that need the connection


@pytest.fixture
def world(hub: Hub) -> Stage:
    """A world with a connection, where roles count."""
    made = fresh()
    made.world.settings = made.world.settings.with_(realism=True, role_propagation=0.0)
    connections = made.world.store("codeconnections").connections
    connections[ARN] = codeconnections.Connection(ARN, "hub", "GitHub", "AVAILABLE", {NAME: hub.remote})
    return made


def allow(world: Stage, role: str, *actions: str) -> None:
    """Gives a role leave to use the connection, and the artifacts."""
    statements = [{"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"}]
    if actions:
        statements.append({"Effect": "Allow", "Action": list(actions), "Resource": ARN})
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    world.client("iam").put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)


def run(world: Stage, artifact: str = "CODEBUILD_CLONE_REF") -> str:
    told = {"ConnectionArn": ARN, "FullRepositoryId": NAME, "BranchName": "main", "OutputArtifactFormat": artifact}
    source = stage("Source", action("Hub", "CodeStarSourceConnection", outputs="Code", **told))
    build = stage("Build", action("Make", "CodeBuild", "Code", "Built", ProjectName="orders"))
    made = world.create(source, build)
    world.settle()
    return made


def test_a_pipeline_whose_role_may_not_use_the_connection_fails(world: Stage) -> None:
    """In AWS's words, as they are quoted in public."""
    told = world.error(run(world))
    assert told["code"] == "PermissionError"
    assert (
        told["message"] == f"Unable to use Connection: {ARN}. The provided role does not have sufficient permissions."
    )


def test_a_full_clone_needs_the_build_role_too(world: Stage) -> None:
    """The build clones with its own role: without leave it cannot download its source."""
    allow(world, "pipeline", "codeconnections:UseConnection")
    allow(world, "build", "codecommit:GitPull")
    assert "authorization failed for primary source" in world.error(run(world))["message"]


@pytest.mark.parametrize("name", ["codeconnections", "codestar-connections"])
def test_a_full_clone_brings_the_history_into_the_build(world: Stage, name: str) -> None:
    """The service's former name counts as its new one."""
    for role in ("pipeline", "build"):
        allow(world, role, f"{name}:UseConnection")
    made = run(world)
    assert [one["status"] for one in world.actions(made)] == ["Succeeded", "Succeeded"]
    with zipfile.ZipFile(io.BytesIO(world.artifact(world.actions(made)[1]))) as built:
        assert {".git/HEAD", "app.py"} <= set(built.namelist())


def test_a_zip_needs_no_leave_of_the_build(world: Stage) -> None:
    """CodePipeline fetched it with its own role; there is no history in it."""
    allow(world, "pipeline", "codeconnections:UseConnection")
    allow(world, "build")
    made = run(world, "CODE_ZIP")
    assert [one["status"] for one in world.actions(made)] == ["Succeeded", "Succeeded"]
    with zipfile.ZipFile(io.BytesIO(world.artifact(world.actions(made)[0]))) as source:
        assert sorted(source.namelist()) == ["app.py", "buildspec.yml"]
