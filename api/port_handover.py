"""Listens at a port that several processes share, and leaves it without refusing a client.

The server would close its listener and, at the same moment, the connections whose first request it
has not read yet. So the process leaves the port first: it still answers the clients that are
connected, and the kernel gives new clients to the other processes. Closing a listener resets the
connections that wait in its queue; so before that, the process drops new handshakes (clients repeat
them) and waits until the queue is empty.
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

IS_SHARED = sys.platform == "linux"
"""Other kernels do not distribute the connections of a port."""

QUEUE_CHECK_INTERVAL = 0.002
"""Seconds; longer than a handshake takes."""

ACCEPT_TIMEOUT = 1.0
"""Seconds in which the server accepts the connections in its queue."""

_SO_ATTACH_FILTER = 26

_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags of the TCP header
        (0x45, 0, 1, 0x02),  # is SYN among them?
        (0x06, 0, 0, 0),  # then drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep all of it
    )
)
"""A classic BPF program. The client repeats a dropped SYN after a second; another process accepts
it then."""

_QUEUED = 24
"""Offset of the length of the accept queue in `struct tcp_info` of a listening socket
(linux/tcp.h)."""


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
    """Stop listening at the port, while the server goes on with its open connections.

    The server keeps its file descriptor, which then refers to a socket that no client can reach.
    """
    if not IS_SHARED:
        return
    with socket.socket(socket.AF_UNIX) as unreachable:
        unreachable.setblocking(False)
        unreachable.bind("")  # a name that the kernel chooses
        unreachable.listen(1)
        for found in psutil.Process().net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port:
                with (
                    socket.socket(fileno=os.dup(found.fd)) as listener,
                    suppress(OSError),  # a kernel without socket filters
                ):
                    _drop_handshakes(listener)
                    await _all_accepted(listener)
                os.dup2(unreachable.fileno(), found.fd, inheritable=False)


def _drop_handshakes(listener: socket.socket) -> None:
    program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    length = len(_DROP_SYN) // struct.calcsize("HBBI")
    described = struct.pack("HP", length, ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


async def _all_accepted(listener: socket.socket) -> None:
    """Return when the queue is empty, or after `ACCEPT_TIMEOUT`."""
    for _ in range(round(ACCEPT_TIMEOUT / QUEUE_CHECK_INTERVAL)):
        await asyncio.sleep(QUEUE_CHECK_INTERVAL)
        if not _queued(listener):
            return


def _queued(listener: socket.socket) -> int:
    known = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUED + 4)
    (queued,) = struct.unpack_from("I", known, _QUEUED)
    return int(queued)
