"""Limits of a process's connections: of one client, and in total.

The server closes connections that do not send a whole head in time. Before that, many of them could
use up the file descriptors of the process. So idle connections without a request in progress are
closed earlier when their client, or the process, has too many. The server does not list its
connections; they are found among the file descriptors of the process.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from typing import NamedTuple

import structlog

MAX_CONNECTIONS = 8192
"""Of a process, if its limit of open files allows so many."""

OTHER_FILES = 256
"""File descriptors reserved for other uses than client connections."""

MAX_IDLE_OF_CLIENT = 512
"""Idle connections of one client to a process."""

IDLE_AFTER = 2.0
"""Seconds without a byte from the client, after which a connection counts as idle."""

HIGH_WATER = 0.9
"""Part of the capacity above which idle connections of any client are closed, down to
`LOW_WATER`."""

LOW_WATER = 0.75

CHECK_INTERVAL = 1.0
"""Seconds."""

DESCRIPTORS = "/dev/fd"
"""A folder with an entry for each file descriptor of the process that reads it."""

_FAMILY = socket.AF_INET6
"""Its addresses are the longest, so IPv4 peers can be read through it as well."""

_LAST_DATA_OFFSET = 52
"""Offset of the milliseconds since the last received byte in `struct tcp_info` (linux/tcp.h)."""

Peer = tuple[str, str]
"""Address and port, as the server gives them for a request."""

log = structlog.get_logger()


def capacity() -> int:
    """Connections that this process can have, after raising its limit of open files."""
    wanted = MAX_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # the kernel may allow less than the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(OTHER_FILES, min(MAX_CONNECTIONS, soft - OTHER_FILES))


class _Connection(NamedTuple):
    file: int
    peer: Peer
    idle_seconds: float

    def end(self) -> None:
        """Close it, unless the server has closed it already and its number is now another file."""
        with (
            suppress(OSError),
            socket.socket(_FAMILY, socket.SOCK_STREAM, fileno=os.dup(self.file)) as own,
        ):
            if _peer(own) == self.peer:
                own.shutdown(socket.SHUT_RDWR)


class ConnectionLimits:
    """The limits of the process that serves at `port`. `in_flight` has the peers with a request in
    progress. `client_of` gives the client that connections from an address are counted for, or
    None to leave them uncounted."""

    def __init__(
        self,
        port: int,
        most: int,
        in_flight: Container[object],
        client_of: Callable[[str], str | None],
    ) -> None:
        self._port = port
        self._most = most
        self._in_flight = in_flight
        self._client_of = client_of

    async def keep(self) -> None:
        """Check once every `CHECK_INTERVAL`, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            try:
                if len(_open_files()) > min(MAX_IDLE_OF_CLIENT, self._most * HIGH_WATER):
                    await asyncio.to_thread(self._relieve)
            except OSError as error:
                log.warning("connections cannot be checked", reason=error.strerror)

    def end_idle(self) -> None:
        """Close all connections without a request in progress."""
        for connection in self._idle():
            connection.end()

    def _relieve(self) -> None:
        idle = sorted(self._idle(), key=lambda connection: connection.idle_seconds)
        surplus = [
            connection
            for of_one in self._by_client(idle).values()
            for connection in of_one[MAX_IDLE_OF_CLIENT:]
            if connection.idle_seconds > IDLE_AFTER
        ]
        if not surplus and (open_files := len(_open_files())) > self._most * HIGH_WATER:
            surplus = idle[-round(open_files - self._most * LOW_WATER) :]
        for connection in surplus:
            connection.end()
        if surplus:
            log.warning("too many idle connections: some were closed", count=len(surplus))

    def _by_client(self, connections: list[_Connection]) -> dict[str, list[_Connection]]:
        found: dict[str, list[_Connection]] = defaultdict(list)
        for connection in connections:
            client = self._client_of(connection.peer[0])
            if client is not None:
                found[client].append(connection)
        return found

    def _idle(self) -> Iterator[_Connection]:
        for name in _open_files():
            with suppress(OSError):  # closed in the meantime, or not a socket
                connection = self._client_at(int(name))
                if connection and connection.peer not in self._in_flight:
                    yield connection

    def _client_at(self, file: int) -> _Connection | None:
        """None for another socket. Raises OSError for another kind of file."""
        seen = socket.socket(_FAMILY, socket.SOCK_STREAM, fileno=file)
        try:
            place = seen.getsockname()
            if not isinstance(place, tuple) or place[1] != self._port:
                return None
            return _Connection(file, _peer(seen), _idle_seconds(seen))
        finally:
            seen.detach()


def _peer(connection: socket.socket) -> Peer:
    address, port = connection.getpeername()[:2]
    return address.partition("%")[0], str(port)


def _idle_seconds(connection: socket.socket) -> float:
    """0 on kernels that do not report it."""
    if not hasattr(socket, "TCP_INFO"):
        return 0.0
    known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_OFFSET + 4)
    (milliseconds,) = struct.unpack_from("I", known, _LAST_DATA_OFFSET)
    return float(milliseconds) / 1000


def _open_files() -> list[str]:
    return os.listdir(DESCRIPTORS)  # noqa: PTH208  names are enough
