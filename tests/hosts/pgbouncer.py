"""PgBouncer in transaction mode, before a database of this machine."""

from __future__ import annotations

import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from psycopg.conninfo import conninfo_to_dict

from runtime.embedded.account import Account
from runtime.ports import free_port
from tests.support.processes import DEVNULL, accepts, started
from tests.support.waiting import until

BINARY = shutil.which("pgbouncer", path="/usr/local/bin:/usr/bin:/usr/sbin:/opt/homebrew/bin")

needs_pgbouncer = pytest.mark.skipif(BINARY is None, reason="PgBouncer is not installed")

SESSIONS = 2
"""That all connections share."""


@contextmanager
def pgbouncer(database_url: str, servers_dir: Path, *, ignored: str) -> Iterator[str]:
    """Its URL for the database, whose server it reaches as that server's own account; `ignored` are
    parameters that it accepts without passing them on."""
    database = conninfo_to_dict(database_url)
    port = free_port()
    configuration = servers_dir / f"pgbouncer-{port}.ini"
    configuration.write_text(
        f"""
        [databases]
        pooled = host={database["host"]} dbname={database["dbname"]} user=postgres
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = any
        pool_mode = transaction
        default_pool_size = {SESSIONS}
        ignore_startup_parameters = {ignored}
        """
    )
    account = Account(servers_dir / "postgres")
    account.own(configuration)
    command = [str(BINARY), "-q", configuration]
    with started(command, cwd="/", stderr=DEVNULL, **account.options()):
        until(lambda: accepts(port))
        yield f"postgresql://postgres@127.0.0.1:{port}/pooled"


@contextmanager
def refusing() -> Iterator[str]:
    """The URL of what answers as PgBouncer does, to one connection."""
    fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"

    def refuse(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client:
            client.recv(4096)
            client.sendall(b"E" + struct.pack("!I", 4 + len(fields)) + fields)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = Thread(target=refuse, args=[listening])
        refusing.start()
        port = listening.getsockname()[1]
        yield f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"
        refusing.join()
