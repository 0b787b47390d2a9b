"""A11 to A14, C9, D5, D6 and all the rest of it: what the roles of the delivery may do, as IAM's simulator says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from runbook_lib.preflight.lacking import MISSING, ROLES, TRUST, statement
from runbook_lib.preflight.live import Grant
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.rule import Answer, Rule, fail, ok, unknown

IDS = ("A11", "A12", "A13", "A14", "C9", "D5", "D6", ROLES)
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
    asked = "GetRole" if grant.limited == TRUST else "SimulatePrincipalPolicy"
    where = f"{asked}: {grant.role.rpartition('/')[2] or 'no role'}, {grant.action}"
    wanted = f"allowed on {grant.resource}" if grant.limited != TRUST else f"allowed to {grant.resource}"
    if grant.decision == MISSING:
        what = grant.action.removeprefix("the ")
        return fail(where, f"no {what}", f"a {what.partition(' ')[0]}", "make it, or name another one")
    if not grant.seen_all:
        return unknown(where, f"{grant.decision}: {grant.because}", wanted, "look at that policy with what you know")
    if grant.decision == "allowed":
        return ok(where, "allowed by its policies", wanted)
    seen = f"{grant.decision}: {grant.because}" if grant.because else grant.decision
    return fail(where, seen, wanted, _remedy(grant))


def _remedy(grant: Grant) -> str:
    """What allows it: a statement, unless something else than its absence says no."""
    if grant.limited == TRUST:
        return f"let {grant.resource} take the role on: AssumeRole in its trust policy"
    if grant.limited:
        return f"{grant.limited} must allow it too: no policy of the role can"
    if grant.decision == "explicitDeny":
        return "take the deny away: nothing that is added to the role outweighs it"
    return f"add to the role: {json.dumps(statement(grant))}"


def _key(picture: Picture) -> Iterator[Answer]:
    store = picture.pipeline.definition.get("artifactStore", {}) if picture.pipeline else {}
    key = store.get("encryptionKey", {}).get("id") if isinstance(store, dict) else None
    if key:
        assert picture.pipeline is not None
        where, remedy = f"{picture.pipeline.source}: artifactStore.encryptionKey", "allow the roles in the key's policy"
        yield unknown(where, UNSEEN, "roles of pipeline, build and CodeDeploy in the key's policy", remedy)


RULES = tuple(Rule(rule, ("live.grants",), _asks(rule)) for rule in IDS)
