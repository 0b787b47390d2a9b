"""A git host as the source: read, branched and committed to by the same plans as a repository of CodeCommit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hub_stage import ARN, NAME, Hub, make
from lease_stage import opened

from runbook_lib import application, connection, inventory, pipeline, repository, role, system
from runbook_lib.account import Account
from runbook_lib.errors import BadInput, CheckFailed, GateClosed
from runbook_lib.journal import Journal
from runbook_lib.params import Params
from runbook_lib.runbook import SAMPLE
from runbook_lib.sandbox import Sandbox
from runbook_lib.sections import Repository
from runbook_lib.step import Applied, Plan, Step, apply
from runbook_lib.story import provision


@dataclass(frozen=True)
class Source:
    """A system whose source is a git host's repository."""

    hub: Hub
    account: Account
    system: system.System

    def read(self, *paths: str, branch: str | None = None) -> repository.Repository:
        return repository.read_repository(self.account, self.system, paths, branch=branch)

    def commit(self, branch: str = "main", **files: str) -> Step:
        """The plan of one commit, made from what is there now."""
        wanted = {name.replace("_", "."): text.encode() for name, text in files.items()}
        found = self.read(*wanted, branch=branch)
        return repository.plan_commit(self.system, found, wanted, step="s", message="Blue/green", why="because")

    def apply(self, *steps: Step) -> Applied:
        journal = Journal(self.account.clock)
        return apply(Plan("Plan", self.system.name, steps), account=self.account, journal=journal)


def source_of(sandbox: Sandbox, hub: Hub, *, folder: Path = SAMPLE, artifact: str = "CODE_ZIP") -> Source:
    account = opened(sandbox)
    told = Repository.model_validate(
        {"provider": "github", "connection": ARN, "full_name": NAME, "remote": hub.remote, "artifact": artifact}
    )
    return Source(hub, account, system.resolve(Params(repository=told), application.read(folder), account))


@pytest.fixture
def empty(fresh: Sandbox, tmp_path: Path) -> Source:
    """A repository without a commit."""
    return source_of(fresh, make(tmp_path))


@pytest.fixture
def source(empty: Source) -> Source:
    """A repository with one commit on main."""
    empty.hub.push("first", app_py="1")
    return empty


# ---- reading


def test_a_repository_is_read_at_the_head_of_its_branch(source: Source) -> None:
    """The files that were asked for and are there; the draft branch is not there yet."""
    found = source.read("app.py", "other.py")
    assert found.head == repository.Commit(source.hub.head(), "first", None)
    assert (found.name, found.files) == (NAME, {"app.py": b"1"})
    assert source.read(branch="blue-green").head is None


def test_a_repository_that_cannot_be_read_is_an_error(source: Source) -> None:
    """It was not made by us, and is never made: the error says how to try it."""
    shutil.rmtree(source.hub.bare)
    with pytest.raises(BadInput, match="try `git ls-remote"):
        source.read()


# ---- one commit


def test_all_files_come_in_one_commit(source: Source) -> None:
    """The plan names the call and the branch, the answer the commit."""
    step = source.commit(taskdef_json="{}", appspec_yaml="v")
    assert (step.call, step.touches, step.needed) == ("git:PushCommit", f"{NAME}@main", True)
    done = source.apply(step)
    assert done.answers["s"] == {"commitId": source.hub.head()}
    assert source.hub.log() == ["Blue/green", "first"]


def test_a_killed_run_that_is_run_again_commits_nothing_twice(source: Source) -> None:
    """Killed after the push: the plan finds the files there, and the commit that brought them."""
    source.apply(source.commit(taskdef_json="{}"))
    again = source.commit(taskdef_json="{}")
    assert again.reason == "the files are there already, byte for byte"
    assert source.apply(again).answers["s"] == {"commitId": source.hub.head()}
    assert source.hub.log() == ["Blue/green", "first"]


def test_a_plan_of_yesterday_is_not_pushed_over_today(source: Source) -> None:
    """Somebody committed between plan and apply."""
    step = source.commit(taskdef_json="{}")
    source.hub.push("somebody's", app_py="2")
    with pytest.raises(CheckFailed, match="the branch moved meanwhile"):
        source.apply(step)
    source.apply(source.commit(taskdef_json="{}"))
    assert source.hub.log() == ["Blue/green", "somebody's", "first"]


def test_the_drafts_gather_on_a_branch(source: Source) -> None:
    """Made off the head of main, with its first commit by the same plan; applied twice it is the same."""
    for _ in range(2):
        main, draft = source.read("a.txt"), source.read("a.txt", branch="blue-green")
        base = draft if draft.head else replace(main, branch="blue-green")
        branch = repository.plan_branch(source.system, main, draft)
        commit = repository.plan_commit(source.system, base, {"a.txt": b"1"}, step="c", message="Drafts", why="w")
        source.apply(branch, commit)
    assert source.hub.log("blue-green") == ["Drafts", "first"]
    assert source.hub.log() == ["first"]


def test_a_protected_branch_is_published_to_by_a_person(source: Source) -> None:
    """The run stops and says so; after the merge it goes on, and nothing is committed twice."""
    source.hub.protect("main")
    for _ in range(2):
        with pytest.raises(GateClosed, match="the commit waits on runbook/blue-green: open a pull request"):
            source.apply(source.commit(taskdef_json="{}"))
    source.hub.unprotect()
    source.hub.git("fetch", "-q")
    source.hub.git("push", "-q", "origin", "origin/runbook/blue-green:main")
    assert not source.commit(taskdef_json="{}").needed
    assert source.hub.log() == ["Blue/green", "first"]


# ---- provisioning


def test_no_repository_is_made(source: Source) -> None:
    """It is there; its branch has commits, and they stay what they are."""
    steps = repository.plan_repository(source.system, source.read(), ())
    assert [(step.call, step.needed) for step in steps] == [("git:PushCommit", False)]
    assert inventory.read_inventory(source.account, source.system.name) == ()


def test_an_empty_repository_gets_the_application(empty: Source) -> None:
    """Its first commit, whose files are the application's."""
    empty.apply(*repository.plan_repository(empty.system, empty.read(), ()))
    assert empty.hub.log() == ["The application application"]
    assert empty.hub.file("buildspec.yml") == (SAMPLE / "buildspec.yml").read_text(encoding="utf-8").rstrip()


LOGIN = "version: 0.2\nphases:\n  build:\n    commands:\n      - $(aws ecr get-login --no-include-email)\n"


@pytest.fixture
def old(fresh: Sandbox, tmp_path: Path) -> Source:
    """An application whose build cannot succeed any more, pushed to its repository."""
    folder = tmp_path / "old"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "buildspec.yml").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if "get-login-password" in line)
    indent = first[: len(first) - len(first.lstrip())]
    (folder / "buildspec.yml").write_text(
        text.replace(first, f"{indent}- $(aws ecr get-login --no-include-email --region us-east-1)")
    )
    source = source_of(fresh, make(tmp_path), folder=folder)
    source.hub.push("first", buildspec_yml=(folder / "buildspec.yml").read_text(encoding="utf-8"))
    return source


def test_what_the_build_cannot_do_without_is_mended_by_a_commit(old: Source) -> None:
    """Once: afterwards the buildspec is not the one that needed it."""
    steps = repository.plan_repository(old.system, old.read("buildspec.yml"), ())
    assert [step.id for step in steps if step.needed] == ["repository.repairs"]
    old.apply(*steps)
    assert "get-login-password" in old.hub.file("buildspec.yml")
    assert not [s for s in repository.plan_repository(old.system, old.read("buildspec.yml"), ()) if s.needed]


def test_a_buildspec_that_the_team_changed_is_left_to_the_team(old: Source) -> None:
    """It is not the text that the repair was made for."""
    old.hub.push("changed", buildspec_yml="version: 0.2\n")
    steps = repository.plan_repository(old.system, old.read("buildspec.yml"), ())
    assert not [step for step in steps if step.needed]


# ---- the connection


@pytest.mark.parametrize("made", [True, False])
def test_a_connection_that_is_not_completed_stops_the_start(fresh: Sandbox, source: Source, made: bool) -> None:
    """It needs a person, and the remedy says where and what; a wrong ARN is told apart from a pending connection."""
    arn = ARN
    if made:
        arn = fresh.client("codeconnections").create_connection(ConnectionName="hub", ProviderType="GitHub")[
            "ConnectionArn"
        ]
    told = source.system.params.repository.model_copy(update={"connection": arn})
    chosen = source.system.params.model_copy(update={"repository": told})
    target = system.resolve(chosen, source.system.application, source.account)
    answer = connection.check_available(connection.read_connection(source.account, target))
    assert answer.seen == ("hub: PENDING" if made else f"{ARN.rpartition('/')[2]}: no such connection")
    assert ("Update pending connection" in answer.remedy) is made
    assert answer in provision.check_account(source.account, target).bad


def test_the_pipeline_is_started_by_its_connection(source: Source) -> None:
    """No rule, no role for it, and no polling: the source action detects changes."""
    (step, *_) = pipeline.plan_pipeline(source.system, None, ())
    action = step.arguments["pipeline"]["stages"][0]["actions"][0]
    assert action["actionTypeId"]["provider"] == "CodeStarSourceConnection"
    assert action["configuration"] == {
        "ConnectionArn": ARN,
        "FullRepositoryId": NAME,
        "BranchName": "main",
        "DetectChanges": "true",
        "OutputArtifactFormat": "CODE_ZIP",
    }
    assert "events" not in provision.roles(source.system)


@pytest.mark.parametrize(
    ("artifact", "users"), [("CODE_ZIP", {"pipeline"}), ("CODEBUILD_CLONE_REF", {"pipeline", "build"})]
)
def test_who_may_use_the_connection(fresh: Sandbox, tmp_path: Path, artifact: str, users: set[str]) -> None:
    """The pipeline's role always, the build's for a full clone; nobody is given CodeCommit."""
    made = source_of(fresh, make(tmp_path), artifact=artifact).system
    allowed = {
        purpose: {action for one in role.statements(made, purpose) for action in one["Action"]}
        for purpose in ("pipeline", "build")
    }
    assert {purpose for purpose, actions in allowed.items() if "codeconnections:UseConnection" in actions} == users
    assert not [action for actions in allowed.values() for action in actions if action.startswith("codecommit")]
