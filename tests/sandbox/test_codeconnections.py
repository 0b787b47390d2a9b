"""Connections to git hosts: made, listed, completed by a person, read through, tagged and deleted."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ecs_stage import refusal

from runbook_lib.sandbox import Sandbox
from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services import codeconnections
from runbook_lib.sandbox.world import World

REPOSITORY = "example/orders"


@pytest.fixture
def hub(fresh: Sandbox) -> Any:
    return fresh.client("codeconnections")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A git repository with one commit on main."""
    for words in (
        ["init", "-qb", "main"],
        ["config", "user.email", "ada@example.invalid"],
        ["config", "user.name", "Ada"],
    ):
        git(tmp_path, *words)
    (tmp_path / "app.py").write_text("print(1)\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first\n\nwith a body", "--date", "2026-03-01T12:00:00Z")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make(hub: Any, name: str = "hub", provider: str = "GitHub") -> str:
    arn: str = hub.create_connection(ConnectionName=name, ProviderType=provider)["ConnectionArn"]
    return arn


def test_a_new_connection_waits_for_a_person(hub: Any) -> None:
    """PENDING, whatever a program does."""
    arn = make(hub)
    assert arn.startswith("arn:aws:codeconnections:us-east-1:123456789012:connection/")
    assert hub.get_connection(ConnectionArn=arn)["Connection"] == {
        "ConnectionName": "hub",
        "ConnectionArn": arn,
        "ProviderType": "GitHub",
        "OwnerAccountId": "123456789012",
        "ConnectionStatus": "PENDING",
    }


def test_a_completed_connection_is_available(hub: Any, fresh: Sandbox) -> None:
    """What a person does in the console."""
    arn = make(hub)
    codeconnections.complete(fresh.world, arn, {})
    assert hub.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "AVAILABLE"


def test_connections_are_listed_by_provider_and_in_pages(hub: Any) -> None:
    """In the order of their making."""
    for name, provider in (("a", "GitHub"), ("b", "GitLab"), ("c", "GitHub")):
        make(hub, name, provider)
    first = hub.list_connections(MaxResults=2)
    rest = hub.list_connections(NextToken=first["NextToken"])
    assert [one["ConnectionName"] for one in first["Connections"] + rest["Connections"]] == ["a", "b", "c"]
    found = hub.list_connections(ProviderTypeFilter="GitHub")["Connections"]
    assert [one["ConnectionName"] for one in found] == ["a", "c"]


def test_a_deleted_connection_is_gone(hub: Any) -> None:
    """A second time it is not found."""
    arn = make(hub)
    hub.delete_connection(ConnectionArn=arn)
    assert hub.list_connections()["Connections"] == []
    for call in (hub.get_connection, hub.delete_connection):
        assert refusal(call, ConnectionArn=arn) == ("ResourceNotFoundException", f"Connection {arn} not found")


def test_tags_come_with_the_connection_and_later(hub: Any) -> None:
    """By its ARN."""
    made = hub.create_connection(ConnectionName="hub", ProviderType="GitHub", Tags=[{"Key": "a", "Value": "1"}])
    arn = made["ConnectionArn"]
    hub.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    hub.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert made["Tags"] == [{"Key": "a", "Value": "1"}]
    assert hub.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, "ValidationException", "One of ProviderType and HostArn must be given"),
        ({"ProviderType": "GitHubEnterpriseServer"}, "ResourceUnavailableException", "Hosts are not simulated"),
    ],
)
def test_a_connection_that_cannot_be_made_is_refused(hub: Any, params: dict[str, str], code: str, words: str) -> None:
    """Without a provider, and for a provider that needs a host."""
    seen, message = refusal(hub.create_connection, ConnectionName="hub", **params)
    assert (seen, words in message) == (code, True)


# ---- what is read through it


@pytest.fixture
def through(hub: Any, fresh: Sandbox, folder: Path) -> str:
    """The ARN of a completed connection with the repository behind it."""
    arn = make(hub)
    codeconnections.complete(fresh.world, arn, {REPOSITORY: str(folder)})
    return arn


def test_the_head_of_a_branch_is_read(fresh: Sandbox, through: str, folder: Path) -> None:
    """Its id, the whole message, the author's date, and the files."""
    found = codeconnections.commit(fresh.world, through, REPOSITORY, "main")
    with zipfile.ZipFile(io.BytesIO(found.files)) as archive:
        assert archive.read("app.py") == b"print(1)\n"
    assert (found.id, found.message) == (git(folder, "rev-parse", "main"), "first\n\nwith a body")
    assert found.author_date.split()[0] == "1772366400"


def test_an_older_commit_is_read_by_its_id(fresh: Sandbox, through: str, folder: Path) -> None:
    """While the branch has gone on."""
    old = git(folder, "rev-parse", "main")
    git(folder, "commit", "-qm", "second", "--allow-empty")
    assert codeconnections.commit(fresh.world, through, REPOSITORY, old).message.startswith("first")
    assert codeconnections.head(fresh.world, through, REPOSITORY, "main") != old


@pytest.mark.parametrize(
    ("repository", "revision", "words"),
    [
        (REPOSITORY, "other", "No Branch [other] found for FullRepositoryName [example/orders]"),
        (REPOSITORY, "--all", "No Branch [--all] found for FullRepositoryName [example/orders]"),
        ("example/other", "main", "No repository example/other found through connection hub"),
    ],
)
def test_what_is_not_there_is_not_found(
    fresh: Sandbox, through: str, repository: str, revision: str, words: str
) -> None:
    """A branch, an option of git instead of one, and a repository that the connection does not reach."""
    with pytest.raises(AwsError, match="ResourceNotFoundException") as refused:
        codeconnections.commit(fresh.world, through, repository, revision)
    assert refused.value.message == words


def test_nothing_is_read_through_a_pending_connection(hub: Any, fresh: Sandbox) -> None:
    """The error says who can change that."""
    world: World = fresh.world
    with pytest.raises(AwsError, match=r"its status is PENDING\. A person completes it in the console"):
        codeconnections.head(world, make(hub), REPOSITORY, "main")
