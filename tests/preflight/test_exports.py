"""Reports for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from runbook_lib.check import Verdict
from runbook_lib.cli import main
from runbook_lib.cli.check import FORMATS
from runbook_lib.preflight import exports, reading, report
from runbook_lib.preflight.report import Report


@pytest.fixture
def bad(tmp_path: Path) -> Report:
    """A report with a failure at a place, an error, and skipped questions."""
    (tmp_path / "appspec.yaml").write_text("version: 1.0\nResources: []\n", encoding="utf-8")
    (tmp_path / "taskdef.json").write_text('{"family": "\u0001"}', encoding="utf-8")
    return report.examine(reading.read_folder(tmp_path))


def test_sarif_names_rule_level_and_place(bad: Report) -> None:
    """As code scanning wants it: line and column of the file, and the rules with their help."""
    run = json.loads(exports.sarif(bad))["runs"][0]
    found = next(one for one in run["results"] if one["ruleId"] == "appspec" and "version" in one["message"]["text"])
    assert found["level"] == "error"
    place = found["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("appspec.yaml", 1)
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in run["results"]} <= known


def test_sarif_holds_what_is_worse_than_skip_and_nothing_else(bad: Report) -> None:
    """An answer that is OK or SKIP is no result."""
    wanted = sum(answer.verdict > Verdict.SKIP for one in bad.asked for answer in one.answers)
    assert len(json.loads(exports.sarif(bad))["runs"][0]["results"]) == wanted > 0


def test_junit_counts_failures_errors_and_skips(bad: Report) -> None:
    """One case a question; the counts of a suite are those of its cases, also with characters that XML has not."""
    for suite in Xml.fromstring(exports.junit(bad)):
        for attribute, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(suite.attrib[attribute]) == len(suite.findall(f".//{tag}")), suite.attrib["name"]


def test_every_format_has_its_maker() -> None:
    """The command's choices are those that exist."""
    assert tuple(exports.FORMATS) == FORMATS


def test_a_report_goes_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal gets the summary alone."""
    file = tmp_path / "report.sarif"
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    assert main(["check", str(tmp_path), "--format", "sarif", "--output", str(file)]) == 0
    assert json.loads(file.read_text())["version"] == "2.1.0"
    assert capsys.readouterr().out.startswith("SKIP: ")


def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the name of its file."""
    assert main(["check", str(tmp_path), "--output", str(tmp_path / "no" / "report")]) == 2
    assert "it cannot be written (No such file or directory)" in capsys.readouterr().err


def test_sarif_names_files_as_addresses(tmp_path: Path) -> None:
    """SARIF 2.1.0, section 3.4.3: a uri; a blank is none."""
    (tmp_path / "my app").mkdir()
    (tmp_path / "my app" / "appspec.yaml").write_text("version: 1.0\nResources: []\n", encoding="utf-8")
    told = exports.sarif(report.examine(reading.read_folder(tmp_path)))
    assert '"uri": "my%20app/appspec.yaml"' in told


def test_the_hook_calls_the_command(root: Path) -> None:
    """pre-commit's definition stays that of the command line."""
    from ruamel.yaml import YAML

    (hook,) = YAML(typ="safe").load((root / ".pre-commit-hooks.yaml").read_text())
    assert (hook["entry"], hook["args"]) == ("runbook check", ["."])
