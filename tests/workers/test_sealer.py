"""The sealer in the scheduler's process: one is active, another takes over, appends never wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.seals.lag import seal_lag
from domain.seals.verifying import verify
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.waiting import until, until_async
from workers.upkeep import sealer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("frequent_seals")]


@contextmanager
def running_sealer(database_url: str, key: Ed25519PrivateKey) -> Iterator[threading.Event]:
    stopping = threading.Event()
    thread = threading.Thread(target=sealer.run, args=[database_url, key, stopping])
    thread.start()
    try:
        yield stopping
    finally:
        stopping.set()
        thread.join()


async def all_is_sealed(installation: Installation) -> bool:
    return (await seal_lag(installation.connection)).events == 0


async def sealed_events(installation: Installation, key: Ed25519PrivateKey) -> int:
    verdict = await verify(installation.connection, key.public_key())
    assert verdict.genuine
    return verdict.checkpoint.tree_size


def active_sealers(database_url: str) -> list[int]:
    """The backends that hold the sealer's lock."""
    with psycopg.connect(database_url) as connection:
        cursor = connection.execute(
            """
            SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
              AND l.objid = (hashtext('sealer')::bigint & 4294967295)::oid
            """
        )
        return [pid for (pid,) in cursor.fetchall()]


async def test_events_are_sealed_soon(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    with running_sealer(installation.database_url, signing_key):
        for count in (1, 2, 3):
            await installation.event()
            await until_async(lambda: all_is_sealed(installation))
            assert await sealed_events(installation, signing_key) == count


async def test_one_seals_and_another_takes_over(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    url = installation.database_url
    with running_sealer(url, signing_key) as first:
        until(lambda: active_sealers(url))
        active = active_sealers(url)
        with running_sealer(url, signing_key):
            await installation.event()
            await until_async(lambda: all_is_sealed(installation))
            assert active_sealers(url) == active
            first.set()
            until(lambda: active_sealers(url) not in ([], active))
            await installation.event()
            await until_async(lambda: all_is_sealed(installation))
    assert await sealed_events(installation, signing_key) == 2


async def test_a_lost_connection_is_opened_again(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    url = installation.database_url
    with running_sealer(url, signing_key):
        for _ in range(3):
            until(lambda: active_sealers(url))
            for pid in active_sealers(url):
                await installation.connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            await installation.event()
            await until_async(lambda: all_is_sealed(installation))
    assert await sealed_events(installation, signing_key) == 3


async def test_a_scheduler_seals_also_after_one_that_was_killed(
    installation: Installation,
    signing_key: Ed25519PrivateKey,
    settings: Settings,
    services: Services,
) -> None:
    surroundings = environment(settings, services)
    with role(surroundings, "scheduler") as first, role(surroundings, "scheduler"):
        await installation.event()
        await until_async(lambda: all_is_sealed(installation))
        first.kill()
        await installation.event()
        await until_async(lambda: all_is_sealed(installation))
    assert await sealed_events(installation, signing_key) == 2
