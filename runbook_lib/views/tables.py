"""What the reader sees: tables of plans, checks and journals, and the lines of progress."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runbook_lib.check import Checks, Verdict
from runbook_lib.journal import Journal
from runbook_lib.step import Applied, Plan, Step
from runbook_lib.table import Table, table

if TYPE_CHECKING:
    from runbook_lib.preflight.report import Asked, Report
    from runbook_lib.preflight.rule import Answer
    from runbook_lib.preflight.story import Story

MOST_ROWS = 12
MOST_STORIES = 3  # of one error: further ones share fewer of its words
SELDOM = 30.0  # seconds
PROGRESS = "RUNBOOK_PROGRESS"  # "in_place" redraws one line (JupyterLab); anything else prints only the changes


@dataclass(frozen=True)
class Line:
    """A line of text for the reader."""

    text: str

    def __repr__(self) -> str:
        return self.text


def show(thing: Any) -> None:
    """Show something to the reader: richly in a notebook, as text elsewhere; a picture with its sentence below it."""
    _show(thing.table() if hasattr(thing, "table") else thing)
    if hasattr(thing, "sentence"):
        # Where a picture is shown its text is not: the sentence is shown by itself.
        _show(Line(thing.sentence))


def _show(thing: Any) -> None:
    if _shell() is None:
        print(thing)  # noqa: T201 - outside a kernel the reader has a terminal
    else:
        from IPython.display import display

        display(thing)


def _shell() -> Any:
    import sys

    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def on_error(tell: Callable[[BaseException], None]) -> None:
    """Let somebody tell of every error that ends a cell of this notebook, once; outside a kernel nobody listens."""
    shell = _shell()
    if shell is not None:
        shell.events.register("post_run_cell", _Listener(tell))


@dataclass(frozen=True)
class _Listener:
    """Hears the end of every cell; a value, so that IPython registers it once, however often it is asked to."""

    tell: Callable[[BaseException], None]

    def __call__(self, result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            self.tell(error)


def plan_table(plan: Plan) -> Table:
    """The steps of a plan: what is called, what it touches, why, and how it is undone; long plans part by part."""
    rows = [_step_row(step) for step in plan.steps]
    if len(rows) > MOST_ROWS:
        rows = [_part_row(name, list(steps)) for name, steps in groupby(plan.steps, key=_part)]
    return table(_plan_title(plan), rows)


def plan_steps(plan: Plan) -> Table:
    """Every step of a plan, however long it is."""
    return table(_plan_title(plan), [_step_row(step) for step in plan.steps])


def applied_line(applied: Applied) -> str:
    """One line on what came of a plan."""
    done, whole = len(applied.done), len(applied.plan.steps)
    left = f", {whole - done} had nothing to do" if whole > done else ""
    return f"{applied.plan.title}: {done} steps done{left}"


def checks_table(checks: Checks) -> Table:
    """The questions with their answers, both numbers beside each other."""
    rows = [
        {"question": c.question, "verdict": str(c.verdict), "seen": c.seen, "wanted": c.wanted, "remedy": c.remedy}
        for c in checks.answers
    ]
    headings = ("question", "verdict", "seen", "wanted") + (("remedy",) if checks.bad else ())
    return table(f"{checks.title}: {checks.verdict}", rows, headings)


def preflight_tables(report: Report) -> Iterator[Table]:
    """The tree of questions: how many answers of each kind below every branch, then each that is not good."""
    rows = [_branch_row(name, [one.verdict for one in asked]) for name, asked in report.sections()]
    yield table(f"The known ways to fail that this notebook can meet: {report.verdict}", rows)
    bad = [_answer_row(one, answer) for one in report.asked for answer in one.answers if answer.verdict > Verdict.SKIP]
    if bad:
        left = f" ({len(bad) - MOST_ROWS} more: runbook check)" if len(bad) > MOST_ROWS else ""
        yield table(f"What is not good{left}", sorted(bad, key=lambda row: row["verdict"] != "FAIL")[:MOST_ROWS])


def _branch_row(name: str, verdicts: list[Verdict]) -> dict[str, Any]:
    return {"about": name, "questions": len(verdicts), **{str(v): verdicts.count(v) for v in Verdict}}


def _answer_row(one: Asked, answer: Answer) -> dict[str, str]:
    return {
        "question": f"{one.story.id} {one.story.question}",
        "verdict": str(answer.verdict),
        "where": answer.where,
        "seen": answer.seen,
        "wanted": answer.wanted,
        "remedy": answer.remedy,
    }


def decoded_table(found: Sequence[Story]) -> Table:
    """What is known of an error: the failure modes that say it, the most telling first."""
    rows = [
        {
            "failure mode": story.id,
            "cause": story.cause,
            "remedy": story.remedy,
            "found beforehand by": story.unchecked or f"runbook check: {story.question}",
        }
        for story in found[:MOST_STORIES]
    ]
    return table("This error is known (`runbook explain` tells more)", rows)


def ending_table(journal: Journal) -> Table:
    """What was done, computed from the journal."""
    kinds = {
        "step": ("steps done", lambda entry: entry.fields["done"]),
        "gate": ("gates opened", lambda entry: entry.fields["opened"]),
        "checks": ("checks asked", lambda entry: True),
        "wait": ("waits", lambda entry: True),
    }
    rows = [
        {"what": words, "how many": sum(1 for entry in journal.of(kind) if counts(entry))}
        for kind, (words, counts) in kinds.items()
    ]
    verdicts = [entry.fields["verdict"] for entry in journal.of("checks")]
    rows.append({"what": "last verdict", "how many": verdicts[-1] if verdicts else "nothing was checked"})
    for entry in journal.of("load"):
        rows.append({"what": "requests sent meanwhile", "how many": entry.fields["sent"]})
        rows.append({"what": "requests failed", "how many": _failed(entry.fields)})
    return table("What this run did", rows)


def _failed(load: Mapping[str, Any]) -> str:
    """How many requests of live traffic failed, and how: 71 (500: 71)."""
    bad = {how: number for how, number in load["statuses"].items() if not how.isdigit() or int(how) >= 500}
    how = ", ".join(f"{how}: {number}" for how, number in sorted(bad.items()))
    return f"{load['failed']} ({how})" if load["failed"] else "0"


class Progress:
    """Progress of something long: redrawn in place where asked for, else a line for each change."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.handle: Any = None
        self.last: str | None = None
        self.told = 0.0  # seconds after the beginning when it was told last

    def say(self, text: str, board: Table | None = None, picture: Callable[[], Any] | None = None) -> None:
        """Tell the state; the same text twice is told once.  Where it is redrawn, board and picture stand below it."""
        if text == self.last:
            return
        self.last = text
        if os.environ.get(PROGRESS) == "in_place" and _shell() is not None:
            self._redraw(text, board, picture() if picture is not None else None)
        else:
            print(text)  # noqa: T201 - progress is for the reader

    def say_seldom(self, text: str, seconds: float) -> None:
        """Tell how far something has come that changes all the time: in place, else a line every half a minute."""
        in_place = os.environ.get(PROGRESS) == "in_place" and _shell() is not None
        if in_place or seconds - self.told >= SELDOM:
            self.told = seconds
            self.say(text)

    def _redraw(self, text: str, board: Table | None, picture: Any) -> None:
        from IPython.display import display

        rich = {"text/plain": f"{self.title}: {text}" + (f"\n\n{board}" if board else "")}
        if board is not None:
            rich["text/html"] = f"<p>{escape(self.title)}: {escape(text)}</p>{board._repr_html_()}{_image(picture)}"
        if self.handle is None:
            self.handle = display(rich, raw=True, display_id=True)
        else:
            self.handle.update(rich, raw=True)


def _image(picture: Any) -> str:
    """A chart inside a page: the picture with its claim and the sentence that reads it aloud."""
    if picture is None:
        return ""
    data = base64.b64encode(picture.png).decode()
    return f"<img alt='{escape(picture.title)}' src='data:image/png;base64,{data}'><p>{escape(picture.sentence)}</p>"


def _plan_title(plan: Plan) -> str:
    needed = len(plan.needed)
    bill = f", {plan.monthly_usd:.2f} USD a month" if plan.monthly_usd is not None else ""
    return f"{plan.title}: {needed} of {len(plan.steps)} steps needed{bill}"


def _step_row(step: Step) -> dict[str, str]:
    return {
        "step": step.title,
        "call": step.call if step.needed else "-",
        "touches": step.touches,
        "why": step.reason,
        "undo": step.undo if step.needed else "-",
    }


def _part(step: Step) -> str:
    return step.id.split(".")[0] if not step.id.startswith("remove.") else step.id.split(".")[1]


def _part_row(name: str, steps: Iterable[Step]) -> dict[str, str]:
    steps = list(steps)
    needed = [step for step in steps if step.needed]
    calls = list(dict.fromkeys(step.call for step in needed))
    return {
        "part": name,
        "steps": f"{len(needed)} of {len(steps)}",
        "calls": ", ".join(calls[:3]) + (f" and {len(calls) - 3} more" if len(calls) > 3 else "") or "-",
        "undo": steps[0].undo if needed else "-",
    }
