"""Pull requests and merges: proposed, refused where people must decide, merged in three ways; and triggers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ecs_stage import refusal

from runbook_lib.sandbox import Sandbox

NAME = "orders"
HERE = {"repositoryName": NAME}


@pytest.fixture
def git(fresh: Sandbox) -> Any:
    """A repository with a file on main, and a branch next at the same commit."""
    client = fresh.client("codecommit")
    client.create_repository(**HERE)
    first = commit(client, "main", a="1\n")
    client.create_branch(**HERE, branchName="next", commitId=first)
    return client


def commit(git: Any, branch: str, **files: str) -> str:
    """Puts files on a branch; the commit's id."""
    heads = git.list_branches(**HERE)["branches"]
    parent = {"parentCommitId": tip(git, branch)} if branch in heads else {}
    put = [{"filePath": name, "fileContent": text.encode()} for name, text in files.items()]
    made: str = git.create_commit(**HERE, branchName=branch, putFiles=put, **parent)["commitId"]
    return made


def tip(git: Any, branch: str) -> str:
    found: str = git.get_branch(**HERE, branchName=branch)["branch"]["commitId"]
    return found


def propose(git: Any, **more: Any) -> dict[str, Any]:
    target = {**HERE, "sourceReference": "next", **more}
    made: dict[str, Any] = git.create_pull_request(title="Add b", targets=[target])["pullRequest"]
    return made


def content(git: Any, path: str) -> bytes:
    found: bytes = git.get_file(**HERE, commitSpecifier="main", filePath=path)["fileContent"]
    return found


def test_a_pull_request_is_open_until_it_is_closed(git: Any) -> None:
    """It goes into the default branch, shows both tips, and is never opened again."""
    source = commit(git, "next", b="2\n")
    made = propose(git)
    target = made["pullRequestTargets"][0]
    assert (made["pullRequestStatus"], target["destinationReference"], target["sourceCommit"]) == (
        "OPEN",
        "refs/heads/main",
        source,
    )
    assert target["mergeBase"] == tip(git, "main")
    git.update_pull_request_title(pullRequestId=made["pullRequestId"], title="Better")
    git.update_pull_request_status(pullRequestId=made["pullRequestId"], pullRequestStatus="CLOSED")
    shown = git.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert (shown["title"], shown["pullRequestStatus"]) == ("Better", "CLOSED")
    again = {"pullRequestId": made["pullRequestId"], "pullRequestStatus": "OPEN"}
    code, message = refusal(git.update_pull_request_status, **again)
    assert (code, "from OPEN to CLOSED" in message) == ("InvalidPullRequestStatusUpdateException", True)


def test_pull_requests_are_listed(git: Any) -> None:
    """Newest first, by status."""
    commit(git, "next", b="2\n")
    first, second = propose(git)["pullRequestId"], propose(git)["pullRequestId"]
    git.update_pull_request_status(pullRequestId=first, pullRequestStatus="CLOSED")
    assert git.list_pull_requests(**HERE)["pullRequestIds"] == [second, first]
    assert git.list_pull_requests(**HERE, pullRequestStatus="OPEN")["pullRequestIds"] == [second]


def test_a_fast_forward_moves_the_branch(git: Any) -> None:
    """No commit is made."""
    source = commit(git, "next", b="2\n")
    made = propose(git)
    merged = git.merge_pull_request_by_fast_forward(**HERE, pullRequestId=made["pullRequestId"], sourceCommitId=source)
    metadata = merged["pullRequest"]["pullRequestTargets"][0]["mergeMetadata"]
    assert (tip(git, "main"), metadata["isMerged"], metadata["mergeOption"]) == (source, True, "FAST_FORWARD_MERGE")
    again = {**HERE, "pullRequestId": made["pullRequestId"]}
    assert refusal(git.merge_pull_request_by_fast_forward, **again)[0] == "PullRequestAlreadyClosedException"


@pytest.mark.parametrize(("way", "parents"), [("squash", 1), ("three_way", 2)])
def test_diverged_branches_are_merged_by_a_commit(git: Any, way: str, parents: int) -> None:
    """With the files of both; only a three-way merge has two parents."""
    commit(git, "next", b="2\n")
    commit(git, "main", c="3\n")
    made = propose(git)
    params = {**HERE, "pullRequestId": made["pullRequestId"], "commitMessage": "together", "authorName": "Ada"}
    assert refusal(git.merge_pull_request_by_fast_forward, **HERE, pullRequestId=made["pullRequestId"])[0] == (
        "ManualMergeRequiredException"
    )
    getattr(git, f"merge_pull_request_by_{way}")(**params)
    head = git.get_commit(**HERE, commitId=tip(git, "main"))["commit"]
    assert (len(head["parents"]), head["message"], head["author"]["name"]) == (parents, "together", "Ada")
    assert [content(git, name) for name in "abc"] == [b"1\n", b"2\n", b"3\n"]


@pytest.mark.parametrize(("strategy", "kept"), [("ACCEPT_SOURCE", b"theirs\n"), ("ACCEPT_DESTINATION", b"ours\n")])
def test_a_conflict_needs_a_decision(git: Any, strategy: str, kept: bytes) -> None:
    """It is told beforehand, refused without a strategy, and resolved by one."""
    commit(git, "next", a="theirs\n")
    commit(git, "main", a="ours\n")
    between = {**HERE, "sourceCommitSpecifier": "next", "destinationCommitSpecifier": "main"}
    told = git.get_merge_conflicts(**between, mergeOption="SQUASH_MERGE")
    assert (told["mergeable"], [one["filePath"] for one in told["conflictMetadataList"]]) == (False, ["a"])
    assert git.get_merge_options(**between)["mergeOptions"] == []
    assert refusal(git.merge_branches_by_squash, **between)[0] == "ManualMergeRequiredException"
    git.merge_branches_by_squash(**between, conflictResolutionStrategy=strategy)
    assert content(git, "a") == kept


def test_a_deleted_file_stays_deleted(git: Any) -> None:
    """Where the other side did not touch it."""
    git.delete_file(**HERE, branchName="next", filePath="a", parentCommitId=commit(git, "next", b="2\n"))
    commit(git, "main", c="3\n")
    between = {**HERE, "sourceCommitSpecifier": "next", "destinationCommitSpecifier": "main"}
    assert git.get_merge_options(**between)["mergeOptions"] == ["SQUASH_MERGE", "THREE_WAY_MERGE"]
    git.merge_branches_by_three_way(**between)
    assert refusal(git.get_file, **HERE, commitSpecifier="main", filePath="a")[0] == "FileDoesNotExistException"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"sourceReference": "none"}, "ReferenceDoesNotExistException"),
        ({"sourceReference": "main"}, "SourceAndDestinationAreSameException"),
        ({"repositoryName": "none"}, "RepositoryDoesNotExistException"),
    ],
)
def test_a_pull_request_that_cannot_be_is_refused(git: Any, target: dict[str, str], code: str) -> None:
    """Of a branch that is not there, of a branch into itself, and elsewhere."""
    told = [{**HERE, "sourceReference": "next", **target}]
    seen, message = refusal(git.create_pull_request, title="x", targets=told)
    assert (seen, bool(message)) == (code, True)


def test_what_changed_meanwhile_is_not_merged(git: Any) -> None:
    """The caller says which commit was looked at."""
    seen = commit(git, "next", b="2\n")
    made = propose(git)
    commit(git, "next", b="3\n")
    params = {**HERE, "pullRequestId": made["pullRequestId"], "sourceCommitId": seen}
    assert refusal(git.merge_pull_request_by_squash, **params)[0] == "TipOfSourceReferenceIsDifferentException"


def test_the_bus_hears_of_pull_requests(git: Any, fresh: Sandbox) -> None:
    """Created and merged."""
    commit(git, "next", b="2\n")
    git.merge_pull_request_by_fast_forward(**HERE, pullRequestId=propose(git)["pullRequestId"])
    told = [one["detail"] for one in fresh.world.store("events").emitted if "Pull Request" in one["detail-type"]]
    assert [(one["event"], one["isMerged"]) for one in told] == [
        ("pullRequestCreated", "False"),
        ("pullRequestMergeStatusUpdated", "True"),
    ]


def test_lines_are_not_merged(git: Any) -> None:
    """Merging inside of files is refused by name."""
    between = {**HERE, "sourceCommitSpecifier": "next", "destinationCommitSpecifier": "main"}
    code, message = refusal(git.merge_branches_by_squash, **between, conflictDetailLevel="LINE_LEVEL")
    assert (code, "line by line" in message) == ("NotImplemented", True)


# ---- triggers


def test_a_trigger_tells_a_topic(git: Any, fresh: Sandbox) -> None:
    """Of the events and branches that it names."""
    topic = fresh.client("sns").create_topic(Name="pushes")["TopicArn"]
    arn = fresh.world.arn("sqs", "pushes")
    lets_in = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [lets_in]})
    queue = fresh.client("sqs").create_queue(QueueName="pushes", Attributes={"Policy": policy})["QueueUrl"]
    fresh.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    told = {"name": "push", "destinationArn": topic, "events": ["updateReference"], "branches": ["main"]}
    git.put_repository_triggers(**HERE, triggers=[told])
    commit(git, "next", b="2\n")
    made = commit(git, "main", c="3\n")
    got = fresh.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    records = [json.loads(json.loads(one["Body"])["Message"])["Records"][0] for one in got]
    assert [one["codecommit"]["references"] for one in records] == [[{"commit": made, "ref": "refs/heads/main"}]]
    assert git.get_repository_triggers(**HERE)["triggers"][0]["name"] == "push"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"events": []}, "RepositoryTriggerEventsListRequiredException"),
        ({"destinationArn": "topic"}, "InvalidRepositoryTriggerDestinationArnException"),
        ({"destinationArn": "arn:aws:lambda:us-east-1:123456789012:function:f"}, "NotImplemented"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused(git: Any, changes: dict[str, Any], code: str) -> None:
    """Without events, for something that is no topic, and for a function."""
    told = {"name": "push", "destinationArn": "arn:aws:sns:us-east-1:123456789012:t", "events": ["all"], **changes}
    seen, message = refusal(git.put_repository_triggers, **HERE, triggers=[told])
    assert (seen, bool(message)) == (code, True)
