"""What SDKs do on the wire: keep connections, pack bodies, wait for leave to send, name a bucket in the host."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import urllib.request
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection as Connection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from abroad import Abroad, served, signed
from botocore.config import Config

from runbook_lib.sandbox import Settings
from runbook_lib.sandbox.clients import OPERATOR_KEY, SECRET, bucket_in, session
from runbook_lib.sandbox.world import World

BUCKET = "artifacts"


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abroad]:
    """A world with a bucket."""
    world = World(Settings())
    world.client("s3").create_bucket(Bucket=BUCKET)
    with served(world, tmp_path_factory.mktemp("http")) as where:
        yield where


@pytest.fixture
def line(abroad: Abroad) -> Iterator[Connection]:
    """One connection to the world."""
    connection = Connection(urlsplit(abroad.url).netloc, timeout=30)
    yield connection
    connection.close()


def ask(line: Connection, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """The status and the body of an answer to a request to S3."""
    line.request(method, path, body, signed("s3", **headers))
    reply = line.getresponse()
    return reply.status, reply.read()


def chunks(*parts: bytes, trailer: str = "") -> bytes:
    """A body in the chunks of S3, with a trailer."""
    written = [b"%x;chunk-signature=%s\r\n%s\r\n" % (len(part), b"0" * 64, part) for part in (*parts,) if part]
    return b"".join(written) + b"0;chunk-signature=%s\r\n%s\r\n\r\n" % (b"0" * 64, trailer.encode())


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


STREAMING = {
    "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "Content_Encoding": "aws-chunked",
    "x_amz_trailer": "x-amz-checksum-crc32",
    "x_amz_sdk_checksum_algorithm": "CRC32",
}


def test_an_upload_in_chunks_is_kept_without_them(abroad: Abroad, line: Connection) -> None:
    """Its trailer is the checksum that S3 tells later."""
    content = b"a" * 70_000 + b"\r\n0;b"
    body = chunks(content[:65536], content[65536:], trailer=f"x-amz-checksum-crc32:{crc32(content)}")
    told = {**STREAMING, "x_amz_decoded_content_length": str(len(content))}
    assert ask(line, "PUT", f"/{BUCKET}/big", body, **told)[0] == 200
    got = abroad.world().client("s3").get_object(Bucket=BUCKET, Key="big", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (content, crc32(content))
    assert "aws-chunked" not in got.get("ContentEncoding", "")


@pytest.mark.parametrize(
    ("body", "length", "code"),
    [
        (chunks(b"abc", trailer=f"x-amz-checksum-crc32:{crc32(b'abd')}"), 3, b"BadDigest"),
        (chunks(b"abc"), 4, b"IncompleteBody"),
        (b"ffff\r\nabc", 65535, b"IncompleteBody"),
        (b"no number\r\nabc", 3, b"IncompleteBody"),
    ],
)
def test_an_upload_that_was_damaged_is_refused(line: Connection, body: bytes, length: int, code: bytes) -> None:
    """In XML, as S3 answers."""
    told = {**STREAMING, "x_amz_decoded_content_length": str(length)}
    status, answer = ask(line, "PUT", f"/{BUCKET}/damaged", body, **told)
    assert status == 400
    assert b"<Code>%s</Code>" % code in answer
    assert ask(line, "GET", f"/{BUCKET}/damaged")[0] == 404


def test_an_object_that_is_compressed_itself_stays_so(line: Connection) -> None:
    """Its encoding belongs to the object."""
    packed = gzip.compress(b"{}")
    ask(line, "PUT", f"/{BUCKET}/packed", packed, Content_Encoding="gzip")
    assert ask(line, "GET", f"/{BUCKET}/packed") == (200, packed)


def test_metrics_in_a_compressed_body_are_counted(abroad: Abroad) -> None:
    """boto3 compresses from 10 KiB on; the sandbox's own clients do not, so this is one of somebody else."""
    world = abroad.world()
    keys = {"aws_access_key_id": OPERATOR_KEY, "aws_secret_access_key": SECRET}
    watch = boto3.client("cloudwatch", region_name="us-east-1", endpoint_url=abroad.url, **keys)
    data = [{"MetricName": f"metric-with-a-long-name-{n % 2}", "Value": 1.0, "Unit": "Count"} for n in range(400)]
    sent: list[Any] = []
    watch.meta.events.register("before-send.cloudwatch.PutMetricData", lambda request, **_: sent.append(request))
    start = world.clock.now()
    watch.put_metric_data(Namespace="many", MetricData=data)
    assert sent[0].headers["Content-Encoding"] in (b"gzip", "gzip")
    world.clock.sleep(600)
    got = watch.get_metric_statistics(
        Namespace="many", MetricName="metric-with-a-long-name-0", StartTime=start, EndTime=world.clock.now(), Period=60,
        Statistics=["SampleCount"],
    )  # fmt: skip
    assert got["Datapoints"][0]["SampleCount"] == 200


def test_a_body_that_is_not_compressed_as_it_says_is_refused(line: Connection) -> None:
    """In the protocol of the request."""
    headers = signed("codedeploy", X_Amz_Target="CodeDeploy_20141006.ListApplications", Content_Encoding="gzip")
    line.request("POST", "/", b"{}", headers)
    reply = line.getresponse()
    assert (reply.status, json.loads(reply.read())["__type"]) == (400, "SerializationException")


def test_a_client_that_waits_for_leave_gets_it_at_once(abroad: Abroad) -> None:
    """The answer 100 comes before the body is sent, not with the answer to it."""
    place = urlsplit(abroad.url)
    head = {**signed("s3", Expect="100-continue", Content_Length="3", Connection="close"), "Host": place.netloc}
    lines = [f"PUT /{BUCKET}/asked HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    with socket.create_connection((place.hostname, place.port), timeout=20) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        assert wire.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(b"abc")
        assert wire.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_connection_serves_one_request_after_the_other(line: Connection) -> None:
    """Also after a body in HTTP's own chunks, after its trailers, and after an error."""
    ask(line, "PUT", f"/{BUCKET}/one", iter([b"a", b"bc"]))
    opened = line.sock
    line.putrequest("PUT", f"/{BUCKET}/two")
    for name, value in signed("s3", Transfer_Encoding="chunked").items():
        line.putheader(name, value)
    line.endheaders(b"3;note=x\r\nabc\r\n0\r\nSome-Trailer: x\r\n\r\n")
    assert line.getresponse().read() == b""
    assert ask(line, "GET", f"/{BUCKET}/nothing")[0] == 404
    assert [ask(line, "GET", f"/{BUCKET}/{key}") for key in ("one", "two")] == [(200, b"abc")] * 2
    assert line.sock is opened


def test_a_length_that_is_no_number_is_refused_in_plain_words(line: Connection) -> None:
    """No page in HTML, and no connection that closes without a word."""
    line.request("PUT", f"/{BUCKET}/x", headers=signed("s3", Content_Length="many"))
    reply = line.getresponse()
    assert (reply.status, reply.getheader("Content-Type")) == (400, "text/plain")
    assert b"length of the body" in reply.read()


def test_many_connections_at_once_are_all_served(abroad: Abroad) -> None:
    """Sixteen clients, one owner of the world."""
    clients = [abroad.world().client("s3") for _ in range(16)]

    def put(number: int) -> None:
        for turn in range(4):
            clients[number].put_object(Bucket=BUCKET, Key=f"many/{number}/{turn}", Body=bytes(1000))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(16)))
    assert abroad.world().client("s3").list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"] == 64


@pytest.mark.parametrize("host", [f"{BUCKET}.localhost:1234", f"{BUCKET}.s3.us-east-1.amazonaws.com"])
def test_a_bucket_may_stand_in_the_host(line: Connection, host: str) -> None:
    """Virtual-hosted-style requests, with the whole path as the key."""
    assert ask(line, "PUT", "/a%20b/c", b"1", Host=host)[0] == 200
    assert ask(line, "GET", f"/{BUCKET}/a%20b/c") == (200, b"1")
    assert b"<Key>a b/c</Key>" in ask(line, "GET", "/?list-type=2&prefix=a", Host=host)[1]


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("127.0.0.1:80", ""),
        ("localhost", ""),
        ("s3.localhost", ""),
        ("s3.us-east-1.amazonaws.com", ""),
        ("a.dotted.name.s3.us-west-2.amazonaws.com", "/a.dotted.name"),
        ("orders.s3-us-west-2.amazonaws.com", "/orders"),
        ("Orders.s3.localhost:80", "/orders"),
    ],
)
def test_hosts_that_name_a_bucket_are_told_from_those_that_do_not(host: str, path: str) -> None:
    """S3 user guide, VirtualHosting."""
    assert bucket_in({"host": host}) == path


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_url_that_is_signed_needs_no_credentials(abroad: Abroad, version: str) -> None:
    """For uploads and downloads, signed by either version."""
    config = Config(signature_version=version, s3={"addressing_style": "path"})
    s3 = abroad.world().client("s3")
    signer = session().client("s3", endpoint_url=abroad.url, config=config)
    where = {"Bucket": BUCKET, "Key": f"signed/{version}"}
    put, get = (signer.generate_presigned_url(name, Params=where) for name in ("put_object", "get_object"))
    with urllib.request.urlopen(urllib.request.Request(put, b"content", method="PUT")) as reply:
        assert reply.status == 200
    with urllib.request.urlopen(get) as reply:
        assert reply.read() == b"content"
    assert s3.head_object(**where)["ContentLength"] == 7


def test_who_am_i_may_be_asked_by_a_signed_url(abroad: Abroad) -> None:
    """What Vault and EKS send: a GET of the query protocol without a body."""
    url = session().client("sts", endpoint_url=abroad.url).generate_presigned_url("get_caller_identity")
    with urllib.request.urlopen(url) as reply:
        assert b"<Arn>arn:aws:iam::123456789012:user/operator</Arn>" in reply.read()
