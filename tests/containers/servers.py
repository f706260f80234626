"""PostgreSQL and Redis as compose.yaml starts them, from this machine's packages, or else from the
embedded binaries."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from runtime.embedded import cluster, valkey
from runtime.embedded.account import Account
from runtime.ports import free_port
from runtime.variables import composed_postgresql_url
from tests.support.processes import DEVNULL, run, started
from tests.support.waiting import until

DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgresql(service: Mapping[str, Any], folder: Path) -> Iterator[int]:
    """The port of a new server, with the user and the database that the image would make."""
    environment, data, port = service["environment"], folder / "postgresql", free_port()
    binaries = _postgresql_binaries()
    account = Account(data)
    account.allow_passage(binaries / "postgres")
    data.mkdir(mode=0o700)
    password = data.with_name("password")
    password.write_text(environment["POSTGRES_PASSWORD"])
    for path in (data, password):
        account.own(path)
    run(
        [
            *(binaries / "initdb", f"--pgdata={data}", "--auth=scram-sha-256", "--no-sync"),
            *(f"--username={environment['POSTGRES_USER']}", f"--pwfile={password}"),
            *environment["POSTGRES_INITDB_ARGS"].split(),
        ],
        check=True,
        cwd="/",
        **account.options(),
    )
    _, *options = service["command"]
    here = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-c", "unix_socket_directories="]
    command = [str(binaries / "postgres"), *options, *here]
    with started(command, ended_by=signal.SIGINT, cwd="/", **account.options()):
        _create_database(environment, port)
        yield port


@contextmanager
def broker(service: Mapping[str, Any], folder: Path) -> Iterator[int]:
    """The port of a new server."""
    binary = shutil.which("valkey-server") or shutil.which("redis-server") or valkey.binary()
    port, data = free_port(), folder / "broker"
    data.mkdir()
    _, *options = service["command"]
    here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)]
    with started([binary, *options, *here], stdout=DEVNULL):
        with redis.Redis(port=port) as client:
            until(lambda: _answers(client))
        yield port


def _postgresql_binaries() -> Path:
    installed = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return (installed[0] if installed else cluster.binary("postgres")).parent


def _create_database(environment: Mapping[str, str], port: int) -> None:
    url = composed_postgresql_url(
        environment["POSTGRES_USER"],
        environment["POSTGRES_PASSWORD"],
        *("127.0.0.1", port, "postgres"),
    )

    def created() -> bool:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                name = sql.Identifier(environment["POSTGRES_DB"])
                connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.OperationalError:
            return False
        return True

    until(created)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
