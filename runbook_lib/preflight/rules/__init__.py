"""All rules, in the order of the questions, from the files themselves over the pipeline to operating."""

from __future__ import annotations

import re

from runbook_lib.preflight.rule import Rule
from runbook_lib.preflight.rules import build, deployment, documents, group, permissions, pipeline, running


def _place(rule: Rule) -> tuple[str, int]:
    found = re.fullmatch(r"([A-E])(\d+)", rule.id)
    return (found[1], int(found[2])) if found else ("", 0)


ROOMS = (documents, pipeline, build, deployment, group, running, permissions)
RULES: tuple[Rule, ...] = tuple(sorted((rule for room in ROOMS for rule in room.RULES), key=_place))
