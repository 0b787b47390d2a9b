"""`runbook check --fix`: certain repairs alone, byte for byte; a case is a folder under tests/cases/fix."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.errors import BadInput
from runbook_lib.preflight import fix, reading, report, write

CASES = sorted((Path(__file__).parents[1] / "cases" / "fix").iterdir())
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FOLDERS = sorted(path for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []


def expected(case: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((case / "expected.json").read_text())
    return told


def arguments(case: Path, folder: Path, *more: str) -> list[str]:
    """The command line of a case, with its pipeline where it has one."""
    given = ["--pipeline", str(folder / "pipeline.json")] if expected(case)["pipeline"] else []
    return ["check", str(folder), "--fix", *given, *more]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of a case's files as they are before."""
    return Path(shutil.copytree(request.getfixturevalue("case") / "before", tmp_path / "files"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_repaired_files_are_the_expected_ones_byte_for_byte(case: Path, folder: Path) -> None:
    """Comments, quotes, order, line ends and a byte-order mark stay, and no other file is touched."""
    main(arguments(case, folder, "--yes"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in (case / "after").iterdir()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_rules_pass_after_their_repair(case: Path, folder: Path) -> None:
    """They failed before; those that the case names answer nothing bad afterwards."""
    pipeline = folder / "pipeline.json" if expected(case)["pipeline"] else None
    fixes = fix.plan_fixes(folder, pipeline_file=pipeline)
    before, after = ({one.story.id: one.verdict for one in asked.asked} for asked in (fixes.before, fixes.after))
    assert sorted(fixes.mended) == sorted(expected(case)["mended"])
    assert all(before[id] > Verdict.SKIP for id in fixes.mended)
    assert {id: after[id] for id in expected(case)["passes"]} == dict.fromkeys(expected(case)["passes"], Verdict.OK)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_second_run_repairs_nothing(case: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Done is done."""
    main(arguments(case, folder, "--yes"))
    capsys.readouterr()
    main(arguments(case, folder, "--yes"))
    assert capsys.readouterr().out.startswith("Nothing can be repaired with certainty.")


@pytest.mark.parametrize("case", CASES[:1], ids=lambda path: path.name)
def test_nothing_is_written_unless_somebody_agrees(
    case: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The diff is shown, the exit code is that of a closed gate, and the files are as they were."""
    assert main(arguments(case, folder)) == 3
    told = capsys.readouterr()
    assert "+version: 0.0" in told.out
    assert "nobody agreed" in told.err
    assert (folder / "appspec.yaml").read_bytes() == (case / "before" / "appspec.yaml").read_bytes()


@pytest.mark.parametrize("case", CASES[:1], ids=lambda path: path.name)
def test_a_file_that_changed_meanwhile_is_not_overwritten(case: Path, folder: Path) -> None:
    """What somebody else wrote since the diff was shown stays."""
    name = next(path.name for path in folder.iterdir())
    fixes = fix.plan_fixes(folder)
    (folder / name).write_text("theirs")
    with pytest.raises(BadInput, match="changed since it was read"):
        fix.apply_fixes(fixes)
    assert (folder / name).read_text() == "theirs"


def test_a_file_is_written_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the last step, the former file is whole and nothing lies beside it; its mode stays."""
    file = tmp_path / "taskdef.json"
    file.write_text("old")
    file.chmod(0o640)

    def killed(*paths: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            write.replace_text(file, "new", inside=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["taskdef.json"]
    assert file.read_text() == "old"
    write.replace_text(file, "new", inside=tmp_path)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_link_out_of_the_folder_is_not_written_through(tmp_path: Path) -> None:
    """What lies elsewhere is not ours to change."""
    outside = tmp_path / "shared.json"
    outside.write_text("{}")
    (tmp_path / "files").mkdir()
    link = tmp_path / "files" / "taskdef.json"
    link.symlink_to(outside)
    with pytest.raises(BadInput, match="a link to"):
        write.replace_text(link, "[]", inside=tmp_path / "files")
    assert outside.read_text() == "{}"


def test_an_account_is_not_repaired(capsys: pytest.CaptureFixture[str]) -> None:
    """With a parameter file the files lie in a repository of AWS, which only the runbooks change."""
    assert main(["check", "-f", "sandbox", "--fix"]) == 2
    assert "runbook check DIR --fix" in capsys.readouterr().err


@pytest.mark.skipif(not FOLDERS, reason="the collection of real repositories is not here")
def test_real_repositories_are_repaired_once_and_get_no_worse(tmp_path: Path) -> None:
    """Of every one of them: what is repaired fails less, nothing else fails more, a second plan is empty."""
    for original in FOLDERS:
        copy = Path(shutil.copytree(original, tmp_path / original.name))
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        fixes = fix.plan_fixes(copy)
        fix.apply_fixes(fixes)
        assert report.examine(reading.read_folder(copy)) == fixes.after, original.name
        assert fix.plan_fixes(copy).diff == "", original.name
        failing = [sum(one.verdict is Verdict.FAIL for one in asked.asked) for asked in (fixes.before, fixes.after)]
        assert failing[1] <= failing[0], original.name
