"""A report for other programs: SARIF for code scanning, JUnit XML for whoever shows test results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from runbook_lib import __version__
from runbook_lib.check import Verdict
from runbook_lib.preflight.report import Asked, Report
from runbook_lib.preflight.rule import Answer
from runbook_lib.preflight.shown import as_json, tree

# SARIF 2.1.0, section 3.27.10: what is worse than SKIP is a result.
LEVELS = {Verdict.INCONCLUSIVE: "note", Verdict.ERROR: "warning", Verdict.FAIL: "error"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+)(?::(?P<column>\d+))?")
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no character of XML 1.0


def sarif(report: Report) -> str:
    """One run; every answer that is worse than SKIP is a result at its place."""
    rules = [_rule(one) for one in report.asked]
    results = [_result(one, answer) for one in report.asked for answer in one.answers if answer.verdict > Verdict.SKIP]
    driver = {"name": "runbook check", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _rule(one: Asked) -> dict[str, Any]:
    story = one.story
    return {
        "id": story.id,
        "shortDescription": {"text": story.question},
        "fullDescription": {"text": f"{story.symptom} {story.cause}"},
        "help": {"text": f"{story.remedy} Source: {story.source}."},
    }


def _result(one: Asked, answer: Answer) -> dict[str, Any]:
    return {
        "ruleId": one.story.id,
        "level": LEVELS[answer.verdict],
        "message": {"text": _told(answer)},
        "locations": [_location(answer.where)],
    }


def _told(answer: Answer) -> str:
    return f"seen: {answer.seen}; wanted: {answer.wanted}" + (f"; next: {answer.remedy}" if answer.remedy else "")


def _location(where: str) -> dict[str, Any]:
    place = _PLACE.fullmatch(where)
    if place is None:
        return {"logicalLocations": [{"fullyQualifiedName": where}]}
    region = {"startLine": int(place["line"])} | ({"startColumn": int(place["column"])} if place["column"] else {})
    return {"physicalLocation": {"artifactLocation": {"uri": quote(place["file"])}, "region": region}}


def junit(report: Report) -> str:
    """A suite for each section, a case for each question."""
    root = Xml.Element("testsuites", name="runbook check")
    for name, asked in report.sections():
        suite = Xml.SubElement(root, "testsuite", {"name": name, "tests": str(len(asked)), **_counts(asked)})
        for one in asked:
            _case(suite, one)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode")


def _counts(asked: tuple[Asked, ...]) -> Mapping[str, str]:
    kinds = {"failures": Verdict.FAIL, "errors": Verdict.ERROR, "skipped": Verdict.SKIP}
    return {kind: str(sum(one.verdict == verdict for one in asked)) for kind, verdict in kinds.items()}


def _case(suite: Xml.Element, one: Asked) -> None:
    case = Xml.SubElement(suite, "testcase", name=f"{one.story.id}: {one.story.question}", classname="runbook.check")
    bad = [answer for answer in one.answers if answer.verdict == one.verdict]
    told = _UNFIT.sub("?", "\n".join(f"{answer.where}: {_told(answer)}" for answer in bad))
    kind = {Verdict.FAIL: "failure", Verdict.ERROR: "error", Verdict.SKIP: "skipped"}.get(one.verdict)
    if kind:
        Xml.SubElement(case, kind, message=told.partition("\n")[0]).text = told
    elif one.verdict is Verdict.INCONCLUSIVE:
        Xml.SubElement(case, "system-out").text = f"INCONCLUSIVE: {told}"


FORMATS: Mapping[str, Callable[[Report], str]] = {"tree": tree, "json": as_json, "sarif": sarif, "junit": junit}
