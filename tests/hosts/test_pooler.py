"""A pooler in transaction mode: queries get along with it, all else refuses it at the start."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from domain.privacy.keys import InstallationKeys
from events_face.commands.migrate import create_tables
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from tests.api.serving import api_on, projector_on
from tests.hosts.pgbouncer import needs_pgbouncer, pgbouncer

LIST = "/api/events/list"


@pytest.fixture(params=["refused", "ignored"])
def pooled_url(
    request: pytest.FixtureRequest, database_url: str, servers_dir: Path
) -> Iterator[str]:
    """Of a PgBouncer that refuses our options, or that ignores them."""
    ignored = "options" if request.param == "ignored" else "extra_float_digits"
    with pgbouncer(database_url, servers_dir, ignored=ignored) as url:
        yield url


@needs_pgbouncer
@pytest.mark.anyio
async def test_queries_go_through_a_pooler(
    settings: Settings, services: Services, keys: InstallationKeys, pooled_url: str
) -> None:
    pooled = msgspec.structs.replace(settings, read_database_url=pooled_url)
    async with api_on(pooled, services, keys) as api, projector_on(services, keys):
        for number in range(5):
            created = await api.created_event(name=f"Event {number}")
            answers = await asyncio.gather(
                *(api.get(LIST, after=created, name=f"event {n}") for n in range(20))
            )
            assert {answer.status_code for answer in answers} == {200}
            found = sum(answer.json()["pagination"]["total"] for answer in answers)
            assert found == number + 1


@needs_pgbouncer
def test_what_needs_sessions_refuses_a_pooler(settings: Settings, pooled_url: str) -> None:
    with pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        installation_keys(settings, pooled_url)
    with pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        create_tables(settings, Services(database_url=pooled_url, redis_url=None))


def test_a_refusal_of_our_options_is_told_as_what_it_means(
    settings: Settings, refusing_url: str
) -> None:
    with pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        installation_keys(settings, refusing_url)


@pytest.fixture
def refusing_url() -> Iterator[str]:
    """Of what answers as PgBouncer does, to one connection."""
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
