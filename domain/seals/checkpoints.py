"""Checkpoints: the signed size and root of the tree, each with the digest of the one before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.seals.merkle import EMPTY_ROOT, HASH_BYTES
from domain.seals.signing import key_id

_PURPOSE = b"events-face checkpoint 1\n"
_SIGNED = Struct(">qqq32s32s")
"""Tree size, last position, microseconds since 1970, root, digest of the previous checkpoint."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement about history; an auditor stores its JSON in another place."""

    tree_size: Count
    """Number of events in the tree."""
    root_hash: Hash
    last_position: Count
    sealed_at: Moment
    previous: Hash
    """Digest of the checkpoint before."""
    key_id: str
    signature: bytes = b""

    def digest(self) -> bytes:
        """The digest of this checkpoint with its signature, for the next one."""
        return sha256(self.message() + self.signature).digest()

    def message(self) -> bytes:
        """The signed bytes."""
        microseconds = (self.sealed_at - _EPOCH) // timedelta(microseconds=1)
        return _PURPOSE + _SIGNED.pack(
            self.tree_size, self.last_position, microseconds, self.root_hash, self.previous
        )


def before_all(key: Ed25519PublicKey) -> Checkpoint:
    """The checkpoint before the first one: an empty history, without a signature."""
    return Checkpoint(
        tree_size=0,
        root_hash=EMPTY_ROOT,
        last_position=0,
        sealed_at=_EPOCH,
        previous=bytes(HASH_BYTES),
        key_id=key_id(key),
    )


def signed(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    return msgspec.structs.replace(checkpoint, signature=key.sign(checkpoint.message()))


def is_signed_by(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(checkpoint.signature, checkpoint.message())
    except InvalidSignature:
        return False
    return True
