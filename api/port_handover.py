"""Listening at a port that other processes serve too, and leaving it without turning anybody away.

The server would stop listening and hang up on those whose first request it has not read yet in one
go. So the port is left first: whoever is connected by then is answered, and who comes later
is given to the others by the kernel. It would reset those who wait to be accepted when their
listener closes; so before, nobody new is let in, and those who are in are waited for.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import struct
import sys
from contextlib import suppress

import psutil

SHARED = sys.platform == "linux"
"""Elsewhere the kernel does not share out the connections of a port."""

HANDSHAKE = 0.002
"""Seconds that a connection which has been begun needs to be there."""

PATIENCE = 1.0
"""Seconds that the server has for accepting those who wait."""

_SO_ATTACH_FILTER = 26

_NO_NEWCOMERS = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags of the TCP header
        (0x45, 0, 1, 0x02),  # is SYN among them?
        (0x06, 0, 0, 0),  # then drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep all of it
    )
)
"""A classic BPF program. Who is dropped knocks again after a second; the others open by then."""

_QUEUED = 24
"""Where `struct tcp_info` of a listening socket has how many wait to be accepted (linux/tcp.h)."""


def listen(address: str, port: int, backlog: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((address, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


async def leave(port: int) -> None:
    """Listen there no more, while the server goes on with the connections that it has.

    It keeps its descriptor, and finds a socket there that nobody ever connects to.
    """
    if not SHARED:
        return
    with socket.socket(socket.AF_UNIX) as nobodys:
        nobodys.setblocking(False)
        nobodys.bind("")  # a name that the kernel chooses
        nobodys.listen(1)
        for found in psutil.Process().net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port:
                with (
                    socket.socket(fileno=os.dup(found.fd)) as listener,
                    suppress(OSError),  # of a kernel that knows no filters
                ):
                    _let_nobody_in(listener)
                    await _all_accepted(listener)
                os.dup2(nobodys.fileno(), found.fd, inheritable=False)


def _let_nobody_in(listener: socket.socket) -> None:
    program = ctypes.create_string_buffer(_NO_NEWCOMERS, len(_NO_NEWCOMERS))
    length = len(_NO_NEWCOMERS) // struct.calcsize("HBBI")
    described = struct.pack("HP", length, ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


async def _all_accepted(listener: socket.socket) -> None:
    """Or not, after `PATIENCE`."""
    for _ in range(round(PATIENCE / HANDSHAKE)):
        await asyncio.sleep(HANDSHAKE)
        if not _queued(listener):
            return


def _queued(listener: socket.socket) -> int:
    known = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUED + 4)
    (queued,) = struct.unpack_from("I", known, _QUEUED)
    return int(queued)
