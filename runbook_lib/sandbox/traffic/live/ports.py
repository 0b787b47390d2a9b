"""Ports of loopback for what listens in a live world.

They lie below the range from which systems take the ports of outgoing connections, so that none of those is in the way.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing

FIRST, COUNT = 20_000, 12_000
LOOPBACK = "127.0.0.1"
CLOSED = 1  # tcpmux: nobody listens there


class Ports:
    """Gives free ports, each once."""

    def __init__(self) -> None:
        self._next = os.getpid() * 61 % COUNT  # two worlds on one machine begin at different places

    def take(self) -> int:
        """A port that nobody listens on now."""
        for _ in range(COUNT):
            self._next = (self._next + 1) % COUNT
            if is_free(FIRST + self._next):
                return FIRST + self._next
        raise OSError(f"seen: no free port on {LOOPBACK} from {FIRST} to {FIRST + COUNT - 1}; wanted: one")


def is_free(port: int) -> bool:
    """Whether a port of loopback can be listened on now."""
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with closing(socket.socket()) as one:
        one.settimeout(1.0)
        return one.connect_ex((LOOPBACK, port)) == 0
