"""The ${names} of a fault: the system's own, and what is read of the world when it is first asked for.

A name keeps the value that it had then: what was live before is told from what is live in the end.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from runbook_lib.account import Account
from runbook_lib.errors import BadInput
from runbook_lib.story.faults.fault import Call, Fault, common
from runbook_lib.system import System

NAME = re.compile(r"\$\{([a-z_0-9]+)\}")
PLACE = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
OF_SYSTEM = (
    "account",
    "region",
    "cluster",
    "service",
    "rolling_service",
    "family",
    "container",
    "port",
    "registry",
    "repository",
    "branch",
    "project",
    "pipeline",
    "balancer",
    "rule",
    "log_group",
    "artifacts_bucket",
)
ROLES = ("execution", "task", "build", "pipeline", "events", "deploy")
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


class Vocabulary:
    """What the names of a fault mean in one world."""

    def __init__(self, account: Account, system: System, fault: Fault) -> None:
        self.account, self.fault = account, fault
        self._reads = {**common(), **fault.reads}
        self._known: dict[str, Any] = {name: getattr(system, name) for name in OF_SYSTEM}
        self._known |= {"application": system.deploy_application, "group": system.deploy_group}
        self._known |= {f"role_{purpose}": system.role(purpose) for purpose in ROLES}
        self._known |= {f"role_{purpose}_arn": system.role_arn(purpose) for purpose in ROLES}

    def value(self, name: str) -> Any:
        """What a name means; raises BadInput for one that nobody told."""
        if name not in self._known:
            if name not in self._reads:
                known = ", ".join(sorted({*self._known, *self._reads}))
                raise BadInput(
                    where=f"{self.fault.name}.yaml", seen=f"${{{name}}}", wanted=known, next_step="correct the name"
                )
            self.learn(name, *self._reads[name])
        return copy.deepcopy(self._known[name])

    def learn(self, name: str, call: Call, path: str) -> None:
        """Read a name's value now."""
        self._known[name] = search(self.filled(path), self.ask(call))

    def keep(self, name: str, value: Any) -> None:
        """Let a name mean this from now on."""
        self._known[name] = value

    def ask(self, call: Call) -> Any:
        """Make a call; what AWS refuses is raised."""
        service, _, operation = call.call.partition(":")
        return getattr(self.account.client(service), operation)(**self.arguments(call))

    def arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a call, every name in them replaced."""
        found: dict[str, Any] = self.filled(call.arguments)
        for place, value in call.put.items():
            _put(found, place, self.filled(value))
        return found

    def filled(self, value: Any) -> Any:
        """A value with its names replaced; one that is nothing but a name may become a list or a number.

        {zip: {name: text}} becomes the bytes of an archive, the same ones each time.
        """
        if isinstance(value, Mapping):
            if set(value) == {"zip"}:
                return _zipped(value["zip"])
            return {key: self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = NAME.fullmatch(value)
        return self.value(whole[1]) if whole else NAME.sub(lambda found: str(self.value(found[1])), value)


def search(path: str, answer: Any) -> Any:
    """What stands at a JMESPath of an answer."""
    import jmespath

    return jmespath.search(path, answer)


def _put(found: Any, place: str, value: Any) -> None:
    """Set one place, such as stages[2].actions[0].name; null takes it away."""
    keys = [key or int(number) for key, number in PLACE.findall(place)]
    for key in keys[:-1]:
        found = found[key]
    if value is None:
        found.pop(keys[-1], None)
    elif isinstance(found, list) and keys[-1] == len(found):
        found.append(value)
    else:
        found[keys[-1]] = value


def _zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), text)
    return buffer.getvalue()
