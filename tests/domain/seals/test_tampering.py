"""Verifying finds any change of a sealed history, and its first position."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from domain.seals.checkpoints import Checkpoint
from domain.seals.seal import newest_checkpoint, seals_from
from domain.seals.verifying import Verdict, verify
from tests.domain.seals.tamperings import WITH_HISTORY, WITH_SEALS
from tests.support.installation import Installation
from tests.support.sealed_history import LAST, seal_all

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_portions")]


async def tamper(connection: AsyncConnection[Any], *statements: str) -> None:
    for statement in statements:
        cursor = await connection.execute(statement.encode())
        assert cursor.rowcount > 0


async def verdict(
    installation: Installation, key: Ed25519PrivateKey, *pinned: Checkpoint
) -> Verdict:
    found = await verify(installation.connection, key.public_key(), pinned)
    assert found.genuine == (found.first is None)
    return found


async def pinned_checkpoint(installation: Installation, key: Ed25519PrivateKey) -> Checkpoint:
    return await newest_checkpoint(installation.connection, key.public_key())


async def test_an_untouched_history_is_as_it_was_sealed(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    untouched = await verdict(sealed_history, signing_key)
    assert untouched.genuine
    assert untouched.events == untouched.checkpoint.tree_size == LAST - 1
    assert untouched.checkpoint.last_position == LAST
    assert untouched.unsealed.events == 0


@pytest.mark.parametrize("what", [*WITH_HISTORY, *WITH_SEALS])
async def test_tampering_is_found_at_its_first_position(
    what: str, sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    tampering = (WITH_HISTORY | WITH_SEALS)[what]
    await tamper(sealed_history.connection, *tampering.statements)
    first = (await verdict(sealed_history, signing_key)).first
    assert first is not None
    assert (first.position, first.kind) == (tampering.position, tampering.kind)


async def test_all_changed_events_are_counted(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await tamper(
        sealed_history.connection,
        "DELETE FROM history_events WHERE notification_id IN (3, 4, 27)",
        "UPDATE history_events SET state = '' WHERE notification_id IN (5, 30)",
        "UPDATE history_events SET notification_id = 8 WHERE notification_id = 9",
    )
    found = await verdict(sealed_history, signing_key)
    assert found.counts == {"removed": 4, "changed": 2, "inserted": 1}
    assert found.first is not None
    assert found.first.position == 3
    assert found.events == LAST - 1 - 6


CHANGE = "UPDATE history_events SET state = '' WHERE notification_id = 25"


async def rewrite(installation: Installation, key: Ed25519PrivateKey) -> None:
    """Change history as an attacker with the signing key could, and seal all of it again."""
    await tamper(installation.connection, CHANGE, "DELETE FROM history_seals")
    await installation.connection.execute("TRUNCATE history_seal_nodes")
    await seal_all(installation.connection, key)
    assert (await verdict(installation, key)).genuine


async def test_history_rewritten_with_its_seals_is_found_by_a_pinned_checkpoint(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    pinned = await pinned_checkpoint(sealed_history, signing_key)
    assert (await verdict(sealed_history, signing_key, pinned)).genuine
    await rewrite(sealed_history, signing_key)
    first = (await verdict(sealed_history, signing_key, pinned)).first
    assert first is not None
    assert (first.position, first.kind) == (1, "checkpoint")
    assert "up to position 31 are not those pinned" in first.what


async def test_the_last_valid_of_several_pinned_checkpoints_limits_where_tampering_began(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    seals = await seals_from(sealed_history.connection, signing_key.public_key(), 0, leaves=100)
    pinned = [seal.checkpoint for seal in seals]
    assert [checkpoint.last_position for checkpoint in pinned] == [10, 19, 28, 31]
    await rewrite(sealed_history, signing_key)
    found = await verdict(sealed_history, signing_key, *reversed(pinned))
    assert found.first is not None
    assert found.first.position == 20
    assert found.counts == {"checkpoint": 2}


async def test_history_cut_off_together_with_its_seals_is_found_by_a_pinned_checkpoint(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    pinned = await pinned_checkpoint(sealed_history, signing_key)
    await tamper(
        sealed_history.connection,
        "DELETE FROM history_events WHERE notification_id > 19",
        "DELETE FROM history_seals WHERE start >= 18",
    )
    assert (await verdict(sealed_history, signing_key)).genuine
    first = (await verdict(sealed_history, signing_key, pinned)).first
    assert first is not None
    assert (first.position, first.kind) == (20, "checkpoint")
    assert first.what == "history has 18 events, and 30 were pinned"


async def test_a_pinned_checkpoint_is_valid_without_the_seals(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    pinned = await pinned_checkpoint(sealed_history, signing_key)
    await tamper(sealed_history.connection, "DELETE FROM history_seals")
    without = await verdict(sealed_history, signing_key, pinned)
    assert without.genuine
    assert without.checkpoint.tree_size == 0
    assert without.unsealed.events == LAST - 1
    await tamper(sealed_history.connection, CHANGE)
    assert not (await verdict(sealed_history, signing_key, pinned)).genuine


async def test_a_longer_history_still_extends_a_pinned_checkpoint(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    pinned = await pinned_checkpoint(sealed_history, signing_key)
    await sealed_history.event("Another")
    later = await verdict(sealed_history, signing_key, pinned)
    assert later.genuine
    assert later.unsealed.events == 1
    await seal_all(sealed_history.connection, signing_key)
    later = await verdict(sealed_history, signing_key, pinned)
    assert later.genuine
    assert later.unsealed.events == 0


async def test_seals_with_another_key_are_found(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await tamper(sealed_history.connection, CHANGE, "DELETE FROM history_seals")
    await seal_all(sealed_history.connection, Ed25519PrivateKey.generate())
    first = (await verdict(sealed_history, signing_key)).first
    assert first is not None
    assert (first.position, first.kind) == (1, "seal")
    assert "not signed by this installation" in first.what


async def test_deleting_the_keys_of_personal_data_leaves_the_proof_as_it_is(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await tamper(sealed_history.connection, "DELETE FROM personal_keys")
    assert (await verdict(sealed_history, signing_key)).genuine
