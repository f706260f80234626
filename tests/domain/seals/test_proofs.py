"""A proof can be checked without history, and no part of it can be changed."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.seals.proofs import BadProof, CannotProve, Proof, check, prove
from tests.support.installation import Installation
from tests.support.sealed_history import HOLE, LAST

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_portions")]

replace = msgspec.structs.replace


async def proof_of(position: int, sealed_history: Installation, key: Ed25519PrivateKey) -> Proof:
    return await prove(sealed_history.connection, key.public_key(), position)


async def test_every_sealed_event_can_be_proven(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    for position in range(1, LAST + 1):
        if position != HOLE:
            proof = await proof_of(position, sealed_history, signing_key)
            read = msgspec.json.decode(msgspec.json.encode(proof), type=Proof)
            check(read, signing_key.public_key())
            assert read.event.position == position
            assert len(read.path) <= 5


async def test_nothing_in_a_proof_can_be_changed(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    proof = await proof_of(12, sealed_history, signing_key)
    event, checkpoint = proof.event, proof.checkpoint
    changed = [
        *(
            replace(proof, event=replace(event, **{field: value}))
            for field, value in {
                "position": 13,
                "originator_id": uuid4(),
                "originator_version": 2,
                "topic": "Visitor.Erased",
                "state": b"{}",
            }.items()
        ),
        replace(proof, leaf_index=proof.leaf_index + 1),
        replace(proof, leaf_index=-1),
        replace(proof, path=proof.path[:-1]),
        replace(proof, path=[bytes(32), *proof.path[1:]]),
        *(
            replace(proof, checkpoint=replace(checkpoint, **{field: value}))
            for field, value in {
                "tree_size": checkpoint.tree_size + 1,
                "last_position": checkpoint.last_position + 1,
                "root_hash": bytes(32),
                "previous": bytes(32),
                "signature": bytes(64),
            }.items()
        ),
    ]
    for forged in changed:
        with pytest.raises(BadProof):
            check(forged, signing_key.public_key())


async def test_a_proof_is_of_one_key(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    proof = await proof_of(12, sealed_history, signing_key)
    with pytest.raises(BadProof, match="not signed by the key"):
        check(proof, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("position", [0, HOLE, LAST + 1, 2**63 - 1])
async def test_an_event_that_does_not_exist_cannot_be_proven(
    position: int, sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    with pytest.raises(CannotProve, match="no event at position"):
        await proof_of(position, sealed_history, signing_key)


async def test_an_event_that_is_not_sealed_yet_cannot_be_proven(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await sealed_history.event("Another")
    with pytest.raises(CannotProve, match="not sealed yet"):
        await proof_of(LAST + 1, sealed_history, signing_key)


async def test_a_changed_event_cannot_be_proven(
    sealed_history: Installation, signing_key: Ed25519PrivateKey
) -> None:
    await sealed_history.connection.execute(
        "UPDATE history_events SET state = '' WHERE notification_id = 12"
    )
    with pytest.raises(CannotProve, match="not the one that was sealed"):
        await proof_of(12, sealed_history, signing_key)
    await sealed_history.connection.execute(
        "UPDATE history_seals SET leaf_hashes = '' WHERE start = 0"
    )
    with pytest.raises(CannotProve, match="the seals are damaged"):
        await proof_of(13, sealed_history, signing_key)
