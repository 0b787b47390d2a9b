"""Release a version from the terminal: forecast, gate, follow, judge, act; the exit code says how it ended."""

from __future__ import annotations

import argparse

from runbook_lib.cli.arguments import add_file, add_output, add_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook release`."""
    add_file(parser)
    add_settings(parser)
    add_output(parser)
    parser.add_argument("--plan", action="store_true", help="show checks, forecast and plan; change nothing")
    parser.add_argument("--dry", action="store_true", help="report what the judge would stop, and let it go on")
    parser.add_argument("--scenario", metavar="NAME", help="in the sandbox: play a file of params/scenarios/")
    parser.add_argument("--past", metavar="DEPLOYMENT", help="judge a release of the past; nothing is changed")


def carry_out(arguments: argparse.Namespace) -> int:
    """Check every parameter, then release."""
    from runbook_lib.runs import notebook, release, request
    from runbook_lib.story import scenario

    played = scenario.load(arguments.scenario) if arguments.scenario else None
    asked = request.prepare(
        notebook.read(notebook.find("30_release")), params_file=arguments.file, settings=arguments.settings
    )
    overrides = {**(played.parameters if played else {}), **asked.overrides}
    if arguments.dry:
        overrides["release.judge"] = "report"
    if arguments.past:
        return release.judged(asked.params_file, overrides, arguments.past)
    own = {parameter.name: parameter.default for parameter in asked.notebook.own} | asked.own
    wanted = release.Asked(
        version=played.version if played and "version" not in asked.own else own["version"],
        environment={**(played.environment if played else {}), **own["environment"]},
        end_wait=own["end_wait"],
        plan_only=arguments.plan,
        scenario=played,
    )
    return release.released(asked.params_file, overrides, wanted, output=arguments.output)
