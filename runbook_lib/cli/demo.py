"""Walk through the runbooks headless, in one sandbox world, from an ordinary rolling service to the tear-down."""

from __future__ import annotations

import argparse

from runbook_lib.cli.arguments import add_file, add_output, add_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook demo`."""
    add_file(parser)
    add_settings(parser)
    add_output(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """Check every stage, serve a world, walk, sum up."""
    from runbook_lib.kernels import start_warming
    from runbook_lib.runs import walk, world
    from runbook_lib.runs.directory import shown

    stages = walk.read_stages(params_file=arguments.file, settings=arguments.settings)
    served = world.arguments_for(arguments.file, arguments.settings)
    start_warming()
    walked = walk.run_walk(
        stages,
        world=lambda folder: world.served_world(served, log=folder / "sandbox.log"),
        tell=lambda text: print(text, flush=True),
        output=arguments.output,
    )
    print(f"\n{walk.table(walked)}\nevidence: {shown(walked.folder)}")
    return walked.exit_code
