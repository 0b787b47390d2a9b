"""Bytes that lie in a file: the same when they are read, in a fork and after they were saved, and out of memory."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import pytest
from moto.s3.models import s3_backends

from runbook_lib.sandbox import moto_state
from runbook_lib.sandbox.moto_objects import PromisedKey, lay_down
from runbook_lib.sandbox.settings import Settings
from runbook_lib.sandbox.shelf import Laid
from runbook_lib.sandbox.world import World

BUCKET, KEY = "artifacts", "orders/built/abc"


def test_bytes_come_back_as_they_were_laid_down() -> None:
    """Each from its own place, however many there are."""
    laid = [Laid(bytes([number]) * number) for number in range(200)]
    assert [one.read() for one in laid] == [bytes([number]) * number for number in range(200)]
    assert sys.getsizeof(laid[199]) < 100


def test_a_saved_one_has_its_bytes_with_it() -> None:
    """The file is not part of a save."""
    laid = Laid(b"content")
    assert pickle.loads(pickle.dumps(laid)) == laid
    assert b"content" in pickle.dumps(laid)


def test_a_forked_process_reads_on_and_writes_elsewhere() -> None:
    """Notebooks are run in forks: what one lays down is never read by the other."""
    before = Laid(b"before")
    child = os.fork()
    if not child:
        own = Laid(b"of the child")
        os._exit(0 if (before.read(), own.read()) == (b"before", b"of the child") else 1)
    own = Laid(b"of the parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (before.read(), own.read()) == (b"before", b"of the parent")


# ---- objects of S3

PUT: list[dict[str, Any]] = [
    {},
    {"Metadata": {"codebuild-content-md5": "abc"}, "ContentType": "application/zip"},
    {"ACL": "public-read"},
    {"Tagging": "kind=artifact"},
    {"StorageClass": "STANDARD_IA", "ServerSideEncryption": "aws:kms"},
]


def shown(s3: Any, key: str = KEY) -> dict[str, Any]:
    """All that a client can ask of an object."""
    asked = {"Bucket": BUCKET, "Key": key}
    got = s3.get_object(**asked)
    found = {
        "get": {**got, "Body": got["Body"].read()},
        "head": s3.head_object(**asked),
        "acl": s3.get_object_acl(**asked),
        "tags": s3.get_object_tagging(**asked),
        "attributes": s3.get_object_attributes(**asked, ObjectAttributes=["ETag", "ObjectSize", "StorageClass"]),
        "list": s3.list_objects_v2(Bucket=BUCKET)["Contents"],
    }
    for one in found.values():
        if isinstance(one, dict):
            one.pop("ResponseMetadata")
    return found


@pytest.mark.parametrize("put", PUT, ids=str)
def test_an_object_that_lies_in_a_file_answers_as_before(put: dict[str, Any]) -> None:
    """Content, head, metadata, tags, access list, class and listing; after a save as well."""
    world = World(Settings())
    s3 = world.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"content", **put)
    before = shown(s3)
    lay_down(world, BUCKET, KEY)
    assert shown(s3) == before
    loaded = moto_state.load(moto_state.dump(world))
    assert shown(loaded.client("s3")) == before


def test_an_object_that_lies_in_a_file_can_be_changed() -> None:
    """Tags, access list and a copy are its own; another object keeps what it had."""
    world = World(Settings())
    s3 = world.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in (KEY, "other"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
        lay_down(world, BUCKET, key)
    s3.put_object_tagging(Bucket=BUCKET, Key=KEY, Tagging={"TagSet": [{"Key": "kind", "Value": "artifact"}]})
    s3.put_object_acl(Bucket=BUCKET, Key=KEY, ACL="public-read")
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/{KEY}", TaggingDirective="COPY")
    assert len(s3.get_object_acl(Bucket=BUCKET, Key=KEY)["Grants"]) == 2
    assert len(s3.get_object_acl(Bucket=BUCKET, Key="other")["Grants"]) == 1
    assert [len(s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]) for key in (KEY, "other")] == [1, 0]
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == b"content"
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"newer")
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"newer"


def test_an_object_that_lies_in_a_file_holds_only_what_others_have_not() -> None:
    """A world of many releases has thousands of them."""
    world = World(Settings())
    s3 = world.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"content" * 1000)
    lay_down(world, BUCKET, KEY)
    backend: Any = s3_backends[world.settings.account][world.settings.partition]
    found = backend.buckets[BUCKET].keys.getlist(KEY)[-1]
    assert type(found) is PromisedKey
    assert {"acl", "lock", "_transitions", "_value_buffer", "encryption"} & set(vars(found)) == set()
    assert backend.tagger.tags == {}
