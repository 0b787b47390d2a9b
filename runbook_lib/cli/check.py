"""Check an application's deployment files as one system, before anything runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.cli import output
from runbook_lib.cli.arguments import add_settings, add_yes, agree
from runbook_lib.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from runbook_lib.preflight.picture import Picture
    from runbook_lib.preflight.report import Report
    from runbook_lib.system import System

FORMATS = ("tree", "json", "sarif", "junit")


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook check`."""
    parser.add_argument("directory", metavar="DIR", type=Path, nargs="?", help="folder of an application's files")
    parser.add_argument(
        "-f", "--file", metavar="FILE", help="parameter file: ask of the account and its pipeline's files"
    )
    add_settings(parser)
    parser.add_argument("--pipeline", type=Path, metavar="FILE", help="pipeline definition, as get-pipeline answers it")
    for what, command in (("group", "codedeploy create-deployment-group"), ("service", "ecs create-service")):
        told = f"with -f: a {what} that is not made yet, as `aws {command}` takes it by --cli-input-json"
        parser.add_argument(f"--{what}", type=Path, metavar="FILE", help=told)
    parser.add_argument("--format", choices=FORMATS, default="tree", help="how the answers are shown (tree)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the answers there, and only the last line here"
    )
    parser.add_argument("--fix", action="store_true", help="show every repair that is certain as a diff, and apply it")
    add_yes(parser)
    parser.add_argument("--all", action="store_true", help="show what was seen for OK and SKIP as well")


def carry_out(arguments: argparse.Namespace) -> int:
    """Read, ask, show; exit code 3 when an answer is worse than SKIP. With --fix the files are mended before."""
    from runbook_lib.check import Verdict
    from runbook_lib.preflight import exports, report, shown

    found = _fixed(arguments) if arguments.fix else report.examine(_picture(arguments))
    everything = arguments.format == "tree" and arguments.all
    text = shown.tree(found, all_answers=True) if everything else exports.FORMATS[arguments.format](found)
    if arguments.output:
        output.write(arguments.output, text + "\n")
        print(f"{shown.summary(found)}\n{arguments.output}")
    else:
        print(text)
    return CheckFailed.exit_code if found.verdict > Verdict.SKIP else 0


def _fixed(arguments: argparse.Namespace) -> Report:
    """Show what can be mended with certainty, write it when somebody agrees, and give what the files answer then."""
    from runbook_lib.preflight.fix import apply_fixes, plan_fixes

    if arguments.directory is None or arguments.file is not None:
        seen = "a parameter file" if arguments.file else "no folder"
        next_step = "runbook check DIR --fix: what lies in a repository of AWS is changed by the runbooks alone"
        raise BadInput(where="runbook check --fix", seen=seen, wanted="a folder of files", next_step=next_step)
    # A report for programs is alone on standard output.
    out = sys.stdout if arguments.format == "tree" or arguments.output else sys.stderr
    fixes = plan_fixes(arguments.directory, pipeline_file=arguments.pipeline)
    if not fixes.diff:
        print("Nothing can be repaired with certainty.\n", file=out)
        return fixes.after
    print(fixes.diff, file=out)
    agree(f"Repairs of {', '.join(fixes.mended)}", yes=arguments.yes)
    apply_fixes(fixes)
    print(f"Repaired: {', '.join(edit.name for edit in fixes.edits)}\n", file=out)
    return fixes.after


def _picture(arguments: argparse.Namespace) -> Picture:
    if (arguments.directory is None) == (arguments.file is None):
        raise BadInput(
            where="runbook check",
            seen="a folder and a parameter file" if arguments.file else "neither a folder nor a parameter file",
            wanted="one of the two",
            next_step="runbook check DIR, or runbook check -f params/x.yaml",
        )
    if arguments.file is None and (arguments.group or arguments.service):
        raise BadInput(
            where="runbook check",
            seen="--group or --service without a parameter file",
            wanted="an account to compare it with",
            next_step="runbook check -f params/x.yaml --group FILE",
        )
    if arguments.file is None:
        from runbook_lib.preflight.reading import read_folder

        return read_folder(arguments.directory, pipeline_file=arguments.pipeline)
    return _live(arguments)


def _live(arguments: argparse.Namespace) -> Picture:
    """The account of the parameters; an embedded sandbox is empty, so it is brought to blue/green first.

    A served one is taken as it is, unless a fault is to be played in it.
    """
    from runbook_lib.journal import Journal
    from runbook_lib.preflight.account import read_system
    from runbook_lib.preflight.wish import read_wish
    from runbook_lib.runbook import opened
    from runbook_lib.runs.world import overrides_of
    from runbook_lib.story import worlds

    wish = read_wish(arguments.group, arguments.service)
    account, system = opened(arguments.file, overrides_of(arguments.settings))
    if account.target == "sandbox" and (system.params.sandbox.scenario or not account.shared):
        worlds.bring(account, system, "bluegreen", journal=Journal(account.clock))
    return _found(read_system(account, system, wish), arguments.file, system)


def _found(picture: Picture, file: str, system: System) -> Picture:
    """The picture, unless there is nothing in it: questions that are all skipped look like a check that passed."""
    live = picture.live
    if picture.troubles or picture.files or picture.pipeline or (live and (live.service or live.group)):
        return picture
    raise CheckFailed(
        where=file,
        seen=f"in the cluster {system.cluster} no service {system.rolling_service} or {system.service}; "
        f"no deployment group {system.deploy_group}, no pipeline {system.pipeline}, no files in {system.repository}",
        wanted="the system that the parameters describe",
        next_step="correct names, account and region in the file, or make it: runbook run 10_provision",
    )
