"""Encryption of data in the database: AES-256-GCM, each ciphertext bound to its purpose.

The keys of an installation are wrapped with `SECRET_KEY`, so that a copy of the database alone
cannot be decrypted. `SECRET_KEY` may contain several keys: the first wraps, all of them unwrap.
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
"""Length of an encrypted key."""


class CannotOpen(Exception):
    """A ciphertext cannot be decrypted with this key."""


def seal(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    """Encrypt; returns the nonce followed by the ciphertext."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """The plaintext of `seal`. Raises `CannotOpen`."""
    return _unsealed(AESGCM(key), sealed, bound_to)


def unseal_key(wrapping_key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """As `unseal`, with a key that unwraps many others: its cipher is cached, because creating it
    takes twice as long as using it."""
    return _unsealed(_cipher(wrapping_key), sealed, bound_to)


_cipher = lru_cache(maxsize=8)(AESGCM)


def _unsealed(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # ValueError: too short
        raise CannotOpen("wrong key, or the data was changed") from None


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def wrap_secret(secret: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes:
    """Encrypt a secret for the database, with the first of `SECRET_KEY`."""
    return seal(_wrapping_key(secret_keys[0]), secret, bound_to)


def unwrap_secret(wrapped: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes:
    """Decrypt a secret of the database. Raises `CannotOpen` when none of the keys fits."""
    for secret_key in secret_keys:
        try:
            return unseal(_wrapping_key(secret_key), wrapped, bound_to)
        except CannotOpen:
            continue
    raise CannotOpen("SECRET_KEY is not the one that this installation was created with")


def rewrap(wrapped: bytes, secret_keys: tuple[str, ...], bound_to: bytes) -> bytes | None:
    """The same secret wrapped with the first of `SECRET_KEY`, so that the others can be removed;
    None when it is wrapped with that key already. Raises `CannotOpen`."""
    try:
        unwrap_secret(wrapped, secret_keys[:1], bound_to)
    except CannotOpen:
        return wrap_secret(unwrap_secret(wrapped, secret_keys, bound_to), secret_keys, bound_to)
    return None


def _wrapping_key(secret_key: str) -> bytes:
    return blake2b(secret_key.encode(), digest_size=KEY_BYTES, person=b"installation").digest()
