"""The `runbook` command: one verb, one file; nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from runbook_lib import __version__
from runbook_lib.errors import BadInput, RunbookError
from runbook_lib.suggest import did_you_mean

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE


@dataclass(frozen=True)
class Command:
    """A verb: the module that knows it, and what it does in one line."""

    module: str
    help: str


COMMANDS = {
    "run": Command("run", "run one runbook headless and keep its evidence"),
    "release": Command("release", "release a version: forecast, gate, follow, judge, act"),
    "demo": Command("demo", "walk through the runbooks headless, in one sandbox world"),
    "lab": Command("lab", "open JupyterLab on copies of the runbooks, in one sandbox world"),
    "list": Command("listing", "list the runbooks and what each is for"),
    "refresh": Command("refresh", "run the runbooks again and write their outputs, byte for byte the same each time"),
    "init": Command("init", "read an existing service and write its parameter file and picture"),
    "check": Command("check", "check an application's deployment files as one system, before anything runs"),
    "convert": Command(
        "convert", "make a rolling repository ready for blue/green: buildspec, taskdef.json, appspec.yaml"
    ),
    "explain": Command("explain", "tell the whole story of a failure mode"),
    "params": Command("params", "show the parameters that a file stands for"),
    "sandbox": Command("sandbox", "serve a sandbox world, and look at or steer a served one"),
}


class Parser(argparse.ArgumentParser):
    """Raises what it cannot understand, so that it ends like every other refusal."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise BadInput(where=self.prog, seen=message, wanted="a known call", next_step=f"see `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; gives the exit code, and prints a refusal to standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _carry_out(given)
    except RunbookError as error:
        print(refusal(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output, as `head` does, has enough; what Python still holds for it must not be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def refusal(error: RunbookError) -> str:
    """An error in three lines, the place before them where it is known."""
    place = f" {error.where}" if error.where else ""
    return f"runbook:{place}\n  seen:   {error.seen}\n  wanted: {error.wanted}\n  next:   {error.next_step}"


def parser_of(name: str) -> Parser:
    """The parser of a verb, with its `carry_out` set."""
    command = COMMANDS[name]
    module = importlib.import_module(f"runbook_lib.cli.{command.module}")
    parser = Parser(prog=f"runbook {name}", description=module.__doc__, allow_abbrev=False)
    module.declare(parser)
    parser.set_defaults(carry_out=module.carry_out)
    return parser


def _carry_out(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if given[0] == "--version":
        print(f"runbook {__version__}")
        return 0
    name, *rest = given
    if name not in COMMANDS:
        raise _unknown(name, list(COMMANDS), where="runbook", wanted=f"one of {', '.join(COMMANDS)}")
    parser = parser_of(name)
    arguments, unknown = parser.parse_known_args(rest)
    if unknown:
        options = [option for action in parser._actions for option in action.option_strings]
        usage = " ".join(parser.format_usage().split()[1:])
        raise _unknown(unknown[0].partition("=")[0], options, where=parser.prog, wanted=usage)
    return int(arguments.carry_out(arguments))


def overview() -> str:
    """What `runbook` alone prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: runbook COMMAND ...", "", *lines, "", "runbook COMMAND --help tells more."])


def _unknown(given: str, known: list[str], *, where: str, wanted: str) -> BadInput:
    remedy = did_you_mean(given, known, otherwise=f"see `{where} --help`")
    return BadInput(where=where, seen=given, wanted=wanted, next_step=remedy)
