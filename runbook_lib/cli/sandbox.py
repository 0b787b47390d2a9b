"""Serve a sandbox world on loopback, or look at and steer one that is served."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runbook_lib.cli.arguments import add_file, add_settings
from runbook_lib.errors import BadInput

URL = "RUNBOOK_SANDBOX_URL"


def declare(parser: argparse.ArgumentParser) -> None:
    """The actions of `runbook sandbox`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    serve = actions.add_parser("serve", help="serve a world until Ctrl-C")
    add_file(serve)
    add_settings(serve)
    serve.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: any free one)")
    serve.add_argument("--state", type=Path, metavar="FILE", help="file that the world is loaded from and saved to")
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("--url", default=os.environ.get(URL), help=f"address of the world (default: ${URL})")
        if name == "advance":
            action.add_argument("seconds", type=float, help="how far time moves")


def carry_out(arguments: argparse.Namespace) -> int:
    """Serve, or do one thing with a served world."""
    if arguments.action == "serve":
        return _serve(arguments)
    from runbook_lib.sandbox import remote

    if not arguments.url:
        raise BadInput(
            where=f"runbook sandbox {arguments.action}",
            seen="no address",
            wanted="the address of a served world",
            next_step=f"set {URL} or give --url; `runbook sandbox serve` prints it",
        )
    world = remote.connect(arguments.url)
    told = DO[arguments.action](world, arguments)
    print(json.dumps(told, indent=1) if isinstance(told, dict) else f"{arguments.action}: done")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from runbook_lib.runs.world import arguments_for
    from runbook_lib.sandbox import serving

    state = ["--state", str(arguments.state)] if arguments.state else []
    return serving.main(["--port", str(arguments.port), *state, *arguments_for(arguments.file, arguments.settings)])


def _advance(world: Any, arguments: argparse.Namespace) -> Any:
    return json.loads(world.line.ask("advance", {"seconds": arguments.seconds}))


ACTIONS = {
    "status": "what can be said of the world at a glance",
    "advance": "let time move",
    "save": "write the world into its state file",
    "reset": "begin the world anew",
    "stop": "save the world and end it",
}
DO: dict[str, Callable[[Any, argparse.Namespace], Any]] = {
    "status": lambda world, arguments: world.status(),
    "advance": _advance,
    "save": lambda world, arguments: world.save(),
    "reset": lambda world, arguments: world.reset(),
    "stop": lambda world, arguments: world.stop(),
}
