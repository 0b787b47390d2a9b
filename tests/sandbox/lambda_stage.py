"""Functions for tests: zip files of code, roles, and a world in which they are invoked."""

from __future__ import annotations

import base64
import io
import json
import textwrap
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def packed(files: Mapping[str, str]) -> bytes:
    """A zip file of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(zipfile.ZipInfo(name), textwrap.dedent(text))
    return content.getvalue()


def lambda_role(world: World, name: str, may: Iterable[str] = ()) -> str:
    """A role that Lambda can assume and that may do these actions; gives its ARN."""
    iam = world.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    if may:
        allowed = {"Effect": "Allow", "Action": list(may), "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(allowed))
    return arn


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Answer:
    """What Invoke answered."""

    status: int
    error: str
    payload: Any
    log: str


@dataclass
class Stage:
    """A world and what is done with functions in it."""

    world: World

    def client(self, service: str, caller: str = "") -> Any:
        return self.world.gateway.client(service, caller=caller or self.world.operator)

    def function(self, code: str, *, may: Iterable[str] = ("logs:*",), name: str = "f", **more: Any) -> None:
        """Makes a function out of a module with a handler."""
        given = {"Runtime": "python3.12", "Handler": "m.handler", "Code": {"ZipFile": packed({"m.py": code})}} | more
        if "Role" not in given:
            given["Role"] = lambda_role(self.world, name, may)
        self.client("lambda").create_function(FunctionName=name, **given)

    def invoke(self, event: Any = None, name: str = "f", **more: Any) -> Answer:
        """Invokes a function and reads what it answers."""
        told = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
        text, log = told["Payload"].read().decode(), base64.b64decode(told.get("LogResult", "")).decode()
        return Answer(told["StatusCode"], told.get("FunctionError", ""), json.loads(text) if text else None, log)

    def logged(self, name: str = "f") -> list[str]:
        """The lines of a function's log."""
        found = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [event["message"] for event in found]

    def wait(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)


def fresh() -> Stage:
    """A world with nothing in it."""
    return Stage(World(Settings(realism=False)))
