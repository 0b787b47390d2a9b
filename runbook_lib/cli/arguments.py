"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path


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
