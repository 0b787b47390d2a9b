"""A headless run ends with the exit code that its error means, and leaves evidence however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.provisioning import LocalProvisioner

from runbook_lib.runs import notebook
from runbook_lib.runs.attempt import Limits
from runbook_lib.runs.execute import Run, run_notebook
from runbook_lib.runs.request import prepare

PATIENT = Limits(cell=60, total=60)


def run(fixtures: Path, name: str, *settings: str, limits: Limits = PATIENT) -> Run:
    asked = prepare(notebook.read(fixtures / f"{name}.ipynb"), params_file="plain", settings=settings)
    return run_notebook(asked, limits=limits)


def saved(made: Run) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((made.folder / "verdict.json").read_text(encoding="utf-8"))
    return told


def stop_when_reached(runs: Path, number: signal.Signals) -> None:
    while not list(runs.glob("*/reached")):
        time.sleep(0.05)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("name", "code", "outcome"),
    [
        ("all_good", 0, "done"),
        ("breaks", 1, "broken"),
        ("has_bad_input", 2, "bad input"),
        ("fails_its_check", 3, "stopped by a check or gate"),
        ("closes_its_gate", 3, "stopped by a check or gate"),
        ("is_rolled_back", 4, "rolled back"),
        ("fails_its_release", 5, "failed, not rolled back"),
        ("is_refused", 6, "refused"),
        ("runs_out_of_time", 7, "out of time"),
    ],
)
def test_the_error_decides_the_exit_code(workplace: Path, fixtures: Path, name: str, code: int, outcome: str) -> None:
    """One table of exit codes, whatever papermill makes of it."""
    made = run(fixtures, name)
    assert (made.exit_code, made.verdict.outcome) == (code, outcome)
    assert saved(made)["exit_code"] == code


def test_evidence_is_complete_when_all_is_well(workplace: Path, fixtures: Path) -> None:
    """Executed notebook, report, verdict and the parameters that it ran with; nothing else."""
    made = run(fixtures, "all_good")
    files = sorted(path.name for path in made.folder.iterdir())
    assert files == ["all_good.ipynb", "plain.yaml", "report.html", "verdict.json"]
    assert {cell["state"] for cell in saved(made)["cells"]} == {"done"}


@pytest.mark.parametrize(("name", "interrupted"), [("all_good", False), ("breaks", False), ("never_ends", True)])
def test_a_kernel_that_has_answered_is_asked_to_end_and_not_interrupted(
    workplace: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch, name: str, interrupted: bool
) -> None:
    """An interrupt while it puts its things away ends in errors of its sockets; a cell that runs is still ended by it."""
    sent = []
    send = LocalProvisioner.send_signal

    async def note(self: LocalProvisioner, signum: int) -> None:
        sent.append(signum)
        await send(self, signum)

    monkeypatch.setattr(LocalProvisioner, "send_signal", note)
    run(fixtures, name, limits=Limits(cell=2, total=60))
    assert (signal.SIGINT in sent) is interrupted


def test_a_kernel_may_finish_its_last_answer(workplace: Path, fixtures: Path) -> None:
    """ipykernel closes its sockets whatever its control thread still does with them, and ends in errors of ZeroMQ."""
    made = run(fixtures, "ends_slowly")
    log = made.folder / "kernel.log"
    assert not log.exists(), log.read_text(encoding="utf-8")
    assert made.exit_code == 0


def test_the_report_fetches_nothing(workplace: Path, fixtures: Path) -> None:
    """One file, with the chart inside and no code, that opens without a network."""
    made = run(fixtures, "all_good")
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"<script|<link|@import|url\(|(?:src|href)=[\"'](?!data:|#)", page)
    assert "data:image/png;base64," in page
    assert "import pandas" not in page


def test_a_failed_run_says_where_and_what_next(workplace: Path, fixtures: Path) -> None:
    """The parts of the error arrive, with the cell and the heading above it."""
    verdict = run(fixtures, "closes_its_gate").verdict
    assert verdict.failure is not None
    assert (verdict.failure.seen, verdict.failure.next_step) == ("1 of 2", "mend it")
    assert verdict.failed_cell is not None
    assert (verdict.failed_cell.number, verdict.failed_cell.heading) == (4, "Here it ends")
    assert [cell.state for cell in verdict.cells] == ["done", "done", "done", "failed", "not run"]


def test_the_report_of_a_failed_run_begins_with_the_failure(workplace: Path, fixtures: Path) -> None:
    """A reader in a hurry sees outcome, reason and remedy first."""
    page = (run(fixtures, "is_rolled_back").folder / "report.html").read_text(encoding="utf-8")
    first = page[: page.index("The release is rolled back</h1>") if "rolled back</h1>" in page else 3000]
    assert "rolled back (exit code 4)" in first
    assert "mend it" in first


def test_an_error_of_aws_is_told_with_what_is_known_of_it(workplace: Path, fixtures: Path) -> None:
    """Below the error, once: the failure mode, its cause, the remedy, and the check that finds it beforehand."""
    made = run(fixtures, "meets_a_known_error")
    assert made.verdict.failure is not None
    assert made.verdict.failure.known[0].startswith("C2 ")
    executed = json.loads((made.folder / "meets_a_known_error.ipynb").read_text(encoding="utf-8"))
    texts = [
        "".join(output["data"]["text/plain"])
        for cell in executed["cells"]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    told = [text for text in texts if text.startswith("This error is known")]
    assert len(told) == 1
    assert "runbook check: Is the group's style BLUE_GREEN with traffic control?" in told[0]
    assert "Known as" in (made.folder / "report.html").read_text(encoding="utf-8")


def test_an_error_that_nobody_knows_is_left_alone(workplace: Path, fixtures: Path) -> None:
    """Nothing is guessed."""
    failure = run(fixtures, "is_rolled_back").verdict.failure
    assert failure is not None
    assert list(failure.known) == []


def test_a_dead_kernel_is_no_success(workplace: Path, fixtures: Path) -> None:
    """papermill marks every cell as completed then; the verdict and the notebook say what happened."""
    made = run(fixtures, "kills_its_kernel")
    assert (made.exit_code, made.verdict.failure and made.verdict.failure.kind) == (1, "KernelDied")
    cells = json.loads((made.folder / "kills_its_kernel.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [c["metadata"]["papermill"]["status"] for c in cells if c["cell_type"] == "code"][-2:] == [
        "failed",
        "pending",
    ]


@pytest.mark.parametrize("name", ["never_ends", "ignores_interrupts"])
def test_a_cell_that_does_not_end_is_ended(workplace: Path, fixtures: Path, name: str) -> None:
    """Its limit ends it, also when it does not listen; the run is out of time."""
    made = run(fixtures, name, limits=Limits(cell=1, total=60))
    assert (made.exit_code, made.verdict.cells[3].state) == (7, "interrupted")


def test_the_whole_run_has_a_limit_too(workplace: Path, fixtures: Path) -> None:
    """Cells may each be quick enough, and the run too long."""
    assert run(fixtures, "never_ends", limits=Limits(cell=60, total=2)).exit_code == 7


@pytest.mark.parametrize(("name", "code"), [("exits_by_itself", 3), ("exits_quietly", 0)])
def test_sys_exit_ends_no_runbook_well(workplace: Path, fixtures: Path, name: str, code: int) -> None:
    """The cells behind it did not run, so the run is broken, whatever code the cell chose."""
    made = run(fixtures, name)
    assert made.exit_code == 1
    assert f"sys.exit({code})" in made.verdict.line()


def test_the_journal_is_kept_when_a_cell_fails(workplace: Path, fixtures: Path) -> None:
    """As JSON, with what was written before the failure, and without secrets."""
    made = run(fixtures, "keeps_a_journal")
    entries = json.loads((made.folder / "journal.json").read_text(encoding="utf-8"))
    assert [entry["fields"]["step"] for entry in entries] == ["one", "two"]
    assert "hunter2" not in (made.folder / "journal.json").read_text(encoding="utf-8")


def test_parameters_arrive_in_the_notebook(workplace: Path, fixtures: Path) -> None:
    """By their types, below the parameters cell."""
    made = run(fixtures, "own_parameters", "version=1.10", "loud=true", "name=shop")
    text = (made.folder / "own_parameters.ipynb").read_text(encoding="utf-8")
    assert "'1.10' 3 0.5 True ['a'] None" in text
    assert "{'name': 'shop'}" in text


def test_two_runs_of_one_second_get_a_directory_each(workplace: Path, fixtures: Path) -> None:
    """Evidence is never written over."""
    folders = {run(fixtures, "all_good").folder for _ in range(2)}
    assert len(folders) == 2
    assert all(folder.parent == workplace / "runs" for folder in folders)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["by the scheduler", "by Ctrl-C"]
)
@pytest.mark.parametrize("name", ["never_ends", "ignores_interrupts"])
def test_a_stopped_run_closes_its_record(
    workplace: Path, fixtures: Path, name: str, number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal ends the running cell, and the verdict says that it was stopped."""
    monkeypatch.setattr("runbook_lib.runs.attempt.GRACE", 1.0)
    stopper = threading.Thread(target=stop_when_reached, args=(workplace / "runs", number))
    stopper.start()
    made = run(fixtures, name)
    stopper.join()
    assert made.exit_code == code
    assert saved(made)["cells"][-1]["state"] == "not run"


def test_the_command_runs_a_notebook(workplace: Path, fixtures: Path) -> None:
    """From the shell: one line, the place of the evidence, and the exit code."""
    command = [sys.executable, "-m", "runbook_lib.cli", "run", str(fixtures / "is_rolled_back.ipynb"), "-f", "plain"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = told.stdout.splitlines()
    assert told.returncode == 4
    assert re.fullmatch(r"is_rolled_back  \d+\.\d s  rolled back at cell 4: .*", lines[0])
    assert re.fullmatch(r"evidence: runs/\d{8}T\d{6}Z-is_rolled_back", lines[1])
    assert told.stderr == ""
