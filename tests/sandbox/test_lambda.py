"""Functions that run: their answers, their errors, their time, their logs and who may invoke them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from lambda_stage import ARN, Stage, fresh, lambda_role, packed

from runbook_lib.sandbox.errors import SandboxError
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

ECHO = "def handler(event, context): return {'seen': event, 'left': context.get_remaining_time_in_millis()}"
CASES = Path(__file__).parents[1] / "cases/lambda"


@pytest.fixture
def stage() -> Stage:
    return fresh()


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


# ---- answers


def test_a_function_answers_its_caller(stage: Stage) -> None:
    """At once, with what its handler returns; it has all its time before it."""
    stage.function(ECHO)
    before = stage.world.now
    answer = stage.invoke({"a": 1})
    assert (answer.status, answer.error, answer.payload) == (200, "", {"seen": {"a": 1}, "left": 3000})
    assert stage.world.now == before


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_becomes_of_a_function_is_told_as_on_aws(stage: Stage, case: Path) -> None:
    """Each case is a file: the code, then the error, the payload and the lines of the log."""
    told = yaml.safe_load(case.read_text(encoding="utf-8"))
    stage.function(told["code"], **told.get("settings", {}))
    answer = stage.invoke({"n": 1})
    stack = answer.payload.pop("stackTrace", []) if isinstance(answer.payload, dict) else []
    id = answer.log.split()[2]
    seen = json.loads(json.dumps(answer.payload).replace(id, "ID"))
    assert (answer.error, seen) == (told.get("error", ""), told["payload"])
    assert "".join(stack) == told.get("stack", "")
    assert answer.log.replace(id, "ID").replace("\u00a0", " ").splitlines()[1:-2] == told.get("log", [])


def test_a_function_lives_in_the_environment_that_it_was_given(stage: Stage) -> None:
    """Its own variables and Lambda's, its role's credentials; nothing of this machine."""
    code = """
        import os
        import boto3
        def handler(event, context):
            here = {name: os.environ[name] for name in ("TABLE", "AWS_REGION", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME")}
            who = boto3.client("sts").get_caller_identity()["Arn"]
            return [here, who, "HOME" in os.environ, os.path.exists("beside.txt")]
        """
    stage.function(
        code,
        Environment={"Variables": {"TABLE": "orders"}},
        Code={"ZipFile": packed({"m.py": code, "beside.txt": "x"})},
    )
    here, who, *rest = stage.invoke().payload
    own = {"TABLE": "orders", "AWS_REGION": "us-east-1", "_HANDLER": "m.handler", "AWS_LAMBDA_FUNCTION_NAME": "f"}
    assert (here, rest) == (own, [False, True])
    assert who == "arn:aws:sts::123456789012:assumed-role/f/f"


def test_code_comes_from_a_bucket_as_well(stage: Stage) -> None:
    """As it was when the function was made; new code takes its place, and a version keeps its own."""
    s3 = stage.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="f.zip", Body=packed({"m.py": "def handler(event, context): return 1"}))
    stage.function("", Code={"S3Bucket": "code", "S3Key": "f.zip"})
    stage.client("lambda").publish_version(FunctionName="f")
    new = packed({"m.py": "def handler(event, context): return 2"})
    stage.client("lambda").update_function_code(FunctionName="f", ZipFile=new)
    assert [stage.invoke().payload, stage.invoke(Qualifier="1").payload] == [2, 1]


def test_an_alias_leads_to_its_version(stage: Stage) -> None:
    """By qualifier, in the name, and in the ARN."""
    stage.function("def handler(event, context): return context.function_version")
    stage.client("lambda").publish_version(FunctionName="f")
    stage.client("lambda").create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert stage.invoke(Qualifier="live").payload == "1"
    assert [stage.invoke(name=name).payload for name in ("f:live", f"{ARN}f:live", f"{ARN}f")] == ["1", "1", "$LATEST"]


# ---- time


def test_a_synchronous_function_sleeps_without_moving_the_world(stage: Stage) -> None:
    """What it sleeps counts as its duration."""
    code = """
        import time
        def handler(event, context):
            time.sleep(2)
            return context.get_remaining_time_in_millis()
        """
    stage.function(code)
    before = stage.world.now
    answer = stage.invoke()
    assert (answer.payload, stage.world.now) == (1000, before)
    assert "Duration: 2000.00 ms\tBilled Duration: 2000 ms" in answer.log


def test_an_asynchronous_function_sleeps_in_the_world(stage: Stage) -> None:
    """It sees what happened meanwhile, and its lines have the times at which they were written."""
    code = "import time\ndef handler(event, context):\n    print(1)\n    time.sleep(60)\n    print(2)"
    stage.function(code, Timeout=90)
    assert stage.invoke(InvocationType="Event").status == 202
    stage.wait(120)
    events = stage.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    times = {event["message"]: event["timestamp"] for event in events}
    assert times["2"] - times["1"] == 60_000


def test_an_asynchronous_function_that_sleeps_too_long_is_ended(stage: Stage) -> None:
    """When its time is over; it is tried twice again, after one minute and after two."""
    stage.function("import time\ndef handler(event, context):\n    time.sleep(30)", Timeout=5)
    stage.invoke(InvocationType="Event")
    stage.wait(600)
    ended = [line for line in stage.logged() if "timed out" in line]
    assert [line.split(" ", 1)[0] for line in ended] == [
        "2026-03-02T09:00:05.100Z",
        "2026-03-02T09:01:10.100Z",
        "2026-03-02T09:03:15.100Z",
    ]
    assert ended[0].endswith("Task timed out after 5.00 seconds")


def test_the_number_of_attempts_can_be_set(stage: Stage) -> None:
    """To none but the first."""
    stage.function("def handler(event, context): raise ValueError(1)")
    stage.client("lambda").put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    stage.invoke(InvocationType="Event")
    stage.wait(600)
    assert len([line for line in stage.logged() if line.startswith("START")]) == 1


def test_a_function_invokes_another(stage: Stage) -> None:
    """And is answered while the world stands still, be it with no more than a status."""
    stage.function(ECHO, name="inner")
    code = """
        import boto3, json
        def handler(event, context):
            own = boto3.client("lambda")
            found = own.invoke(FunctionName="inner", Payload=json.dumps(event + 1))
            kinds = ("Event", "DryRun")
            more = [own.invoke(FunctionName="inner", InvocationType=kind)["StatusCode"] for kind in kinds]
            return [json.load(found["Payload"])["seen"], *more]
        """
    stage.function(code, name="outer", may=("lambda:InvokeFunction",))
    assert stage.invoke(1, name="outer").payload == [2, 202, 204]


def test_a_world_is_not_saved_while_a_function_sleeps(stage: Stage) -> None:
    """And can be, when it has ended."""
    stage.function("import time\ndef handler(event, context):\n    time.sleep(30)", Timeout=60)
    stage.invoke(InvocationType="Event")
    stage.wait(10)
    with pytest.raises(SandboxError, match="1 running child"):
        stage.world.__getstate__()
    stage.wait(60)
    assert stage.world.__getstate__()


# ---- logs


def test_a_function_without_permission_leaves_no_log(stage: Stage) -> None:
    """And answers all the same."""
    stage.function("def handler(event, context): print('hello')", may=())
    assert "hello" in stage.invoke().log
    assert stage.client("logs").describe_log_groups()["logGroups"] == []


def test_a_function_that_may_not_make_its_log_group_writes_into_one_that_is_there(stage: Stage) -> None:
    """Each cold start has a stream of its own."""
    stage.function("def handler(event, context): print('hello')", may=("logs:CreateLogStream", "logs:PutLogEvents"))
    stage.invoke()
    stage.client("logs").create_log_group(logGroupName="/aws/lambda/f")
    stage.invoke()
    assert [line.split()[0] for line in stage.logged()] == ["START", "hello", "END", "REPORT"]
    stream = stage.client("logs").describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"][0]
    assert stream["logStreamName"].startswith("2026/03/02/[$LATEST]")


# ---- what is refused


def test_nobody_invokes_what_is_not_there(stage: Stage) -> None:
    """In AWS's words, with the qualifier."""
    invoke = stage.client("lambda").invoke
    assert refusal(invoke, FunctionName="f")[1] == f"Function not found: {ARN}f"
    code, message = refusal(invoke, FunctionName="f", Qualifier="live")
    assert (code, message) == ("ResourceNotFoundException", f"Function not found: {ARN}f:live")


def test_an_event_that_is_no_json_is_refused(stage: Stage) -> None:
    """So is one that is too large for the queue."""
    stage.function(ECHO)
    invoke = stage.client("lambda").invoke
    code, message = refusal(invoke, FunctionName="f", Payload=b"{")
    assert (code, message.startswith("Could not parse request body into json")) == (
        "InvalidRequestContentException",
        True,
    )
    large = json.dumps("x" * 1_048_577)
    assert refusal(invoke, FunctionName="f", InvocationType="Event", Payload=large)[0] == "RequestTooLargeException"


def test_a_role_invokes_only_what_it_or_the_function_allows(stage: Stage) -> None:
    """By its own policy, or by the function's."""
    stage.function(ECHO)
    lambda_role(stage.world, "caller")
    caller = "arn:aws:sts::123456789012:assumed-role/caller/x"
    invoke = stage.client("lambda", caller).invoke
    code, message = refusal(invoke, FunctionName="f", InvocationType="DryRun")
    assert (code, f"not authorized to perform: lambda:InvokeFunction on resource: {ARN}f" in message) == (
        "AccessDeniedException",
        True,
    )
    stage.client("lambda").add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="arn:aws:iam::123456789012:role/caller",
    )
    assert invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204


def test_code_that_is_no_zip_file_is_refused(stage: Stage) -> None:
    """When the function is made and when its code is changed."""
    stage.function(ECHO)
    call = stage.client("lambda").update_function_code
    code, message = refusal(call, FunctionName="f", ZipFile=b"no zip")
    assert (code, message) == (
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )


def test_a_role_that_was_made_a_moment_ago_is_not_known_yet() -> None:
    """Nor is one that does not trust Lambda."""
    stage = Stage(World(Settings()))
    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed by Lambda"):
        stage.function(ECHO)
    stage.wait(10)
    stage.function(ECHO, name="later", may=(), Role=stage.world.arn("iam", "role/f", regional=False))
