"""Make a repository with rolling deployments ready for blue/green: buildspec, taskdef.json and appspec.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from runbook_lib.cli.arguments import add_yes, agree
from runbook_lib.errors import CheckFailed

PLACEHOLDER = "IMAGE1_NAME"  # as CodePipeline's documentation calls it, and the parameters' pipeline.placeholder


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook convert`."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder of an application's files")
    parser.add_argument(
        "--task-definition",
        type=Path,
        metavar="FILE",
        help="the running revision, as describe-task-definition answers it, where the folder has no taskdef.json",
    )
    parser.add_argument("--container", metavar="NAME", help="the container that receives the traffic")
    parser.add_argument("--port", type=int, metavar="N", help="its port, where it has several")
    parser.add_argument(
        "--placeholder", default=PLACEHOLDER, metavar="NAME", help=f"what the pipeline replaces ({PLACEHOLDER})"
    )
    parser.add_argument(
        "--pipeline", type=Path, metavar="FILE", help="the blue/green pipeline's definition, to check the result with"
    )
    add_yes(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """Show the diff, write when somebody agrees, check the result; exit code 3 when it does not pass."""
    from runbook_lib.check import Verdict
    from runbook_lib.preflight.convert import Wishes, plan_conversion
    from runbook_lib.preflight.fix import apply_fixes
    from runbook_lib.preflight.shown import bad, summary

    wishes = Wishes(arguments.placeholder.strip("<>"), arguments.container, arguments.port, arguments.task_definition)
    made = plan_conversion(arguments.directory, wishes, pipeline_file=arguments.pipeline)
    if made.unused:
        print(f"{made.unused} is not used: the folder has a taskdef.json.")
    if made.diff:
        print(made.diff)
        for edit in made.edits:
            print(f"{edit.name}: {'; '.join(edit.reasons) or ('new' if not edit.before else 'as it was')}")
        agree(f"Blue/green files for {made.container}:{made.port}", yes=arguments.yes)
        apply_fixes(made.fixes)
        print(f"Written: {', '.join(edit.name for edit in made.edits if edit.changed)}\n")
    else:
        print("Nothing to convert: the files are there.\n")
    left = bad(made.fixes.after)
    print("\n".join([*([left] if left else []), summary(made.fixes.after)]))
    return CheckFailed.exit_code if made.fixes.after.verdict > Verdict.INCONCLUSIVE else 0
