"""A11 to A14, C9, D5 and D6: what the roles of the delivery may do, as IAM's simulator says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from runbook_lib.preflight.live import Grant
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, fail, ok, unknown

IDS = ("A11", "A12", "A13", "A14", "C9", "D5", "D6")
UNSEEN = "a key, whose policy no simulation sees"


def _asks(rule: str) -> Callable[[Picture], Iterator[Answer]]:
    def answer(picture: Picture) -> Iterator[Answer]:
        """Every action that this rule is about, role by role."""
        assert picture.live is not None
        yield from map(_answer, (grant for grant in picture.live.grants or () if grant.rule == rule))
        if rule == "A13":
            yield from _key(picture)

    return answer


def _answer(grant: Grant) -> Answer:
    where = f"SimulatePrincipalPolicy: {grant.role.rpartition('/')[2] or 'no role'}, {grant.action}"
    wanted = f"allowed on {grant.resource}"
    if grant.decision == "missing":
        return fail("GetFunction", f"no function {grant.resource}", "a function", "make it, or remove the hook")
    if grant.decision == "allowed":
        return ok(where, "allowed by its policies", wanted)
    if not grant.seen_all:
        return unknown(where, f"{grant.decision}, with conditions on what only the real call has", wanted)
    return fail(where, grant.decision, wanted, f"add to the role: {statement(grant)}")


def statement(grant: Grant) -> str:
    """The least that the role lacks, as a statement of a policy."""
    told = {"Effect": "Allow", "Action": grant.action, "Resource": grant.resource}
    if grant.action == "iam:PassRole":
        told["Condition"] = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}  # type: ignore[assignment]
    return json.dumps(told)


def _key(picture: Picture) -> Iterator[Answer]:
    store = picture.pipeline.definition.get("artifactStore", {}) if picture.pipeline else {}
    key = store.get("encryptionKey", {}).get("id") if isinstance(store, dict) else None
    if key:
        assert picture.pipeline is not None
        where, remedy = f"{picture.pipeline.source}: artifactStore.encryptionKey", "allow the roles in the key's policy"
        yield unknown(where, UNSEEN, "roles of pipeline, build and CodeDeploy in the key's policy", remedy)


RULES = tuple(Rule(rule, ("live.grants",), _asks(rule)) for rule in IDS)
