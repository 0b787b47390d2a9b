"""Inside the kernel: writes down which error ended a cell, with all its parts.

A notebook's error output holds the class's name and the text alone; the exit code and the parts of the error
would be lost on their way to the runner.  Loaded as an IPython extension.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runbook_lib.errors import RunbookError

RUN_DIRECTORY = "RUNBOOK_RUN_DIR"
FILE = ".failure.json"


def load_ipython_extension(shell: Any) -> None:
    """Listen to the end of every cell."""
    shell.events.register("post_run_cell", witness)


def witness(result: Any) -> None:
    """Write down the error that ended a cell, if one did."""
    error = result.error_before_exec or result.error_in_exec
    folder = os.environ.get(RUN_DIRECTORY)
    if error is not None and folder:
        (Path(folder) / FILE).write_text(json.dumps(told(error)), encoding="utf-8")


def told(error: BaseException) -> dict[str, Any]:
    """An error as plain data: class, text, exit code, known failure modes, and the parts that one of a runbook has."""
    from runbook_lib.preflight.decode import decode_error

    parts: dict[str, Any] = {"kind": type(error).__name__, "text": str(error), "exit_code": RunbookError.exit_code}
    parts["known"] = [f"{story.id} {story.question}" for story in decode_error(error)]
    if isinstance(error, SystemExit):
        parts["text"] = f"the notebook ended itself with sys.exit({error.code})"
    if not isinstance(error, RunbookError):
        return parts
    return parts | {
        "exit_code": error.exit_code,
        "seen": error.seen,
        "wanted": error.wanted,
        "next_step": error.next_step,
        "where": error.where,
    }
