"""All rules, in the order of the questions, from the pipeline to operating."""

from __future__ import annotations

from runbook_lib.preflight.rule import Rule
from runbook_lib.preflight.rules import pipeline

RULES: tuple[Rule, ...] = (*pipeline.RULES,)
