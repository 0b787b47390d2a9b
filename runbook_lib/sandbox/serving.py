"""Serves a world on loopback for other processes: notebooks of one walk, the AWS CLI, any AWS client.

    python -m runbook_lib.sandbox.serving --port 0 --state FILE [--set seed=2] [--set clock=scaled]

prints one JSON line with its URL when it is ready, and saves the world into FILE when it ends.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.sandbox import following, save, whereabouts
from runbook_lib.sandbox.front import Front, Inbox
from runbook_lib.sandbox.keeper import Keeper
from runbook_lib.sandbox.server import Server
from runbook_lib.sandbox.settings import Settings, from_texts
from runbook_lib.sandbox.whereabouts import Note
from runbook_lib.sandbox.world import World


def _print(ready: dict[str, Any]) -> None:
    print(json.dumps(ready), flush=True)  # noqa: T201


def main(arguments: list[str] | None = None, *, tell: Callable[[dict[str, Any]], None] = _print) -> int:
    """Serve until stopped; the exit code is 0, or that of the error that kept it from starting.

    tell is given url, pid, state and region when the world is ready.
    """
    asked = _parser().parse_args(arguments)
    if asked.state is not None:
        # One world has one name: by a link it would have another lock and another journal.
        asked.state = asked.state.resolve()
    try:
        with save.locked(asked.state):
            inbox: Inbox = queue.SimpleQueue()
            front = Front(inbox, port=asked.port)
            server = _server(asked, front, inbox)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _stopper(server))
            if asked.until_closed:
                threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
            note = Note(server.url, os.getpid(), str(asked.state or ""))
            with whereabouts.noted(asked.notes, note):
                tell({**asdict(note), "region": server.world.settings.region})
                server.run()
    except RunbookError as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runbook_lib.sandbox.serving", description="Serve a sandbox world.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--state", type=Path, help="file that the world is loaded from and saved to")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a figure of the settings")
    parser.add_argument("--notes", type=Path, metavar="DIR", help="folder for a note of where the world is served")
    parser.add_argument("--until-closed", action="store_true", help="end when standard input does: with its starter")
    return parser


def _stop_at_end_of_input(server: Server) -> None:
    sys.stdin.buffer.read()
    server.stop()


def _server(asked: argparse.Namespace, front: Front, inbox: Inbox) -> Server:
    """A server of the world in the state file, as far as it came, or of a new one."""
    settings = from_texts(asked.set)
    if asked.state is None:
        return Server(World(settings), front=front, inbox=inbox)
    keeper = Keeper(asked.state)
    kept = keeper.take_up()
    if kept is None:
        world = World(settings)
        keeper.save(world)
    else:
        world = kept.world
        _check(world, settings, asked)
        world.participants.join(inbox)
        with keeper.working():
            following.follow(world, kept.inputs, refuse=keeper.refusal)
    return Server(world, front=front, inbox=inbox, keeper=keeper)


def _check(world: World, settings: Settings, asked: argparse.Namespace) -> None:
    kept, wanted = vars(world.settings), vars(settings)
    others = [name for name in wanted if asked.set and kept[name] != wanted[name]]
    if others:
        raise BadInput(
            where=str(asked.state),
            seen=f"a world with {_listed(kept, others)}",
            wanted=f"a world with {_listed(wanted, others)}",
            next_step="serve it with the settings that it has, or remove the file and its journal to begin anew",
        )


def _listed(figures: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={figures[name]}" for name in names)


def _stopper(server: Server) -> Callable[[int, FrameType | None], None]:
    return lambda number, frame: server.stop()


if __name__ == "__main__":
    sys.exit(main())
