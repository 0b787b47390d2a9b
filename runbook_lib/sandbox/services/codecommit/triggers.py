"""Triggers: a topic of Amazon SNS is told of every change of a branch; functions of AWS Lambda are not simulated.

Source: CodeCommit user guide, how-to-notify and how-to-notify-test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook_lib.sandbox.errors import AwsError, not_simulated
from runbook_lib.sandbox.services.codecommit import lookup, repositories
from runbook_lib.sandbox.services.codecommit.store import Repository

if TYPE_CHECKING:
    from runbook_lib.sandbox.gateway import Call
    from runbook_lib.sandbox.world import World

MOST = 10  # triggers of a repository; CodeCommit user guide, limits
EVENTS = {
    "referenceCreated": "createReference",
    "referenceUpdated": "updateReference",
    "referenceDeleted": "deleteReference",
}


def put(call: Call) -> dict[str, Any]:
    """PutRepositoryTriggers: in place of all that there were."""
    repository = lookup.repository(call.world, call.params)
    _check(call.params["triggers"])
    repository.triggers = [{"customData": "", "branches": [], **one} for one in call.params["triggers"]]
    repository.trigger_configuration = call.world.ids.uuid("codecommit triggers")
    return {"configurationId": repository.trigger_configuration}


def _check(triggers: list[dict[str, Any]]) -> None:
    if len(triggers) > MOST:
        text = f"The number of triggers allowed for the repository was exceeded: at most {MOST}."
        raise AwsError("MaximumRepositoryTriggersExceededException", text)
    for one in triggers:
        if not one["events"]:
            raise AwsError("RepositoryTriggerEventsListRequiredException", "At least one event is required.")
        if ":lambda:" in one["destinationArn"]:
            raise not_simulated(f"codecommit: the trigger {one['name']}, which calls a function")
        if not one["destinationArn"].startswith("arn:") or ":sns:" not in one["destinationArn"]:
            text = f"The Amazon Resource Name (ARN) for the trigger {one['name']} is not valid."
            raise AwsError("InvalidRepositoryTriggerDestinationArnException", text)


def get(call: Call) -> dict[str, Any]:
    """GetRepositoryTriggers."""
    repository = lookup.repository(call.world, call.params)
    named = {"configurationId": repository.trigger_configuration} if repository.trigger_configuration else {}
    return {**named, "triggers": repository.triggers}


@dataclass(frozen=True)
class Moved:
    """What happened to a branch; `commit` is None when it is gone."""

    branch: str
    event: str
    commit: str | None
    caller: str


def fire(world: World, repository: Repository, moved: Moved) -> None:
    """Tell the topics whose triggers are about this event of this branch."""
    wanted = {EVENTS[moved.event], "all"}
    for one in repository.triggers:
        if wanted & set(one["events"]) and moved.branch in (one["branches"] or [moved.branch]):
            message = json.dumps({"Records": [_record(world, repository, one, moved)]})
            subject = f"UPDATE: CodeCommit {repository.name}"
            world.client("sns").publish(TopicArn=one["destinationArn"], Subject=subject, Message=message)


def _record(world: World, repository: Repository, trigger: Mapping[str, Any], moved: Moved) -> dict[str, Any]:
    reference: dict[str, Any] = {"commit": moved.commit or "0" * 40, "ref": f"refs/heads/{moved.branch}"}
    if moved.event == "referenceCreated":
        reference["created"] = True
    if moved.commit is None:
        reference["deleted"] = True
    return {
        "awsRegion": world.settings.region,
        "codecommit": {"references": [reference]},
        "customData": trigger["customData"],
        "eventName": "ReferenceChanges",
        "eventSource": "aws:codecommit",
        "eventSourceARN": repositories.arn(world, repository),
        "eventTime": world.datetime().isoformat(),
        "eventTriggerName": trigger["name"],
        "eventVersion": "1.0",
        "userIdentityARN": moved.caller,
    }


OPERATIONS = {"PutRepositoryTriggers": put, "GetRepositoryTriggers": get}
