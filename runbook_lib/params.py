"""The parameters of a run: one typed model, read from a YAML file, checked before anything starts."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from runbook_lib import yamlfile
from runbook_lib.errors import BadInput
from runbook_lib.sections import (
    WANTED,
    AccountId,
    Alarms,
    Balancer,
    Build,
    Existing,
    Name,
    Network,
    Objective,
    Owned,
    Pipeline,
    Prices,
    Region,
    Release,
    Repository,
    Sandbox,
    Section,
    Service,
)


class Params(Section):
    """Everything that a run is told from outside."""

    target: Literal["sandbox", "aws"] = "sandbox"
    account: AccountId | None = None
    region: Region | None = None
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
    profile: str | None = None
    name: Name = "orders"
    application: str | None = None
    approver: str | None = None
    lifetime_days: Annotated[int, Field(ge=1)] = 7
    tags: dict[str, str] = {}  # noqa: RUF012  pydantic copies it
    network: Network = Network()
    repository: Repository = Repository()
    balancer: Balancer = Balancer()
    service: Service = Service()
    build: Build = Build()
    pipeline: Pipeline = Pipeline()
    release: Release = Release()
    alarms: Alarms = Alarms()
    objective: Objective = Objective()
    prices: Prices = Prices()
    sandbox: Sandbox = Sandbox()
    existing: Existing = Existing()
    owned: tuple[Owned, ...] = ()

    @model_validator(mode="after")
    def _a_real_account_is_named(self) -> Params:
        missing = [key for key in ("account", "region") if getattr(self, key) is None]
        if self.target == "aws" and missing:
            raise ValueError(f"{missing[0]}: must be named when target is aws; there is no default")
        return self

    @model_validator(mode="after")
    def _the_sandbox_has_no_network(self) -> Params:
        if self.target == "sandbox" and self.repository.provider == "github" and self.repository.remote is None:
            raise ValueError(
                "repository.remote: must be named when target is sandbox and provider is github: "
                "a path, such as that of a bare repository, or a URL"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_broken_on_aws(self) -> Params:
        if self.target == "aws" and self.sandbox.scenario:
            raise ValueError("sandbox.scenario: left out when target is aws: faults are played in a sandbox alone")
        return self

    @property
    def connections(self) -> dict[str, dict[str, str]]:
        """What a sandbox is told of completed connections: ARN -> full name -> git remote."""
        source = self.repository
        if source.connection is None or source.full_name is None or source.remote is None:
            return {}
        place = Path(source.remote)
        return {source.connection: {source.full_name: str(place.absolute()) if place.exists() else source.remote}}


def load(params_file: str | Path = "sandbox", overrides: dict[str, Any] | None = None) -> Params:
    """Read a parameter file (a path, or the name of one under params/) and apply single values on top of it.

    Overrides have dotted keys: {"release.traffic": "canary"}.  The folder of an application is meant as seen from the
    file, or from the folder that holds params/.  Raises BadInput with file, line, key, the value
    seen, what is wanted and a did-you-mean.
    """
    path = find(params_file)
    document = yamlfile.read(path)
    if not document.lines:
        raise BadInput(
            where=path.name,
            seen="an empty file",
            wanted="keys and values, or {} for nothing but defaults",
            next_step="restore the file, or write {} into it",
        )
    data = document.value
    if isinstance(data.get("application"), str):
        data["application"] = str(_home(path) / data["application"])
    chosen = data.get("sandbox")
    if isinstance(chosen, dict) and str(chosen.get("scenario", "")).endswith((".yaml", ".yml")):
        chosen["scenario"] = str(_home(path) / chosen["scenario"])
    for key, value in (overrides or {}).items():
        _put(data, key, value)
    return _validate(data, document, set(overrides or {}))


def validated(document: yamlfile.Document) -> Params:
    """The parameters of a text that is no file yet; raises BadInput as `load` does."""
    return _validate(document.value, document, set())


def _home(path: Path) -> Path:
    folder = path.resolve().parent
    return folder.parent if folder.name == "params" else folder


def find(params_file: str | Path) -> Path:
    """The file that is meant: an existing path, or NAME.yaml in the params folder of this or a parent folder."""
    given = Path(params_file)
    if given.suffix in (".yaml", ".yml"):
        if given.is_file():
            return given
        raise _not_found(given)
    for folder in (Path.cwd(), *Path.cwd().parents):
        candidate = folder / "params" / f"{given.name}.yaml"
        if candidate.is_file():
            return candidate
    raise _not_found(given, f"no such parameter file: no params/{given.name}.yaml in {Path.cwd()} or above it")


def field(key: str) -> type | Any:
    """The type that a dotted key of the parameters wants; raises BadInput with a did-you-mean for an unknown key."""
    model: Any = Params
    for part in key.split("."):
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            raise _unknown(key, where="overrides")
        model = fields[part].annotation
    return model


def override_value(key: str, text: str) -> Any:
    """The value that a command line's KEY=TEXT means: text where the key wants text, else a YAML scalar."""
    wanted = field(key)
    return text if _wants_text(wanted) else yamlfile.scalar(text)


def all_keys() -> list[str]:
    """Every dotted key that the parameters know."""
    return [
        f"{name}.{inner}" if inner else name
        for name, info in Params.model_fields.items()
        for inner in getattr(info.annotation, "model_fields", {"": None})
    ]


def _wants_text(wanted: Any) -> bool:
    options = get_args(wanted) or (wanted,)
    return any(option is str or (isinstance(option, str)) or str in get_args(option) for option in options)


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    field(key)
    *sections, last = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
    data[last] = value


def _validate(data: dict[str, Any], document: yamlfile.Document, overridden: set[str]) -> Params:
    try:
        return Params.model_validate(_tuples(data))
    except ValidationError as error:
        raise _bad_input(error.errors()[0], document, overridden) from None


def _tuples(value: Any) -> Any:
    # Strict models want tuples where YAML has lists.
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _bad_input(error: Any, document: yamlfile.Document, overridden: set[str]) -> BadInput:
    key = ".".join(str(part) for part in error["loc"]) or str(error["msg"]).removeprefix("Value error, ").split(":")[0]
    where = "overrides" if key in overridden else document.where(key)
    if error["type"] == "extra_forbidden":
        return _unknown(key, where=where)
    written = document.raw(key) if not isinstance(error["input"], str) else None
    seen = f"{key} = {written or repr(error['input'])}" if error["loc"] else f"{key} left out or wrong"
    return BadInput(where=where, seen=seen, wanted=_wanted(key, error), next_step=f"set {key} in the parameter file")


def _wanted(key: str, error: Any) -> str:
    if error["type"] == "string_type" and key not in WANTED:
        return 'text: write it in quotes, for YAML reads it as something else ("1.10" would become 1.1)'
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if error["type"] == "model_type":
        message = "keys and values (a mapping)"
    return WANTED.get(key, message) if error["loc"] else message


def _unknown(key: str, *, where: str) -> BadInput:
    known = all_keys() + list(Params.model_fields)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see `runbook params show` for all keys"
    return BadInput(where=where, seen=f"the key {key}", wanted="a key that the parameters know", next_step=hint)


def _not_found(path: Path, seen: str = "no such parameter file") -> BadInput:
    return BadInput(
        where=str(path),
        seen=seen,
        wanted="a YAML file, or the name of one under params/ (sandbox)",
        next_step="go to the folder of the runbooks, or name a file: -f FILE (params/aws.example.yaml is one to copy)",
    )
