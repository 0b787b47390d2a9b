"""Access logs that lie in S3, as Elastic Load Balancing writes them.

Only the folders of the window's days are listed, and of a short window only the hours of its load balancer.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.accesslog.files import LogFile, NoAccessLog, Opener, days, ends, named, needed
from runbook_lib.accesslog.window import Window
from runbook_lib.account import Account, client_elsewhere

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ATTEMPTS, CHUNK = 3, 1 << 18
SHORT = timedelta(hours=12)  # up to here every hour is listed by itself
NOT_ALLOWED = ("AccessDenied", "403", "AllAccessDisabled")
ELSEWHERE = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")


@dataclass(frozen=True)
class BucketLogs:
    """The log of a load balancer (app/name/id; None: of all) in a bucket, under a prefix, of an account and region."""

    account: Account
    bucket: str
    prefix: str = ""
    balancer: str | None = None
    owner: str | None = None  # the account of the load balancer, where it is another one than that which reads
    region: str | None = None  # of the load balancer, likewise

    @property
    def root(self) -> str:
        """The folder that holds the days."""
        start = f"{self.prefix.strip('/')}/AWSLogs".lstrip("/")
        return f"{start}/{self._owner}/elasticloadbalancing/{self._region}"

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.root}"

    @property
    def _owner(self) -> str:
        return self.owner or self.account.id

    @property
    def _region(self) -> str:
        return self.region or self.account.region

    def files(self, window: Window) -> tuple[LogFile, ...]:
        """The files that the window needs; raises NoAccessLog with the reason where there are none."""
        now = self.account.clock.now()
        if window.start >= now:
            raise self._none(f"{window}, and now is {now:%Y-%m-%dT%H:%M}Z", "a window that has begun", "correct it")
        found = [file for prefix in self._prefixes(window) for file in self.listed(prefix)]
        kept = needed(found, window, self.balancer)
        if not kept:
            raise self._missing(window, now)
        return kept

    def of_days(self, window: Window) -> tuple[LogFile, ...]:
        """Every object in the folders of the window's days, of any load balancer: what a query of them reads."""
        return tuple(file for day in days(window) for file in self.listed(f"{self.root}/{day}/"))

    def opener(self) -> Opener:
        return _ClientOpener(self.account.client("s3"), self.bucket)

    def remote(self) -> Opener:
        """Other processes make clients of their own, with the credentials and the endpoint of their environment."""
        return _OwnOpener(self.bucket, self.account.region)

    def listed(self, prefix: str) -> Iterator[LogFile]:
        """The objects whose keys begin so."""
        pages = self.account.client("s3").get_paginator("list_objects_v2")
        for page in self._asked(partial(_all, pages, Bucket=self.bucket, Prefix=prefix)):
            for one in page.get("Contents", ()):
                if one["Key"].endswith((".log", ".log.gz")):
                    yield named(one["Key"], one["Size"], one["ETag"].strip('"'))

    def _prefixes(self, window: Window) -> Iterator[str]:
        first, last = ends(window)
        if self.balancer is None or last - first > SHORT:
            yield from (f"{self.root}/{day}/" for day in days(window))
            return
        hour, start = first.replace(minute=0), f"{self._owner}_elasticloadbalancing_{self._region}"
        while hour <= last:
            yield f"{self.root}/{hour:%Y/%m/%d}/{start}_{self.balancer.replace('/', '.')}_{hour:%Y%m%dT%H}"
            hour += timedelta(hours=1)

    def _asked(self, ask: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            return ask()
        except ClientError as error:
            told = self._refused(error.response)
            if told is None:
                raise
            raise told from error

    def _refused(self, response: Any) -> NoAccessLog | None:
        """What an answer of S3 means here; None when it is none of what can be expected."""
        code, bucket = response["Error"]["Code"], f"s3://{self.bucket}"
        if code in ("NoSuchBucket", "404"):
            return self._none(f"no bucket {self.bucket}", "the bucket of the log", "correct its name")
        if code in NOT_ALLOWED:
            wanted = (
                f"s3:ListBucket on {self.bucket} and s3:GetObject on {self.bucket}/{self.root}/* for {self.account.who}"
            )
            return self._none(f"{code} from {bucket}", wanted, "let it read the log, or copy the files here")
        if code in ELSEWHERE:
            place = (
                response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region")
            )
            wanted = f"a bucket in {self.account.region}"
            return self._none(f"{bucket} lies in {place}", wanted, "open the account with the region of the log")
        return None

    def _missing(self, window: Window, now: datetime) -> NoAccessLog:
        """Why there is no file of the window, from what else lies there."""
        young = now - window.start < timedelta(minutes=15)
        if young:
            wanted = "files, which come some minutes after their five"
            return self._none(f"no file of {window} yet, at {now:%Y-%m-%dT%H:%M}Z", wanted, "wait and run again")
        of = f" of {self.balancer}" if self.balancer else ""
        seen = f"no file{of} of {window} under {self.place}; {self._what_is_there()}"
        return self._none(seen, "files of that time", "correct window, load balancer, prefix, account or region")

    def _what_is_there(self) -> str:
        s3 = self.account.client("s3")
        above = self.root.rpartition("/")[0] + "/"
        answer = s3.list_objects_v2(Bucket=self.bucket, Prefix=above, Delimiter="/")
        regions = [one["Prefix"].removeprefix(above).strip("/") for one in answer.get("CommonPrefixes", ())]
        if self._region not in regions:
            return f"there are logs of the regions {', '.join(regions)}" if regions else "there is no log at all"
        first = next(iter(self.listed(f"{self.root}/")), None)
        return f"the first one there is {first.name.rpartition('/')[2]}" if first else "there is no log at all"

    def _none(self, seen: str, wanted: str, next_step: str) -> NoAccessLog:
        return NoAccessLog(where="the access log", seen=seen, wanted=wanted, next_step=next_step)


def logs_of(account: Account, balancer: str) -> BucketLogs:
    """The log that a load balancer (ARN) writes; raises NoAccessLog when it writes none, or lives in another region."""
    region, owner, name = balancer.split(":")[3], balancer.split(":")[4], balancer.partition("loadbalancer/")[2]
    if region != account.region:
        raise NoAccessLog(
            where="the access log",
            seen=f"{name} in {region}",
            wanted=f"a load balancer in {account.region}, where the account was opened",
            next_step=f"open the account with region {region}",
        )
    answer = account.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=balancer)
    told = {one["Key"]: one["Value"] for one in answer["Attributes"]}
    if told.get("access_logs.s3.enabled") != "true":
        raise NoAccessLog(
            where="the access log",
            seen=f"{name} writes no access log",
            wanted="access_logs.s3.enabled true, before the incident",
            next_step="turn it on (10_provision does) for the next time; metrics and probes are what is left now",
        )
    bucket, prefix = told["access_logs.s3.bucket"], told.get("access_logs.s3.prefix", "")
    return BucketLogs(account, bucket, prefix, name, owner, region)


@dataclass(frozen=True)
class _ClientOpener:
    """Opens with a client that is there."""

    client: Any
    bucket: str

    def fetch(self, file: LogFile, folder: Path) -> Path:
        from botocore.exceptions import ClientError, HTTPClientError

        path = folder / file.name.rpartition("/")[2]
        for attempt in range(ATTEMPTS):
            try:
                body = self.client.get_object(Bucket=self.bucket, Key=file.name)["Body"]
                with path.open("wb") as out:
                    shutil.copyfileobj(body, out, CHUNK)
            except ClientError as error:
                raise self._refused(error, file) from error
            except HTTPClientError:  # the connection broke in the middle: botocore repeats only what it had not begun
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                break
        return path

    def _refused(self, error: ClientError, file: LogFile) -> Exception:
        code = error.response["Error"]["Code"]
        if code not in (*NOT_ALLOWED, "404", "NoSuchKey"):
            return error
        return NoAccessLog(
            where="the access log",
            seen=f"{code} for s3://{self.bucket}/{file.name}",
            wanted="s3:GetObject on it (and kms:Decrypt where the bucket has a key of its own), and that it stays",
            next_step="let it be read, or narrow the window",
        )


@dataclass(frozen=True)
class _OwnOpener:
    """Makes its client where it opens."""

    bucket: str
    region: str

    def fetch(self, file: LogFile, folder: Path) -> Path:
        return _ClientOpener(client_elsewhere("s3", region=self.region), self.bucket).fetch(file, folder)


def _all(paginator: Any, **asked: Any) -> list[Any]:
    return list(paginator.paginate(**asked))
