"""Repairs that are certain: made one by one in memory, each proved by asking again, then written all at once.

A repair counts when its rule's answers are better than before and no other rule fails more; else it is dropped, and the
finding stays for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runbook_lib.check import Verdict
from runbook_lib.documents.edit import Edit
from runbook_lib.errors import BadInput
from runbook_lib.preflight import report
from runbook_lib.preflight.picture import Picture
from runbook_lib.preflight.reading import read_tree
from runbook_lib.preflight.report import Report
from runbook_lib.preflight.rule import Rule
from runbook_lib.preflight.rules import RULES
from runbook_lib.preflight.tree import Tree, open_tree
from runbook_lib.preflight.write import replace_text

MOST_REPAIRS = 60


@dataclass(frozen=True)
class Fixes:
    """What the files become: one edit a file, and the report before and after; `mended` are ids of rules."""

    tree: Tree
    edits: tuple[Edit, ...]
    mended: tuple[str, ...]
    before: Report
    after: Report

    @property
    def diff(self) -> str:
        """All changes as one unified diff; empty when there is nothing to repair."""
        return "\n".join(edit.diff for edit in self.edits if edit.changed)


@dataclass
class _State:
    """Where the repairing stands: the files so far, and what was read and asked of them."""

    tree: Tree
    picture: Picture
    asked: Report
    originals: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    mended: list[str] = field(default_factory=list)


def plan_fixes(directory: Path, *, pipeline_file: Path | None = None, rules: Sequence[Rule] = RULES) -> Fixes:
    """Every repair that is certain, not written yet."""
    return fixes_of(open_tree(directory), pipeline_file=pipeline_file, rules=rules)


def fixes_of(tree: Tree, *, pipeline_file: Path | None = None, rules: Sequence[Rule] = RULES) -> Fixes:
    """The same of a folder with texts that are not written yet; the edits are those beyond these texts."""
    picture = read_tree(tree, pipeline_file=pipeline_file)
    state = _State(tree, picture, report.examine(picture, rules))
    before = state.asked
    for _ in range(MOST_REPAIRS):
        if not _one_more(state, pipeline_file, rules):
            break
    texts = state.tree.changed
    edits = [Edit(path, text, texts[path], tuple(state.reasons[path])) for path, text in state.originals.items()]
    return Fixes(state.tree, tuple(edits), tuple(dict.fromkeys(state.mended)), before, state.asked)


def apply_fixes(fixes: Fixes) -> None:
    """Write the changed files, each at once or not at all; one that changed since it was read is refused first."""
    for edit in fixes.edits:
        _refuse_changed(fixes.tree.directory / edit.name, edit)
    for edit in fixes.edits:
        if edit.changed:
            replace_text(fixes.tree.directory / edit.name, edit.after, inside=fixes.tree.directory)


def _one_more(state: _State, pipeline_file: Path | None, rules: Sequence[Rule]) -> bool:
    """Apply the first repair that proves itself; False when none does."""
    bad = {one.story.id for one in state.asked.asked if one.verdict > Verdict.SKIP}
    for rule in (rule for rule in rules if rule.repair and rule.id in bad):
        for edit in _repairs(rule, state.picture):
            tree = state.tree.with_text(edit.name, edit.after)
            picture = read_tree(tree, pipeline_file=pipeline_file)
            asked = report.examine(picture, rules)
            if _proves(rule, state.asked, asked):
                state.originals.setdefault(edit.name, edit.before)
                state.reasons.setdefault(edit.name, []).extend(edit.reasons)
                state.mended.append(rule.id)
                state.tree, state.picture, state.asked = tree, picture, asked
                return True
    return False


def _repairs(rule: Rule, picture: Picture) -> Iterator[Edit]:
    if rule.repair and all(picture.has(part) or picture.trouble_with(part) for part in rule.needs):
        yield from (edit for edit in rule.repair(picture) if edit.changed)


def _proves(rule: Rule, before: Report, after: Report) -> bool:
    """Better by its own rule; a doubt may come up elsewhere, as a file that can be read now is asked more."""
    own = _bad(before, Verdict.SKIP)[rule.id] - _bad(after, Verdict.SKIP)[rule.id]
    was, now = _bad(before, Verdict.INCONCLUSIVE), _bad(after, Verdict.INCONCLUSIVE)
    return own > 0 and all(now[id] <= was[id] for id in now)


def _bad(asked: Report, good: Verdict) -> dict[str, int]:
    """How much worse than this each rule's answers are together: a FAIL counts more than a doubt."""
    return {one.story.id: sum(max(0, answer.verdict - good) for answer in one.answers) for one in asked.asked}


def _refuse_changed(path: Path, edit: Edit) -> None:
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        present = b""
    except OSError as problem:
        raise BadInput(
            where=str(path), seen=str(problem.strerror), wanted="a file that can be read", next_step="allow reading it"
        ) from problem
    if present != edit.before.encode():
        raise BadInput(
            where=str(path),
            seen="a file that changed since it was read",
            wanted="the file as it was shown",
            next_step="run the command again",
        )
