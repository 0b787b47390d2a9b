"""Check an application's deployment files as one system, before anything runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from runbook_lib.errors import CheckFailed

FORMATS = ("tree", "json", "sarif", "junit")


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook check`."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder with buildspec, taskdef.json, appspec.yaml")
    parser.add_argument("--pipeline", type=Path, metavar="FILE", help="pipeline definition, as get-pipeline answers it")
    parser.add_argument("--format", choices=FORMATS, default="tree", help="how the answers are shown (tree)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the answers there, and only the last line here"
    )
    parser.add_argument("--all", action="store_true", help="show the answers that are OK or SKIP as well")


def carry_out(arguments: argparse.Namespace) -> int:
    """Read, ask, show; exit code 3 when an answer is worse than SKIP."""
    from runbook_lib.check import Verdict
    from runbook_lib.preflight import exports, reading, report, shown

    found = report.examine(reading.read_folder(arguments.directory, pipeline_file=arguments.pipeline))
    everything = arguments.format == "tree" and arguments.all
    text = shown.tree(found, all_answers=True) if everything else exports.FORMATS[arguments.format](found)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
        print(f"{shown.summary(found)}\n{arguments.output}")
    else:
        print(text)
    return CheckFailed.exit_code if found.verdict > Verdict.SKIP else 0
