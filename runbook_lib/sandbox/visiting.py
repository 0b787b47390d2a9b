"""A GET over HTTP where a listener of a live world really listens: what an own probe is, there as on AWS."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

SECONDS = 5.0  # that an answer may take, of the wall
PORTS = {"http": 80, "https": 443}
Found = tuple[int | None, dict[str, str], float | None]  # status, headers and milliseconds; None: nobody answered
NOBODY: Found = (None, {}, None)


def listener_of(url: str) -> str:
    """The listener that an address means: name:port, in lower case."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or PORTS.get(parts.scheme, 80)}"


def get(entrance: str, url: str) -> Found:
    """Ask at an entrance for what an address means there; its time is the wall's, as all latencies of live traffic.

    An HTTPS listener is served without TLS, so the scheme of the address does not matter.
    """
    asked, door = urlsplit(url), urlsplit(entrance)
    path = (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
    connection = http.client.HTTPConnection(door.hostname or "", door.port, timeout=SECONDS)
    began = time.perf_counter()
    try:
        connection.request("GET", path, headers={"Host": asked.netloc})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return NOBODY
    finally:
        connection.close()
    return answer.status, dict(answer.headers), 1000 * (time.perf_counter() - began)
