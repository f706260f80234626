"""PostgreSQL servers on TCP ports, of the embedded binaries: a primary and its replicas."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import Connection

from runtime.embedded import cluster
from runtime.embedded.account import Account
from runtime.embedded.cluster import DATABASE
from runtime.ports import free_port
from tests.hosts.network import Host
from tests.support.processes import Process
from tests.support.waiting import until

PASSWORD = "only-for-tests"

UP_WITHIN = 60.0
"""Seconds."""


class PostgreSQL:
    """A server whose files are in `folder`, which a test run by root gives to another account."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.port = free_port()
        self.folder = folder
        self._account = Account(folder)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres:{PASSWORD}@{self.host.address}:{self.port}/{database}"

    def create(self) -> None:
        """With an empty database."""
        password = self.folder.with_suffix(".password")
        password.write_text(PASSWORD)
        self._make_folder()
        self._account.own(password)
        self._run(
            *("initdb", f"--pgdata={self.folder}", f"--pwfile={password}", "--no-sync"),
            *("--auth=scram-sha-256", "--username=postgres", "--locale=C", "--encoding=UTF8"),
        )
        with (self.folder / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
            rules.write("host replication all 0.0.0.0/0 scram-sha-256\n")
        self.start()
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def start(self) -> None:
        here = (
            f"listen_addresses={self.host.address}",
            "unix_socket_directories=",
            f"port={self.port}",
        )
        options = [word for setting in here for word in ("-c", setting)]
        self._process = self.host.start(
            [cluster.binary("postgres"), "-D", self.folder, *options],
            self.folder.with_suffix(".log"),
            **self._account.options(),
        )
        until(self._answers, within=UP_WITHIN)

    def start_again(self) -> bool:
        """Whether it had ended; returns when it answers."""
        assert self._process is not None
        ended = not self._answers() and self._process.poll() is not None
        if ended:
            self.start()
        until(self._answers, within=UP_WITHIN)
        return ended

    def replica(self, host: Host, folder: Path) -> PostgreSQL:
        """One that follows this server."""
        replica = PostgreSQL(host, folder)
        replica._make_folder()
        replica._run(
            *("pg_basebackup", f"--pgdata={folder}", f"--dbname={self.url_of('postgres')}"),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )
        replica.start()
        return replica

    def promote(self) -> None:
        """Make a replica a primary."""
        with self.connect() as connection:
            connection.execute("SELECT pg_promote()")

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(UP_WITHIN)

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def _make_folder(self) -> None:
        self._account.allow_passage(cluster.binary("postgres"))
        self.folder.mkdir(mode=0o700)
        self._account.own(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        self.host.run(
            [cluster.binary(program), *arguments],
            **self._account.options(),
        )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False


class Pair(msgspec.Struct, frozen=True):
    primary: PostgreSQL
    replica: PostgreSQL

    @property
    def either(self) -> str:
        """The replica's URL, and the primary's for when that is away."""
        places = ",".join(f"{one.host.address}:{one.port}" for one in (self.replica, self.primary))
        user = f"postgres:{PASSWORD}"
        return f"postgresql://{user}@{places}/events_face?target_session_attrs=prefer-standby"
