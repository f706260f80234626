"""Proofs that one event is in the sealed history; the public key is enough to check them."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection

from domain.seals.checkpoints import Checkpoint, is_signed_by
from domain.seals.leaves import StoredEvent, read_stored
from domain.seals.merkle import root_by_path, siblings
from domain.seals.seal import newest_checkpoint, seal_with
from domain.seals.signing import key_id
from domain.seals.tree import part_root


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event, and the path from it to a signed checkpoint."""

    event: StoredEvent
    leaf_index: int
    """Number of sealed events before it."""
    path: list[bytes]
    checkpoint: Checkpoint


class CannotProve(Exception):
    """There is no proof of this event; the message says why."""


class BadProof(Exception):
    """The proof is not valid; the message says why."""


async def prove(connection: AsyncConnection[Any], key: Ed25519PublicKey, position: int) -> Proof:
    """Prove that the event is among those of the newest checkpoint. Raises `CannotProve`."""
    found = await read_stored(connection, after=position - 1, until=position, limit=1)
    if not found:
        raise CannotProve(f"history has no event at position {position}")
    (event,) = found
    checkpoint = await newest_checkpoint(connection, key)
    if checkpoint.last_position < position:
        raise CannotProve(f"the event at position {position} is not sealed yet")
    try:
        seal = await seal_with(connection, key, position)
        if event.leaf() not in seal.leaves:
            raise CannotProve(f"the event at position {position} is not the one that was sealed")
        index = seal.start + seal.leaves.index(event.leaf())
        parts = siblings(index, checkpoint.tree_size)
        path = [await part_root(connection, start, end) for start, end in parts]
    except LookupError as error:
        raise CannotProve(f"the seals are damaged: {error}") from None
    proof = Proof(event=event, leaf_index=index, path=path, checkpoint=checkpoint)
    try:
        check(proof, key)
    except BadProof as error:
        raise CannotProve(f"the seals are damaged: {error}") from None
    return proof


def check(proof: Proof, key: Ed25519PublicKey) -> None:
    """Check a proof. Raises `BadProof`."""
    checkpoint = proof.checkpoint
    if not is_signed_by(checkpoint, key):
        raise BadProof(f"its checkpoint is not signed by the key {key_id(key)}")
    _, leaf = proof.event.leaf()
    root = root_by_path(leaf, proof.leaf_index, checkpoint.tree_size, proof.path)
    if root != checkpoint.root_hash:
        raise BadProof("the event is not among those of its checkpoint")
