"""papermill, driven from here: an engine that gives the kernel its environment and tells an attempt of every cell."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import IO, Any

from runbook_lib.runs.lean import lean_imports

with lean_imports():
    from papermill import execute_notebook
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.exceptions import PapermillExecutionError

from jupyter_client.provisioning import KernelProvisionerFactory

from runbook_lib import kernels
from runbook_lib.runs.attempt import Attempt

NAME = "runbook"
WITNESS = "--InteractiveShellApp.extra_extensions=runbook_lib.runs.witness"
# The runner tells how a run ended; what nbclient says on the way would stand between the progress lines.
silent = logging.getLogger(f"{__name__}.nbclient")
silent.propagate = False
silent.addHandler(logging.NullHandler())

__all__ = ["PapermillExecutionError", "play"]


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells, and says when the kernel has nothing left to do: then it need not be interrupted to end it."""

    def papermill_execute_cells(self) -> None:
        super().papermill_execute_cells()
        self.km.provisioner.idle = True


class RunbookEngine(NBClientEngine):  # type: ignore[misc]
    """Runs a notebook with nbclient, as papermill does, in a kernel with an environment of its own."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, attempt: Attempt, start: dict[str, Any], **options: Any
    ) -> Any:
        """Run the cells of a notebook; `start` is what the kernel is started with."""
        client = Client(
            nb_man,
            kernel_name=kernel_name,
            log=silent,
            startup_timeout=120,
            timeout_func=attempt.seconds_left,
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
            extra_arguments=[WITNESS],
            on_cell_start=attempt.on_cell_start,
            on_cell_execute=attempt.on_cell_execute,
            on_cell_executed=attempt.on_cell_executed,
            on_cell_error=attempt.on_cell_error,
        )
        attempt.kernel = client.km = client.create_kernel_manager()
        client.execute(cleanup_kc=True, **start)


def play(
    source: Path,
    executed: Path,
    *,
    parameters: dict[str, Any],
    attempt: Attempt,
    environment: dict[str, str],
    log: IO[bytes],
) -> None:
    """Play a notebook into a new file; raises what papermill and nbclient raise, after the file was written."""
    papermill_engines.register(NAME, RunbookEngine)
    if environment.get(kernels.CHOOSE, kernels.NAME) == kernels.NAME:
        KernelProvisionerFactory.instance().default_provisioner_name = kernels.NAME
    execute_notebook(
        _literal(source),
        _literal(executed),
        parameters=parameters,
        engine_name=NAME,
        progress_bar=False,
        attempt=attempt,
        start={"env": environment, "cwd": str(source.parent), "stdout": log, "stderr": log},
    )


def _literal(path: Path) -> str:
    # papermill reads paths as format strings.
    return str(path).replace("{", "{{").replace("}", "}}")
