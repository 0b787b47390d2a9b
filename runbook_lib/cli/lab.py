"""Open JupyterLab on copies of the runbooks under runs/lab, all in one sandbox world; the templates stay clean.

The world is kept beside the copies: a lab that was ended or killed goes on where it was.
"""

from __future__ import annotations

import argparse

from runbook_lib.cli.arguments import add_file, add_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook lab`."""
    add_file(parser)
    add_settings(parser)
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def carry_out(arguments: argparse.Namespace) -> int:
    """Copy, serve a world, open JupyterLab; both end together."""
    from runbook_lib.runs import lab, world
    from runbook_lib.runs.directory import shown

    served = world.arguments_for(arguments.file, arguments.settings)
    folder = lab.prepare_folder(tell=print)
    served += ["--state", str(folder / lab.STATE), "--notes", str(world.NOTES.absolute())]
    with lab.exit_on_stop(), world.served_world(served, log=folder / "sandbox.log") as environment:
        print(f"sandbox: {environment[world.URL]}, kept in {shown(folder / lab.STATE)}", flush=True)
        print("  runbook sandbox status: what goes on; runbook sandbox reset: begin anew", flush=True)
        return lab.serve(folder, environment=environment, browser=not arguments.no_browser)
