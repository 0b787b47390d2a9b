"""Run one runbook headless; the exit code says how it ended, the evidence says why."""

from __future__ import annotations

import argparse

from runbook_lib.cli.arguments import add_file, add_output, add_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook run`."""
    parser.add_argument("notebook", metavar="NOTEBOOK", help="name (30_release), number (30) or file of a runbook")
    add_file(parser)
    add_settings(parser)
    add_output(parser)
    parser.add_argument("--cell-minutes", type=float, default=240, metavar="N", help="limit of one cell (240)")
    parser.add_argument("--minutes", type=float, default=360, metavar="N", help="limit of the whole run (360)")


def carry_out(arguments: argparse.Namespace) -> int:
    """Check, run, tell."""
    from runbook_lib.runs import notebook, request
    from runbook_lib.runs.attempt import Limits

    asked = request.prepare(
        notebook.read(notebook.find(arguments.notebook)), params_file=arguments.file, settings=arguments.settings
    )
    limits = Limits(cell=arguments.cell_minutes * 60, total=arguments.minutes * 60)
    from runbook_lib.kernels import start_warming
    from runbook_lib.runs.directory import shown
    from runbook_lib.runs.execute import run_notebook

    start_warming()
    run = run_notebook(asked, output=arguments.output, limits=limits)
    print(f"{run.verdict.notebook}  {run.verdict.seconds:.1f} s  {run.verdict.line()}")
    print(f"evidence: {shown(run.folder)}")
    return run.exit_code
