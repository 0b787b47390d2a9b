"""Show every parameter with the value that it has in a file, defaults included."""

from __future__ import annotations

import argparse
import json

from runbook_lib.cli.arguments import add_file, add_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook params show`."""
    parser.add_argument("action", choices=["show"], metavar="show")
    add_file(parser)
    add_settings(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """One line a key, in the order of the model."""
    from runbook_lib.runs.world import checked

    values = checked(arguments.file, arguments.settings).model_dump(mode="json")
    for key, value in flat(values):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return 0


def flat(values: dict[str, object], before: str = "") -> list[tuple[str, object]]:
    """Nested values as dotted keys."""
    pairs: list[tuple[str, object]] = []
    for key, value in values.items():
        pairs += flat(value, f"{before}{key}.") if isinstance(value, dict) and value else [(f"{before}{key}", value)]
    return pairs
