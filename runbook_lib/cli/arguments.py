"""Options that several verbs share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runbook_lib.errors import GateClosed


def add_file(parser: argparse.ArgumentParser) -> None:
    """-f FILE."""
    parser.add_argument(
        "-f",
        "--file",
        default="sandbox",
        metavar="FILE",
        help="parameter file, or the name of one under params/ (sandbox)",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """-p KEY=VALUE, many times."""
    parser.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="a parameter of the notebook, or a dotted key of the parameter file (release.traffic=canary)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """--output DIR."""
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="new directory for the evidence (default: under runs/)"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """--yes."""
    parser.add_argument("--yes", action="store_true", help="write what is shown without asking")


def agree(what: str, *, yes: bool) -> None:
    """Go on when somebody agrees: by --yes, or by answering the question at a terminal; else nothing is written."""
    if yes or (sys.stdin.isatty() and input(f"{what}: write them? [y/N] ").strip().lower() in ("y", "yes")):
        return
    raise GateClosed(
        where=what, seen="nobody agreed", wanted="--yes", next_step="look at the diff, then run it again with --yes"
    )
