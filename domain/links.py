"""The token in a visitor's link: it names a visitor and an episode, and proves that it comes from
this installation.

A token is not stored: it ends with its episode. Its key is derived from the identity key, which
never changes, and is used for nothing else.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from uuid import UUID

from domain.privacy.keys import InstallationKeys

ID_BYTES, EPISODE_BYTES, MAC_BYTES = 16, 3, 11
"""Together 30: 48 characters of base32, without padding, so each token has one spelling."""

TOKEN_LENGTH = 48


def manage_token(keys: InstallationKeys, visitor_id: UUID, episode: int) -> str:
    """Lower-case letters and digits only, so that mail programs take all of it as the link."""
    content = visitor_id.bytes + episode.to_bytes(EPISODE_BYTES)
    return b32encode(content + _mac(keys, content)).decode().lower()


def read_manage_token(keys: InstallationKeys, token: str) -> tuple[UUID, int] | None:
    """The visitor and the episode; None unless the token was made by this installation."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        decoded = b32decode(token.upper())
    except binascii.Error:
        return None
    content, mac = decoded[:-MAC_BYTES], decoded[-MAC_BYTES:]
    if not compare_digest(mac, _mac(keys, content)):
        return None
    return UUID(bytes=content[:ID_BYTES]), int.from_bytes(content[ID_BYTES:])


def _mac(keys: InstallationKeys, content: bytes) -> bytes:
    return blake2b(content, key=_key(keys.identity), digest_size=MAC_BYTES).digest()


@lru_cache
def _key(identity: bytes) -> bytes:
    return blake2b(key=identity, person=b"manage links").digest()
