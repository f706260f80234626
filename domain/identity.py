"""Ids: new ones, and those derived from what must be unique, so that history's primary key makes it
so.

The hash is keyed: an id tells nobody the email or the name it came from.
"""

from __future__ import annotations

import secrets
import time
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from domain.values import Email, Text, fold

REMEMBERED = 2_000
"""Ids: a command's are asked for when it is loaded for, and again when it is decided."""


def new_id() -> UUID:
    """RFC 9562, version 7: the milliseconds since 1970, then chance. What begins together stands
    together in an index, so that it is the same few pages that change however long it is."""
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return UUID(int=bits & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)


class Identity:
    """Derives ids under the installation's identity key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._derive = lru_cache(REMEMBERED)(self._derived)

    def area_name(self, name: Text) -> UUID:
        return self._derive(b"area name", name.folded.encode())

    def account(self, username: Text) -> UUID:
        return self._derive(b"account", username.folded.encode())

    def visitor(self, event_id: UUID, email: Email) -> UUID:
        return self._derive(b"visitor", event_id.bytes + fold(email).encode())

    def _derived(self, kind: bytes, unique: bytes) -> UUID:
        digest = bytearray(blake2b(unique, key=self._key, digest_size=16, person=kind).digest())
        digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562, version 8: the bits are our own affair
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))
