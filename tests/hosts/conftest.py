"""Servers that are not like those of a usual test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from events_face.commands.migrate import migrate
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.hosts.network import Host
from tests.hosts.pgbouncer import pgbouncer
from tests.hosts.postgresql import Pair, PostgreSQL


@pytest.fixture
def pair(folder: Path, settings: Settings) -> Iterator[Pair]:
    host = Host("here", "127.0.0.1")
    try:
        primary = PostgreSQL(host, folder / "primary")
        primary.create()
        migrate(settings, Services(database_url=primary.url, redis_url=None))
        yield Pair(primary, primary.replica(host, folder / "replica"))
    finally:
        host.kill()


@pytest.fixture(params=["refused", "ignored"])
def pooled_url(
    request: pytest.FixtureRequest, database_url: str, servers_dir: Path
) -> Iterator[str]:
    """Of a PgBouncer that refuses our options, or that ignores them."""
    ignored = "options" if request.param == "ignored" else "extra_float_digits"
    with pgbouncer(database_url, servers_dir, ignored=ignored) as url:
        yield url
