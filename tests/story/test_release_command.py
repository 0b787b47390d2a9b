"""`runbook release`: the notebook's own steps, in the terminal, with the exit codes of the table."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
from story_stage import PARAMS

from runbook_lib import cli
from runbook_lib.runs import release

ROOT = Path(PARAMS).parents[1]
STORY = re.compile(r"run\.(?:look|check|plan|read|wait|decide)\(\s*((?:release|forecasting)\.\w+)")
VERBS = re.compile(r"run\.(gate|apply|follow|end)\(")


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    return tmp_path / "evidence"


def steps(source: str) -> list[str]:
    """The story's functions and verbs that a text calls, in their order."""
    found = [(match.start(), match[1]) for pattern in (STORY, VERBS) for match in pattern.finditer(source)]
    return [name for _, name in sorted(found)]


def test_it_does_what_the_notebook_does() -> None:
    """The same functions; what the notebook shows beside them is charts, history and lifecycle events."""
    notebook = json.loads((ROOT / "notebooks" / "30_release.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = {"release.events"}
    wanted = [name for name in steps("\n".join(cells)) if name not in shown]
    assert steps(inspect.getsource(release._release)) != []
    assert set(steps(inspect.getsource(release._release))) == set(wanted)


def test_a_bad_version_ends_with_4_and_its_evidence(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was decided is in the journal, the verdict beside it, the reason on standard error."""
    code = cli.main(["release", "--scenario", "latency_100", "--output", str(evidence)])
    told = capsys.readouterr()
    assert code == 4
    assert "decided: stop: latency:" in told.out
    assert "serves again" in told.err
    verdict = json.loads((evidence / "verdict.json").read_text())
    assert (verdict["outcome"], verdict["exit_code"]) == ("rolled back", 4)
    kinds = [json.loads(line)["kind"] for line in (evidence / "journal.jsonl").read_text().splitlines()]
    assert {"begin", "gate", "sample", "judgement", "decision", "end"} <= set(kinds)


def test_a_canary_that_is_too_short_is_refused(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is changed, with a better one."""
    words = ["-p", "release.traffic=canary", "-p", "release.step_minutes=3"]
    assert cli.main(["release", *words, "--output", str(evidence)]) == 3
    told = capsys.readouterr()
    assert "canary, 10 percent for 15 min" in told.err
    assert "pipeline run" not in told.out


def test_a_plan_changes_nothing(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks, forecast and plan are shown; no gate is asked."""
    assert cli.main(["release", "--plan", "--output", str(evidence)]) == 0
    told = capsys.readouterr().out
    assert "Only planned: nothing was changed." in told
    assert "gate open" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scenario", "helthy"], "did you mean healthy?"),
        (["-p", "versoin=3"], "did you mean version?"),
        (["--scenari", "healthy"], "did you mean --scenario?"),
    ],
)
def test_what_it_does_not_know_it_refuses(
    evidence: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the nearest that it knows, before anything starts."""
    assert cli.main(["release", *words, "--output", str(evidence)]) == 2
    assert told in capsys.readouterr().err
    assert not evidence.exists()


def test_a_release_of_the_past_is_judged_afterwards(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The deployment of 22 in this world was good: no traffic of it can be told apart, or it is OK; nothing changes."""
    assert cli.main(["release", "--plan", "--output", str(evidence)]) == 0
    shown = capsys.readouterr().out
    assert "Live now" in shown
    assert cli.main(["release", "--past", "d-3UVV76ATB"]) == 0
    told = capsys.readouterr().out
    assert "The judge on a release of the past" in told
    assert "verdict" in told
