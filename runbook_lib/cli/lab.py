"""Open JupyterLab on copies of the runbooks under runs/lab, all in one sandbox world; the templates stay clean."""

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

    served = world.arguments_for(arguments.file, arguments.settings)
    folder = lab.prepare_folder(tell=print)
    with lab.exit_on_stop(), world.served_world(served, log=folder / "sandbox.log") as environment:
        print(f"sandbox: {environment[world.URL]}  (export {world.URL} to reach it with `runbook sandbox`)", flush=True)
        return lab.serve(folder, environment=environment, browser=not arguments.no_browser)
