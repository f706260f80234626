"""Free ports for servers that will be started."""

import errno
import secrets
import socket
from contextlib import suppress
from itertools import chain

_CANDIDATES = range(15_000, 32_000)
"""Kernels do not assign these to sockets that ask for any port; otherwise another process could get
the port before the server binds it."""


def free_port() -> int:
    """A port without a listener. Raises OSError when there is none."""
    first = secrets.randbelow(len(_CANDIDATES))
    for port in chain(_CANDIDATES[first:], _CANDIDATES[:first]):
        with socket.socket() as attempt, suppress(OSError):
            attempt.bind(("", port))
            return port
    raise OSError(errno.EADDRINUSE, f"no port is free from {_CANDIDATES[0]} to {_CANDIDATES[-1]}")
