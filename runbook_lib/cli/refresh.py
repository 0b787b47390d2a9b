"""Run the runbooks again and write their outputs into the templates; the same bytes each time."""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """The options of `runbook refresh`."""
    parser.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="only these (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 3 when an output would change")


def carry_out(arguments: argparse.Namespace) -> int:
    """Refresh one after the other, a line for each."""
    from runbook_lib.kernels import start_warming
    from runbook_lib.runs import notebook
    from runbook_lib.runs.refresh import refresh

    start_warming()
    chosen = [notebook.find(name) for name in arguments.notebooks] or sorted(notebook.folder().glob("*.ipynb"))
    changed = 0
    for path in chosen:
        differs = refresh(path, write=not arguments.check)
        changed += differs
        print(f"{path.stem:<22}  {'changed' if differs else 'as it was'}", flush=True)
    return 3 if arguments.check and changed else 0
