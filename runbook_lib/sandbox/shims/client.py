"""What stands for a command on a child's PATH: it hands its arguments and streams to the zygote and ends as that says.

Started as a script, without the site packages and with the fewest modules, so that it costs no more than it must:
client.py ROOT COMMAND ARGUMENT...
"""

import _socket
import marshal
import os
import sys


def main() -> int:
    """Pass one command line on; the exit code is that of the process which ran it."""
    root, command, *arguments = sys.argv[1:]
    with open(root + "/.sandbox/zygote") as file:
        path = file.read()
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(path)
    streams = [0, 1, 2] + ([63] if _is_open(63) else [])
    order = marshal.dumps((root, command, arguments, os.getcwd(), dict(os.environ)))
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in streams)
    head = len(order).to_bytes(8, "big")
    connection.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    connection.sendall(order)
    answer = connection.recv(1)
    return answer[0] if answer else 70


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
