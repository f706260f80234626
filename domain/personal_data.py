"""Personal data in history: encrypted under one key per event that carries it, so that it can be
forgotten by deleting the key while history itself stays untouched.

Each of these keys is wrapped by the installation's data key, and that one by `SECRET_KEY`. All is
AES-256-GCM; what is encrypted is bound to its place in history.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32


class CannotOpen(Exception):
    """A key does not fit what it should open."""


def seal(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    """Nonce and ciphertext in one."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """What `seal` was given. Raises `CannotOpen`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise CannotOpen("wrong key, or the data was changed") from None


def new_key() -> bytes:
    return os.urandom(_KEY_BYTES)


def place(originator_id: UUID, originator_version: int) -> bytes:
    """What personal data is bound to: the event it belongs to."""
    return originator_id.bytes + originator_version.to_bytes(8, "big")


class InstallationKeys(msgspec.Struct, frozen=True):
    """The two secrets that an installation keeps for as long as its history."""

    identity: bytes
    """Derives aggregates' ids, see `domain.identity`."""
    data: bytes
    """Wraps the key of each event with personal data."""

    @classmethod
    def generate(cls) -> InstallationKeys:
        return cls(identity=new_key(), data=new_key())

    def wrap(self, secret_key: str) -> bytes:
        """For the database: unreadable without `SECRET_KEY`."""
        return seal(_wrapping_key(secret_key), self.identity + self.data, b"installation")

    @classmethod
    def unwrap(cls, wrapped: bytes, secret_keys: tuple[str, ...]) -> InstallationKeys:
        """Raises `CannotOpen` when none of the keys is the one it was wrapped with."""
        for secret_key in secret_keys:
            try:
                opened = unseal(_wrapping_key(secret_key), wrapped, b"installation")
            except CannotOpen:
                continue
            return cls(identity=opened[:_KEY_BYTES], data=opened[_KEY_BYTES:])
        raise CannotOpen("SECRET_KEY is not the one that this installation was created with")


def _wrapping_key(secret_key: str) -> bytes:
    return blake2b(secret_key.encode(), digest_size=_KEY_BYTES, person=b"installation").digest()
