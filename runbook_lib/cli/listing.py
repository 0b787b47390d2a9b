"""List the runbooks: name, what will be true at its end, and its own parameters."""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """`runbook list` has no options."""


def carry_out(arguments: argparse.Namespace) -> int:
    """One line a runbook."""
    from runbook_lib.runs import notebook

    for path in sorted(notebook.folder().glob("*.ipynb")):
        found = notebook.read(path)
        own = ", ".join(f"{parameter.name}={parameter.default!r}" for parameter in found.own)
        print(f"{found.name:<22}  {found.title}" + (f"  ({own})" if own else ""))
    return 0
