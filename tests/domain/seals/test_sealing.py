"""Sealing continues where it ended, and two sealers never sign different histories."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from domain.history.store import connect
from domain.seals import sealing
from domain.seals.lag import seal_lag
from domain.seals.merkle import Frontier
from domain.seals.seal import newest_checkpoint, seals_from
from domain.seals.sealing import Overtaken, Sealer, SealsDamaged
from domain.seals.tree import part_root
from domain.seals.verifying import verify
from tests.support.installation import Installation
from tests.support.sealed_history import seal_all

pytestmark = pytest.mark.anyio


async def some_events(installation: Installation, count: int) -> None:
    event = await installation.event()
    await installation.register(event, *(f"visitor{n}@example.org" for n in range(count - 1)))


async def copied_events(connection: AsyncConnection[Any], times: int) -> None:
    """Many events at once, of which only the number matters."""
    await connection.execute(
        """
        INSERT INTO history_events (originator_id, originator_version, topic, state)
        SELECT gen_random_uuid(), 1, topic, state
        FROM history_events, generate_series(1, %s)
        """,
        [times],
    )


async def assert_sealed(installation: Installation, key: Ed25519PrivateKey, events: int) -> None:
    verdict = await verify(installation.connection, key.public_key())
    assert verdict.genuine
    assert verdict.events == verdict.checkpoint.tree_size == events
    assert verdict.unsealed.events == 0


async def test_a_history_without_events_has_no_seal(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    assert await seal_all(installation.connection, signing_key) == 0
    await assert_sealed(installation, signing_key, 0)


async def test_sealing_continues_where_it_ended(
    installation: Installation, signing_key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MAX_SEAL_SIZE", 7)
    for count in (1, 20, 7, 3):
        await some_events(installation, count)
        assert await seal_all(installation.connection, signing_key) == count
    await assert_sealed(installation, signing_key, 31)
    seals = await seals_from(installation.connection, signing_key.public_key(), 0, leaves=100)
    assert [seal.checkpoint.tree_size for seal in seals] == [1, 8, 15, 21, 28, 31]


async def test_every_part_of_the_stored_tree_has_the_root_of_its_leaves(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await some_events(installation, 3)
    await copied_events(installation.connection, 400)
    await seal_all(installation.connection, signing_key)
    key = signing_key.public_key()
    leaves = [
        leaf
        for seal in await seals_from(installation.connection, key, 0, leaves=2000)
        for _, leaf in seal.leaves
    ]
    assert len(leaves) == 1203
    for start, end in [(0, 1), (0, 256), (0, 1203), (512, 1024), (1024, 1203), (1200, 1203)]:
        tree = Frontier()
        tree.extend(leaves[start:end])
        assert await part_root(installation.connection, start, end) == tree.root


async def test_of_two_sealers_the_slower_one_fails_and_nothing_is_sealed_twice(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await some_events(installation, 5)
    slow = await Sealer.resume(installation.connection, signing_key)
    await seal_all(installation.connection, signing_key)
    with pytest.raises(Overtaken):
        await slow.seal()
    await some_events(installation, 5)
    with pytest.raises(Overtaken):
        await slow.seal()
    await seal_all(installation.connection, signing_key)
    await assert_sealed(installation, signing_key, 10)


async def test_a_sealer_that_fails_midway_leaves_nothing_incomplete(
    installation: Installation, signing_key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_events(installation, 5)

    async def die(connection: AsyncConnection[Any], nodes: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "insert_nodes", die)
        with pytest.raises(ConnectionError):
            await seal_all(installation.connection, signing_key)
    newest = await newest_checkpoint(installation.connection, signing_key.public_key())
    assert newest.tree_size == 0
    await seal_all(installation.connection, signing_key)
    await assert_sealed(installation, signing_key, 5)


async def test_no_event_is_skipped_while_others_append(
    installation: Installation, signing_key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MAX_SEAL_SIZE", 5)
    event = await installation.event()
    writing = True

    async def write(writer: int) -> None:
        async with await connect(installation.database_url) as connection:
            mine = msgspec.structs.replace(installation, connection=connection)
            for number in range(30):
                await mine.register(event, f"visitor{writer}-{number}@example.org")

    async def seal() -> None:
        async with await connect(installation.database_url) as connection:
            sealer = await Sealer.resume(connection, signing_key)
            while writing:
                await sealer.seal()

    sealing_beside = asyncio.create_task(seal())
    await asyncio.gather(*(write(writer) for writer in range(4)))
    writing = False
    await sealing_beside
    await seal_all(installation.connection, signing_key)
    await assert_sealed(installation, signing_key, 121)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE history_seals SET root_hash = sha256('')",
        "UPDATE history_seals SET signature = sha512('')",
        "UPDATE history_seals SET sealed_at = 'infinity'",
        "UPDATE history_seals SET leaf_hashes = substr(leaf_hashes, 33)",
        "UPDATE history_seals SET leaf_hashes = overlay(leaf_hashes PLACING sha256('') FROM 1)",
    ],
)
async def test_nothing_is_built_on_damaged_seals(
    damage: str, installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await some_events(installation, 5)
    await seal_all(installation.connection, signing_key)
    await installation.connection.execute(damage.encode())
    with pytest.raises(SealsDamaged):
        await Sealer.resume(installation.connection, signing_key)


async def test_the_lag_is_the_age_of_unsealed_events(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> None:
    assert (await seal_lag(installation.connection)).seconds == 0
    await some_events(installation, 3)
    lag = await seal_lag(installation.connection)
    assert lag.events == 3
    assert lag.seconds is not None
    assert lag.seconds > 0
    await seal_all(installation.connection, signing_key)
    lag = await seal_lag(installation.connection)
    assert (lag.events, lag.seconds) == (0, 0)
