"""Serve a sandbox world on loopback, or look at and steer one that is served."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
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
    serve.add_argument("--state", type=Path, metavar="FILE", help="file that keeps the world, also when it is killed")
    serve.add_argument("--json", action="store_true", help="say where it is in one line of JSON")
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "--url", default=os.environ.get(URL), help=f"address of the world (${URL}, or the one served from here)"
        )
        action.add_argument("--json", action="store_true", help="answer in JSON")
        if name == "advance":
            action.add_argument("seconds", type=float, help="how far time moves")


def carry_out(arguments: argparse.Namespace) -> int:
    """Serve, or do one thing with a served world."""
    if arguments.action == "serve":
        return _serve(arguments)
    from runbook_lib.sandbox import remote

    world = remote.connect(arguments.url or _address(arguments.action))
    told = DO[arguments.action](world, arguments)
    print(json.dumps(told) if arguments.json else told["text"])
    return 0


# ---- serving


def _serve(arguments: argparse.Namespace) -> int:
    from runbook_lib.runs import world
    from runbook_lib.sandbox import serving

    state = ["--state", str(arguments.state)] if arguments.state else []
    place = ["--port", str(arguments.port), "--notes", str(world.NOTES), *state]
    return serving.main(
        [*place, *world.arguments_for(arguments.file, arguments.settings)],
        tell=_say_as_json if arguments.json else _say,
    )


def _say_as_json(ready: dict[str, Any]) -> None:
    print(json.dumps(ready), flush=True)


def _say(ready: dict[str, Any]) -> None:
    kept = f"kept in {ready['state']}" if ready["state"] else "not kept (--state FILE keeps it)"
    print(f"sandbox world at {ready['url']}, process {ready['pid']}, {kept}; Ctrl-C ends it")
    print("For the AWS CLI and any other AWS client:")
    print(f"  export AWS_ENDPOINT_URL={ready['url']} AWS_REGION={ready['region']} AWS_DEFAULT_REGION={ready['region']}")
    print("  export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox")
    print("For notebooks and `runbook` in other folders than this one:")
    print(f"  export {URL}={ready['url']}", flush=True)


# ---- finding


def _address(action: str) -> str:
    """The one world that is served from this folder."""
    from runbook_lib.runs.world import NOTES
    from runbook_lib.sandbox import whereabouts

    living, gone = [], []
    for path, note in whereabouts.notes(NOTES):
        why = whereabouts.absence(note)
        if why:
            gone.append(why)
            path.unlink(missing_ok=True)
            print(f"{path}: {why}; its note is removed", file=sys.stderr)
        else:
            living.append(note.url)
    if len(living) != 1:
        raise _no_single(action, living, gone)
    return living[0]


def _no_single(action: str, living: list[str], gone: list[str]) -> BadInput:
    none = f"no address, and no world that is served from this folder{''.join(f' ({why})' for why in gone)}"
    return BadInput(
        where=f"runbook sandbox {action}",
        seen=f"{len(living)} worlds: {', '.join(living)}" if living else none,
        wanted="the address of a served world",
        next_step=f"give --url or set {URL}" + ("" if living else "; `runbook sandbox serve` serves one"),
    )


# ---- one thing with a world


def _status(world: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    told = {"url": world.line.url, **world.status(), **world.overview()}
    return told if arguments.json else {"text": "\n".join(_lines(told))}


def _lines(told: dict[str, Any]) -> list[str]:
    """What is told of a world, line by line; what is not under way is left out."""
    lines = [
        f"world      {told['url']}, process {told['pid']}",
        f"time       {_moment(told['now'])}, {told['clock']} clock, {_outlook(told)}",
        f"account    {told['account']} in {told['region']}, {told['calls']} calls answered",
    ]
    lines += [f"address    {name}  {url}" for name, url in told.get("addresses", {}).items()]
    lines += [_load(told["load"])] if "load" in told else []
    for kind, describe in DESCRIBE.items():
        lines += [f"{kind[:-1]:<10} {describe(one, told['now'])}" for one in told[kind]]
    return lines


def _load(load: dict[str, Any]) -> str:
    """What came of the requests of live traffic."""
    early = f", and {load['early']} before a target was healthy for the first time" if load["early"] else ""
    took = load["milliseconds"]
    latency = f", p50 {took['p50']} ms, p99 {took['p99']} ms" if load["sent"] else ""
    return f"load       {load['sent']} requests, {load['failed']} failed{early}{latency}"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _outlook(told: dict[str, Any]) -> str:
    if told["next_event"] is None:
        return "nothing is going to happen"
    rest = "nothing is under way" if told["idle"] else "something is under way"
    return f"{rest}, next event in {told['next_event'] - told['now']:.0f} s"


def _age(since: float, now: float) -> str:
    minutes, seconds = divmod(int(now - since), 60)
    return f"for {minutes}:{seconds:02}"


DESCRIBE: dict[str, Callable[[dict[str, Any], float], str]] = {
    "deployments": lambda one, now: f"{one['id']}  {one['group']}  {one['status']}  {_age(one['since'], now)}",
    "pipelines": lambda one, now: f"{one['name']}  {one['stage']}/{one['action']}  InProgress",
    "builds": lambda one, now: f"{one['id']}  {one['phase']}",
    "services": lambda one, now: f"{one['name']}  {one['status']}  {one['running']} of {one['desired']} tasks run",
    "alarms": lambda one, now: f"{one['name']}  ALARM  {_age(one['since'], now)}",
}


def _advance(world: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(world.line.ask("advance", {"seconds": arguments.seconds}))
    return told | {"text": f"it is {_moment(told['now'])}"}


def _order(name: str, text: str) -> Callable[[Any, argparse.Namespace], dict[str, Any]]:
    def give(world: Any, arguments: argparse.Namespace) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(world.line.ask(name, {}))
        return told | {"text": text.format(**told)}

    return give


ACTIONS = {
    "status": "what goes on in the world",
    "advance": "let time move",
    "save": "write the world into its state file",
    "reset": "begin the world anew",
    "stop": "save the world and end it",
}
DO: dict[str, Callable[[Any, argparse.Namespace], dict[str, Any]]] = {
    "status": _status,
    "advance": _advance,
    "save": _order("save", "saved in {saved}"),
    "reset": _order("reset", "a new world has begun"),
    "stop": _order("stop", "process {pid} saves its world and ends"),
}
