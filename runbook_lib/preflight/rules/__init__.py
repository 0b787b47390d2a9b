"""All rules, in the order of the questions, from the files themselves over the pipeline to operating."""

from __future__ import annotations

from runbook_lib.preflight.rule import Rule
from runbook_lib.preflight.rules import build, deployment, documents, pipeline

RULES: tuple[Rule, ...] = (*documents.RULES, *pipeline.RULES, *build.RULES, *deployment.RULES)
