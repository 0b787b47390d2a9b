"""The page of the rules and the README's count are those of the rules."""

from __future__ import annotations

import inspect
from pathlib import Path

from runbook_lib.preflight.rules import RULES
from tests import rules_page


def test_the_page_is_current() -> None:
    """`make rules` writes it from the rules and their stories."""
    assert rules_page.PAGE.read_text(encoding="utf-8") == rules_page.text(), "run `make rules`"


def test_every_question_and_every_repair_stands_on_the_page() -> None:
    """Each in a row of its own."""
    rows = rules_page.text().splitlines()
    for rule in RULES:
        assert sum(row.startswith(f"| {rule.id} |") for row in rows) == 1 + (rule.repair is not None), rule.id


def test_the_readme_counts_the_rules(root: Path) -> None:
    """In the words of the page."""
    assert rules_page.summary() in (root / "README.md").read_text(encoding="utf-8")


def test_a_repair_stands_beside_its_rule() -> None:
    """In the same file."""
    for rule in (rule for rule in RULES if rule.repair):
        assert inspect.getsourcefile(inspect.unwrap(rule.repair)) == inspect.getsourcefile(rule.answer), rule.id
