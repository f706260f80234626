"""Ports for servers that are yet to start."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

_LOWEST, _HIGHEST = 15_000, 32_000
"""Kernels give none of these to a socket that asks for any port. Where they would, another test
could be given a port between its being found here and its being used."""


def free_port() -> int:
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        with socket.socket() as attempt, suppress(OSError):
            attempt.bind(("", port))
            return port
