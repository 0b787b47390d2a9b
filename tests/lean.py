"""For `pytest -p tests.lean`: leaves a grammar package out that compiles for seconds when nbformat is imported."""

from runbook_lib.runs.lean import FORMATS, lean_imports

with lean_imports(FORMATS):
    import nbformat  # noqa: F401 - imported here, so that nobody else imports it with that package
