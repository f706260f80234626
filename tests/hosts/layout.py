"""An installation on several hosts: some serve the API, some do the rest, one has the broker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import redis
from psycopg import Connection

from runtime.embedded import valkey
from runtime.ports import free_port
from tests.hosts.network import Host, Network
from tests.support.notification_service import NotificationService, notification_service
from tests.support.waiting import until

FRONT, BACK = ("front-a", "front-b"), ("back-a", "back-b")

BROKER = "broker"

BEHIND = ("projector", "worker", "scheduler")

STARTED_WITHIN = 60.0
"""Seconds."""


LEADERS = """
    WITH held AS (
        SELECT a.application_name AS host, l.objsubid AS keys, l.classid, l.objid
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted
    )
    SELECT name, host FROM projections JOIN held ON keys = 2
       AND classid = hashtext('projections')::oid AND objid = hashtext(name)::oid
    UNION ALL
    SELECT name, host FROM unnest(ARRAY['scheduler', 'sealer']) AS name JOIN held ON keys = 1
       AND objid = hashtext(name)::oid
"""


class Layout:
    """Every process of it knows the others only by the addresses of its settings, and calls itself
    by its host's name in the database."""

    def __init__(
        self, network: Network, folder: Path, database_url: str, redis_url: str, sink_url: str
    ) -> None:
        self.network = network
        self.folder = folder
        self.database_url = database_url
        self.origins = {
            name: f"http://{host.address}:{free_port()}"
            for name, host in network.hosts.items()
            if name in FRONT
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "0123456789abcdef-0123456789abcdef-0123456789",
            "NOTIFICATION_SERVICE_URL": sink_url,
            "NOTIFICATION_TOKEN": "a-token",
            "WRITE_POLICY": "anyone",
            "RATE_LIMITS": "off",
        }

    def start(self, name: str) -> None:
        """Start the roles of this host, and return when they work."""
        host, begun = self.network[name], datetime.now(UTC)
        if name in FRONT:
            _, _, port = self.origins[name].rpartition(":")
            self._role(host, "api", "--host", host.address, "--port", port)
            until(lambda: self.is_alive(name), within=STARTED_WITHIN)
        else:
            for role in BEHIND:
                self._role(host, role)
            with self.connect() as connection:
                until(lambda: self.is_back(connection, name, begun), within=STARTED_WITHIN)

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.database_url, autocommit=True)

    def command(self, *words: str) -> None:
        """Run on the broker's host."""
        with (self.folder / "commands.txt").open("ab") as output:
            self.network[BROKER].run(
                [sys.executable, "-m", "events_face", *words],
                env=self._environment_of(BROKER),
                stdout=output,
            )

    def is_alive(self, name: str) -> bool:
        try:
            answer = httpx.get(f"{self.origins[name]}/health/live", timeout=1.0)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def is_back(self, connection: Connection[Any], name: str, since: datetime) -> bool:
        """Whether its projector and its worker have connected to PostgreSQL since then."""
        cursor = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = %s AND backend_start >= %s",
            [name, since],
        )
        (sessions,) = cursor.fetchone() or (0,)
        return bool(sessions >= 2)

    def leaders(self, connection: Connection[Any]) -> dict[str, str]:
        """The host that leads, by what it leads: each projection, `scheduler` and `sealer`."""
        cursor = connection.execute(LEADERS)
        return dict(cursor.fetchall())

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of all logs of that event."""
        lines = [
            msgspec.json.decode(line)
            for log in self.folder.glob("*.log")
            for line in log.read_bytes().splitlines()
            if line.startswith(b"{")
        ]
        return [line for line in lines if line["event"] == event]

    def _role(self, host: Host, role: str, *options: str) -> None:
        host.start(
            [sys.executable, "-m", "events_face", role, *options],
            self.folder / f"{host.name}-{role}.log",
            env=self._environment_of(host.name),
        )

    def _environment_of(self, name: str) -> dict[str, str]:
        own = {"PGAPPNAME": name, "DATA_DIR": str(self.folder / f"{name}.data")}
        return self._environment | own


@contextmanager
def layout(
    network: Network, folder: Path, database_url: str
) -> Iterator[tuple[Layout, NotificationService]]:
    """All of it at work, with a notification service outside."""
    with notification_service(network.here) as service:
        redis_url = _valkey(network[BROKER], folder)
        running = Layout(network, folder, database_url, redis_url, service.url)
        running.command("migrate")
        for name in (*BACK, *FRONT):
            if name in network.hosts:
                running.start(name)
        yield running, service


def _valkey(host: Host, folder: Path) -> str:
    port = free_port()
    options = {
        "port": port,
        "bind": host.address,
        "protected-mode": "no",
        "save": "",
        "dir": folder,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    host.start([valkey.binary(), *words], folder / "valkey.txt")
    with redis.Redis(host.address, port) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        until(answers, within=STARTED_WITHIN)
    return f"redis://{host.address}:{port}/0"
