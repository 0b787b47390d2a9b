"""Pull requests: proposed, looked at, closed and merged, and the events that tell of it.

Source: CodeCommit API reference, PullRequest; user guide, monitoring-events. Approval rules and comments are not
simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError
from runbook_lib.sandbox.services.codecommit import branches, lookup, merges, merging, repositories
from runbook_lib.sandbox.services.codecommit.store import PullRequest, Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

PAGE = 100


def create(call: Call) -> dict[str, Any]:
    """CreatePullRequest of one branch into another, or into the default one."""
    if len(call.params["targets"]) != 1:
        raise AwsError("InvalidTargetsException", "A pull request has exactly one target.")
    target = call.params["targets"][0]
    repository = lookup.named(call.world, target["repositoryName"])
    source = _reference(repository, target["sourceReference"])
    destination = _reference(repository, target.get("destinationReference") or repository.default_branch or "")
    if source == destination:
        text = "The source branch and destination branch for the pull request are the same."
        raise AwsError("SourceAndDestinationAreSameException", text)
    made = PullRequest(
        id=str(call.world.ids.number("pull request")),
        title=call.params["title"],
        description=call.params.get("description"),
        author=call.caller,
        repository=repository.name,
        source=source,
        destination=destination,
        created=call.world.now,
        active=call.world.now,
        revision=call.world.ids.hex("pull request revision", 64),
    )
    lookup.store(call.world).pull_requests[made.id] = made
    _announce(call, made, "pullRequestCreated")
    return {"pullRequest": _shown(call.world, made)}


def _reference(repository: Repository, name: str) -> str:
    short = name.removeprefix("refs/heads/")
    if short not in repository.git.branches:
        raise AwsError("ReferenceDoesNotExistException", f"The specified reference {name} does not exist.")
    return short


def get(call: Call) -> dict[str, Any]:
    """GetPullRequest."""
    return {"pullRequest": _shown(call.world, _found(call))}


def _found(call: Call) -> PullRequest:
    wanted = call.params["pullRequestId"]
    if not wanted.isdigit():
        raise AwsError("InvalidPullRequestIdException", f"The pull request ID {wanted} is not valid.")
    found = lookup.store(call.world).pull_requests.get(wanted)
    if found is None:
        text = f"The pull request {wanted} does not exist."
        raise AwsError("PullRequestDoesNotExistException", text)
    return found


def list_all(call: Call) -> dict[str, Any]:
    """ListPullRequests of a repository, newest first."""
    repository, told = lookup.repository(call.world, call.params), call.params
    found = [
        one.id
        for one in reversed(lookup.store(call.world).pull_requests.values())
        if one.repository == repository.name
        and told.get("authorArn", one.author) == one.author
        and told.get("pullRequestStatus", one.status) == one.status
    ]
    return lookup.page(found, told, "pullRequestIds", size=told.get("maxResults", PAGE))


def update_title(call: Call) -> dict[str, Any]:
    """UpdatePullRequestTitle of an open one."""
    found = _open(call)
    found.title, found.active = call.params["title"], call.world.now
    return {"pullRequest": _shown(call.world, found)}


def update_description(call: Call) -> dict[str, Any]:
    """UpdatePullRequestDescription of an open one."""
    found = _open(call)
    found.description, found.active = call.params["description"], call.world.now
    return {"pullRequest": _shown(call.world, found)}


def update_status(call: Call) -> dict[str, Any]:
    """UpdatePullRequestStatus: an open one can be closed, and never opened again."""
    found, wanted = _found(call), call.params["pullRequestStatus"]
    if (found.status, wanted) != ("OPEN", "CLOSED"):
        text = "The pull request status update is not valid. The only valid update is from OPEN to CLOSED."
        raise AwsError("InvalidPullRequestStatusUpdateException", text)
    found.tips = _tips(call.world, found)
    found.status, found.active = "CLOSED", call.world.now
    _announce(call, found, "pullRequestStatusChanged")
    return {"pullRequest": _shown(call.world, found)}


def _open(call: Call) -> PullRequest:
    found = _found(call)
    if found.status != "OPEN":
        text = "The pull request status cannot be updated because it is already closed."
        raise AwsError("PullRequestAlreadyClosedException", text)
    return found


def merge(call: Call) -> dict[str, Any]:
    """MergePullRequestByFastForward, ...BySquash and ...ByThreeWay: the destination moves and the request is closed."""
    found, repository = _open(call), lookup.repository(call.world, call.params)
    if found.repository != repository.name:
        text = f"The repository {repository.name} is not associated with pull request {found.id}."
        raise AwsError("RepositoryNotAssociatedWithPullRequestException", text)
    source, destination = _tips(call.world, found)
    if call.params.get("sourceCommitId", source) != source:
        text = "The tip of the source branch in the pull request does not match the tip of the source branch."
        raise AwsError("TipOfSourceReferenceIsDifferentException", text)
    commits = [repository.git.commit(name) for name in (source, destination)]
    ours, theirs = (commit for commit in commits if commit)
    option = next(name for ending, name in merges.ENDINGS.items() if call.operation.endswith(ending))
    commit = merges.perform(call, repository, merging.plan(repository, call.params, ours, theirs), option)
    branches.move(call.world, repository, found.destination, commit, caller=call.caller)
    found.tips, found.merged = (source, destination), (option, commit, call.caller)
    found.status, found.active = "CLOSED", call.world.now
    _announce(call, found, "pullRequestMergeStatusUpdated")
    return {"pullRequest": _shown(call.world, found)}


def _tips(world: World, found: PullRequest) -> tuple[str, str]:
    """The commits that the request is about: those at its end, once it is closed."""
    known = lookup.named(world, found.repository).git.branches
    return found.tips or (known.get(found.source, ""), known.get(found.destination, ""))


def _shown(world: World, found: PullRequest) -> dict[str, Any]:
    return {
        "pullRequestId": found.id,
        "title": found.title,
        **({"description": found.description} if found.description is not None else {}),
        "lastActivityDate": world.datetime(found.active),
        "creationDate": world.datetime(found.created),
        "pullRequestStatus": found.status,
        "authorArn": found.author,
        "pullRequestTargets": [_target(world, found)],
        "revisionId": found.revision,
        "approvalRules": [],
    }


def _target(world: World, found: PullRequest) -> dict[str, Any]:
    repository, (source, destination) = lookup.named(world, found.repository), _tips(world, found)
    commits = [repository.git.commit(name) for name in (source, destination)]
    base = merging.plan(repository, {}, *commits).base if all(commits) else None  # type: ignore[arg-type]
    return {
        "repositoryName": found.repository,
        "sourceReference": f"refs/heads/{found.source}",
        "destinationReference": f"refs/heads/{found.destination}",
        "sourceCommit": source,
        "destinationCommit": destination,
        **({"mergeBase": base.id} if base else {}),
        "mergeMetadata": _merged(found),
    }


def _merged(found: PullRequest) -> Mapping[str, Any]:
    if found.merged is None:
        return {"isMerged": False}
    option, commit, who = found.merged
    return {"isMerged": True, "mergedBy": who, "mergeCommitId": commit, "mergeOption": option}


def _announce(call: Call, found: PullRequest, event: str) -> None:
    from runbook_lib.sandbox.services import events

    repository = lookup.named(call.world, found.repository)
    source, destination = _tips(call.world, found)
    detail = {
        "event": event,
        "pullRequestId": found.id,
        "title": found.title,
        "author": found.author,
        "callerUserArn": call.caller,
        "creationDate": call.world.datetime(found.created).isoformat(),
        "lastModifiedDate": call.world.datetime(found.active).isoformat(),
        "isMerged": str(found.merged is not None),
        "pullRequestStatus": found.status.capitalize(),
        "repositoryNames": [found.repository],
        "sourceReference": f"refs/heads/{found.source}",
        "destinationReference": f"refs/heads/{found.destination}",
        "sourceCommit": source,
        "destinationCommit": destination,
        "revisionId": found.revision,
    }
    events.emit(
        call.world,
        source="aws.codecommit",
        detail_type="CodeCommit Pull Request State Change",
        resources=[repositories.arn(call.world, repository)],
        detail=detail,
    )


OPERATIONS = {
    "CreatePullRequest": create,
    "GetPullRequest": get,
    "ListPullRequests": list_all,
    "UpdatePullRequestTitle": update_title,
    "UpdatePullRequestDescription": update_description,
    "UpdatePullRequestStatus": update_status,
    "MergePullRequestByFastForward": merge,
    "MergePullRequestBySquash": merge,
    "MergePullRequestByThreeWay": merge,
}
