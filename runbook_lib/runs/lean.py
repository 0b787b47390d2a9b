"""Leaves out what notebook libraries import and never use here: it costs seconds at every start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# jsonschema compiles a grammar for URIs when JupyterLab's extras are installed, and loads a calendar for durations.
FORMATS = ("rfc3987_syntax", "isoduration")
# papermill reads and writes S3 when boto3 can be imported; our evidence is written to files.
STORES = ("boto3",)


@contextmanager
def lean_imports(modules: tuple[str, ...] = FORMATS + STORES) -> Iterator[None]:
    """Inside, these modules look as if they were not installed; libraries that can do without them do."""
    hidden = [name for name in modules if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # what the import system itself does for "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
