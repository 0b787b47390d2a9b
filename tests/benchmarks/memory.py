"""Run 30_release alone in a cold kernel with the sandbox inside; print the kernel's largest memory in MiB."""

from __future__ import annotations

from typing import Any

from runbook_lib.runs import notebook
from runbook_lib.runs.lean import lean_imports

with lean_imports():
    import nbformat
    from nbclient import NotebookClient

PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def main() -> float:
    """The peak of the whole run, the imports of pandas and matplotlib included."""
    path = notebook.find("30_release")
    played: Any = nbformat.read(path, as_version=4)
    played.cells.append(nbformat.v4.new_code_cell(PEAK))
    NotebookClient(played, timeout=600).execute(cwd=str(path.parent))
    return float(played.cells[-1].outputs[0].text)


if __name__ == "__main__":
    print(main())
