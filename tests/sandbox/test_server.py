"""A world served to other processes."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.errors import BadInput
from runbook_lib.sandbox import connect
from runbook_lib.sandbox.front import Front, Inbox
from runbook_lib.sandbox.remote import RemoteSandbox
from runbook_lib.sandbox.server import HEED, Server
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.world import World

SERVE = [sys.executable, "-m", "runbook_lib.sandbox.serving"]
PLAIN = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "thing", "AWS_DEFAULT_REGION": "us-east-1"}


class Served:
    """A server in its own process."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*SERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or "{}")

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """One server for the tests that leave nothing behind that matters to others."""
    served = Served()
    yield served
    assert served.end() == 0


@pytest.fixture
def world(shared: Served) -> Iterator[RemoteSandbox]:
    """The shared server's world, begun anew."""
    sandbox = connect(shared.url)
    sandbox.reset()
    yield sandbox
    sandbox.close()


def aws(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What the AWS CLI says."""
    command = [str(Path(sys.executable).with_name("aws")), *words]
    return subprocess.run(command, env={**os.environ, **PLAIN, "AWS_ENDPOINT_URL": url}, capture_output=True, text=True)


def test_the_first_line_tells_where_it_is(shared: Served) -> None:
    """On loopback, with the process that serves."""
    assert shared.url.startswith("http://127.0.0.1:")
    assert shared.ready["pid"] == shared.process.pid


def test_boto3_clients_work_over_the_socket(world: RemoteSandbox) -> None:
    """S3 by path, query and JSON services, with the operator's name."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="a/b c", Body=b"z" * 100_000)
    assert s3.get_object(Bucket="artifacts", Key="a/b c")["Body"].read() == b"z" * 100_000
    assert s3.head_object(Bucket="artifacts", Key="a/b c")["ContentLength"] == 100_000
    assert world.client("ec2").describe_vpcs()["Vpcs"][0]["OwnerId"] == "123456789012"
    assert world.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/operator"


def test_the_aws_cli_works_with_any_credentials(world: RemoteSandbox, tmp_path: Path) -> None:
    """Also for a file of several parts."""
    world.client("s3").create_bucket(Bucket="artifacts")
    (tmp_path / "big").write_bytes(os.urandom(9_000_000))
    assert aws(world.line.url, "s3", "cp", str(tmp_path / "big"), "s3://artifacts/big").returncode == 0
    listed = aws(world.line.url, "s3", "ls", "s3://artifacts/")
    assert listed.stdout == "2026-03-02 09:00:00    9000000 big\n"


def test_what_is_not_served_is_refused_by_name_and_once(world: RemoteSandbox) -> None:
    """501 is not retried."""
    told = aws(world.line.url, "iam", "list-service-specific-credentials")
    assert "NotImplemented" in told.stderr
    assert "iam.ListServiceSpecificCredentials" in told.stderr
    assert world.status()["calls"] == 1


def test_required_parameters_are_checked_for_foreign_clients(world: RemoteSandbox) -> None:
    """A client without botocore's checks gets an error in AWS's shape."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260302/us-east-1/codedeploy/aws4_request, Signature=x",
        "X-Amz-Target": "CodeDeploy_20141006.GetApplication",
        "Content-Type": "application/x-amz-json-1.1",
    }
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(urllib.request.Request(world.line.url, b"{}", headers))
    told = json.loads(raised.value.read())
    assert (raised.value.code, told["__type"]) == (400, "ValidationException")
    assert "applicationName" in told["Message"]


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({}, 403, b"not signed"),
        ({"Authorization": "Credential=x/20260302/us-east-1/nowhere/aws4_request"}, 501, b"nowhere"),
    ],
)
def test_requests_of_nobody_or_to_nowhere_are_refused(
    world: RemoteSandbox, headers: dict[str, str], status: int, word: bytes
) -> None:
    """Unsigned requests, and services that do not exist."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(urllib.request.Request(world.line.url + "/", b"", headers))
    assert raised.value.code == status
    assert word in raised.value.read()


def test_sleeping_moves_the_served_world(world: RemoteSandbox) -> None:
    """Looking does not."""
    before = world.clock.now()
    world.clock.sleep(60)
    assert (world.clock.now() - before).total_seconds() == 60
    assert world.clock.idle()


def test_a_wait_that_others_have_waited_is_over_at_once(world: RemoteSandbox) -> None:
    """Two notebooks that wait for the same minute wait for one minute."""
    other = connect(world.line.url)
    before = (world.clock.now(), other.clock.now())
    world.clock.sleep(60)
    other.clock.sleep(60)
    assert (other.clock.now() - before[1]).total_seconds() == 60
    other.close()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"seconds": "5"}', b'{"minutes": 5}', b"[1]", b'{"seconds": true}'])
def test_a_wait_for_nothing_sensible_is_refused(world: RemoteSandbox, body: bytes) -> None:
    """The answer says what is wanted."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(world.line.url + "/_sandbox/wait", body)
    assert raised.value.code == 400
    assert b"seconds" in raised.value.read()


@pytest.mark.parametrize("seconds", ["-5", "NaN", "Infinity", "1e12"])
def test_time_neither_goes_back_nor_leaves_the_calendar(world: RemoteSandbox, seconds: str) -> None:
    """A world at such a time could never be used again; it stays where it is."""
    before = world.status()["now"]
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(world.line.url + "/_sandbox/advance", f'{{"seconds": {seconds}}}'.encode())
    assert raised.value.code == 400
    assert world.status()["now"] == before


def test_what_is_no_sandbox_is_refused() -> None:
    """With its address; a name that nobody has is nobody."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:  # it answers 501 to everything
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(BadInput, match="what answers there is no sandbox"):
            connect(f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
    with pytest.raises(BadInput, match="no sandbox answers"):
        connect("http://nobody.invalid")


def test_an_unknown_question_is_not_found(world: RemoteSandbox) -> None:
    """Not taken for a request to AWS."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(world.line.url + "/_sandbox/weather")


def test_saving_without_a_state_file_is_refused(world: RemoteSandbox) -> None:
    """With what to do."""
    with pytest.raises(BadInput, match="--state FILE"):
        world.save()


def test_connecting_to_nobody_says_how_to_start_a_server() -> None:
    """The reader has forgotten to start it."""
    with pytest.raises(BadInput, match="runbook sandbox serve"):
        connect("http://127.0.0.1:9")
    with pytest.raises(BadInput, match="http://127"):
        connect("localhost:8000")


def test_the_world_is_saved_on_stop_and_loaded_at_start(tmp_path: Path) -> None:
    """Also by a signal; a second server on the file is refused meanwhile, by the number of the first."""
    state = tmp_path / "demo" / "world.state"
    first = Served("--state", str(state), "--set", "seed=7")
    world = connect(first.url)
    world.client("sns").create_topic(Name="kept")
    world.clock.sleep(30)
    second = Served("--state", str(state))
    assert second.process.wait(20) == 6
    assert f"process {first.process.pid}" in second.process.stderr.read()  # type: ignore[union-attr]
    assert first.end() == 0
    again = Served("--state", str(state))
    world = connect(again.url)
    assert world.client("sns").list_topics()["Topics"][0]["TopicArn"].endswith(":kept")
    assert world.clock.now().isoformat() == "2026-03-02T09:00:30+00:00"
    world.stop()
    assert again.process.wait(20) == 0


@pytest.mark.parametrize("damage", [b"", b"junk", b"cut"])
def test_a_damaged_state_file_is_refused_by_name(tmp_path: Path, damage: bytes) -> None:
    """And is left as it is."""
    state = tmp_path / "world.state"
    if damage == b"cut":
        assert Served("--state", str(state)).end() == 0
        state.write_bytes(state.read_bytes()[:-1])
    else:
        state.write_bytes(damage)
    before = state.read_bytes()
    served = Served("--state", str(state))
    assert served.process.wait(20) == 2
    assert str(state) in served.process.stderr.read()  # type: ignore[union-attr]
    assert state.read_bytes() == before


def test_a_bad_setting_is_refused(tmp_path: Path) -> None:
    """Before anything is served."""
    served = Served("--set", "metric_lag=soon")
    assert served.process.wait(20) == 2
    assert "metric_lag" in served.process.stderr.read()  # type: ignore[union-attr]


def test_the_scaled_world_moves_with_the_wall() -> None:
    """At a factor of 600 a minute of the world takes a tenth of a second."""
    served = Served("--set", "clock=scaled", "--set", "scale=600")
    clock = connect(served.url).clock
    before = clock.now()
    clock.sleep(60)
    # No upper bound by the wall: ten minutes of the world are one second of a busy machine.
    assert (clock.now() - before).total_seconds() >= 60
    assert served.end() == 0


def test_an_interrupt_ends_the_server(tmp_path: Path) -> None:
    """Ctrl-C in the terminal that serves."""
    served = Served("--state", str(tmp_path / "w"))
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(20) == 0
    assert (tmp_path / "w").exists()


def test_errors_of_services_reach_remote_callers(world: RemoteSandbox) -> None:
    """As a ClientError, with AWS's code."""
    with pytest.raises(ClientError) as raised:
        world.client("s3").get_object(Bucket="nobody-has-this", Key="x")
    told: Any = raised.value.response
    assert told["Error"]["Code"] == "NoSuchBucket"


def test_a_server_never_waits_without_an_end() -> None:
    """A signal that comes just before a wait is heeded after it: without an end the server would not stop."""
    inbox: Inbox = queue.SimpleQueue()
    server = Server(World(Settings()), front=Front(inbox), inbox=inbox)
    assert server._patience() <= HEED
    server.stop()
    server.run()
