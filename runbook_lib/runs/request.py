"""What is asked of a run, checked to the last value before a kernel starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib import application, params, yamlfile
from runbook_lib.errors import BadInput
from runbook_lib.runs.notebook import COMMON, Notebook, Parameter
from runbook_lib.suggest import did_you_mean

# Parameters of the notebooks' own that are paths: meant as seen from here, while the kernel runs in their folder.
PATHS = ("report", "saved")
NAMED = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


@dataclass(frozen=True)
class Request:
    """A notebook with its parameter file, its own parameters and the values that overrule the file."""

    notebook: Notebook
    params_file: str
    own: dict[str, Any]
    overrides: dict[str, Any]

    @property
    def injected(self) -> dict[str, Any]:
        """What papermill writes into the notebook, below its parameters cell."""
        return {"params_file": self.params_file, "overrides": self.overrides, **self.own}

    @property
    def file(self) -> Path:
        """The parameter file itself."""
        return params.find(self.params_file)


def prepare(notebook: Notebook, *, params_file: str, settings: Sequence[str] = ()) -> Request:
    """Check a request: settings are `key=value`, for the notebook's own parameters or for dotted keys of the file.

    Raises BadInput with what was seen, what is wanted and a did-you-mean; nothing has been started then.
    """
    own: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    known = {parameter.name: parameter for parameter in notebook.own}
    for key, text in _pairs(settings):
        if key in known:
            own[key] = own_value(known[key], _from_here(text) if key in PATHS else text)
        else:
            overrides[key] = _override(notebook, key, text)
    if "application" in overrides:
        overrides["application"] = _from_here(overrides["application"])
    chosen = params.load(params_file, overrides)
    if chosen.application:
        application.read(chosen.application)
    return Request(notebook, _named(notebook, params_file), own, overrides)


def own_value(parameter: Parameter, text: str) -> Any:
    """The value that a text means for a notebook's own parameter: as it stands for text, else a YAML 1.2 value."""
    wanted = [part.strip() for part in parameter.kind.removeprefix("Optional[").removesuffix("]").split("|")]
    optional = "None" in wanted or parameter.kind.startswith("Optional[")
    kinds = [NAMED[base] for base in (part.partition("[")[0] for part in wanted) if base in NAMED]
    if optional and text in ("", "null"):
        return None
    if str in kinds:
        return text
    value = yamlfile.scalar(text)
    if float in kinds and type(value) is int:
        value = float(value)
    if type(value) not in kinds:
        raise BadInput(
            where=f"-p {parameter.name}",
            seen=f"{text} (read as {type(value).__name__})",
            wanted=f"a value of type {parameter.kind}, such as {parameter.default!r}",
            next_step="correct the value",
        )
    return value


def _from_here(path: str) -> str:
    """A path as the kernel finds it too, which runs in the notebook's folder; an empty one is none."""
    return str(Path(path).expanduser().resolve()) if path else path


def _named(notebook: Notebook, params_file: str) -> str:
    """The parameter file as the kernel finds it too."""
    found = params.find(params_file).resolve()
    beside = notebook.path.resolve().parent.parent / "params"
    return found.stem if found.parent == beside else str(found)


def _pairs(settings: Sequence[str]) -> list[tuple[str, str]]:
    seen: set[str] = set()
    pairs = []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key or key in seen:
            trouble = "given twice" if key in seen else "no key=value"
            raise BadInput(
                where=f"-p {setting}", seen=trouble, wanted="key=value, each key once", next_step="correct it"
            )
        seen.add(key)
        pairs.append((key, text))
    return pairs


def _override(notebook: Notebook, key: str, text: str) -> Any:
    if key not in params.all_keys():
        names = [parameter.name for parameter in notebook.own]
        raise BadInput(
            where=f"-p {key}",
            seen=f"{notebook.name} has no parameter {key}, and the parameter file knows no such key",
            wanted=f"one of {', '.join(names)}" if names else "a dotted key of the parameter file",
            next_step=_remedy(key, names),
        )
    return params.override_value(key, text)


def _remedy(key: str, names: list[str]) -> str:
    if key in COMMON:
        return "name the file with -f, and overrule single values with -p section.key=value"
    return did_you_mean(key, [*names, *params.all_keys()], otherwise="see `runbook params show`")
