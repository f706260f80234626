"""Secrets that sign webhooks, and how they are stored.

They are encrypted with a key that is derived from the identity key of the installation. It never
changes, so neither `rotate-keys` nor a new `SECRET_KEY` makes a secret unreadable.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from functools import lru_cache
from hashlib import blake2b

from domain.privacy.encryption import KEY_BYTES, seal, unseal
from domain.privacy.keys import InstallationKeys

PREFIX = "whsec_"

SECRET_BYTES = 32
"""Standard Webhooks allows 24 to 64."""

_PURPOSE = b"webhook secrets"


def new_secret() -> str:
    """In the form of Standard Webhooks."""
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signing_key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(PREFIX))


def seal_secret(keys: InstallationKeys, secret: str) -> bytes:
    return seal(_key(keys.identity), secret.encode(), _PURPOSE)


def open_secret(keys: InstallationKeys, sealed: bytes) -> str:
    """Raises `domain.privacy.encryption.CannotOpen`."""
    return unseal(_key(keys.identity), sealed, _PURPOSE).decode()


@lru_cache
def _key(identity: bytes) -> bytes:
    return blake2b(key=identity, person=_PURPOSE, digest_size=KEY_BYTES).digest()
