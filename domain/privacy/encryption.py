"""Encryption of what the database holds: AES-256-GCM, each ciphertext bound to what it is for.

An installation's own keys are wrapped under `SECRET_KEY`, so that a copy of the database opens
nothing. `SECRET_KEY` may hold several: the first wraps, any of them opens.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16

SEALED_KEY_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
"""Of a key that was sealed."""


class CannotOpen(Exception):
    """A key does not fit what it should open."""


def seal(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    """Nonce and ciphertext in one."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """What `seal` was given. Raises `CannotOpen`."""
    return _unsealed(AESGCM(key), sealed, bound_to)


def unseal_key(wrapping_key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """As `unseal`, with a key that opens very many others: it is made ready only once, which
    takes twice as long as to open something with it."""
    return _unsealed(_ready(wrapping_key), sealed, bound_to)


_ready = lru_cache(maxsize=8)(AESGCM)


def _unsealed(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # the latter for what is too short to be sealed
        raise CannotOpen("wrong key, or the data was changed") from None


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def wrap_secret(secret: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes:
    """For the database: unreadable without the first of `SECRET_KEY`."""
    return seal(_wrapping_key(secret_keys[0]), secret, bound_to)


def unwrap_secret(wrapped: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes:
    """Raises `CannotOpen` when none of the keys is the one it was wrapped under."""
    for secret_key in secret_keys:
        try:
            return unseal(_wrapping_key(secret_key), wrapped, bound_to)
        except CannotOpen:
            continue
    raise CannotOpen("SECRET_KEY is not the one that this installation was created with")


def wrap_again(wrapped: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes | None:
    """The same secret under the first of `SECRET_KEY`, so that the others may be dropped; None
    when that is the one it is under. Raises `CannotOpen`."""
    try:
        unwrap_secret(wrapped, secret_keys[:1], bound_to)
    except CannotOpen:
        return wrap_secret(unwrap_secret(wrapped, secret_keys, bound_to), secret_keys, bound_to)
    return None


def _wrapping_key(secret_key: str) -> bytes:
    return blake2b(secret_key.encode(), digest_size=KEY_BYTES, person=b"installation").digest()
