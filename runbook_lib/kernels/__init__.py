"""Warm kernels: one process imports the heavy libraries once, and every notebook gets a fresh fork of it.

Chosen by JUPYTER_DEFAULT_PROVISIONER_NAME=runbook-fork, or by the runner itself.  Where a fork is not safe or not
possible the kernel starts cold, as it always did, and a warning says why.
"""

from __future__ import annotations

import contextlib

NAME = "runbook-fork"
CHOOSE = "JUPYTER_DEFAULT_PROVISIONER_NAME"


def start_warming() -> None:
    """Start the warm process now, so that it imports while this one does something else."""
    from runbook_lib.kernels.fork import Cold, warm

    with contextlib.suppress(Cold):  # the provisioner says so when a kernel is wanted
        warm()
