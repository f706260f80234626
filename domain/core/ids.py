"""New ids, and ids derived from unique values; history's primary key then enforces uniqueness.

The hash has a secret key: an id does not reveal the email or the name.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from domain.core.values import Email, Line

CACHED_IDS = 2_000
"""Derived ids that are cached: each is needed twice, for loading and for deciding."""


def new_id() -> UUID:
    """RFC 9562, version 7: milliseconds since 1970, then random bits. Ids of the same time are
    close together in an index, so that appends change only a few of its pages."""
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return UUID(int=bits & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)


class Identity:
    """Derives ids with the identity key of the installation (32 bytes).

    These ids stay in history forever. Since the rule for equal names and emails has changed, there
    may be two ids for one value (docs/decisions/0038 and 0039).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._derive = lru_cache(CACHED_IDS)(self._derived)

    def area_name(self, name: Line) -> UUID:
        return self._derive(b"area name", name.folded.encode())

    def area_names(self, name: Line) -> list[UUID]:
        """All ids that may hold the name: first that of the former rule, if it differs."""
        return self._with_former(b"area name", name)

    def account(self, username: Line) -> UUID:
        return self._derive(b"account", username.folded.encode())

    def accounts(self, username: Line) -> list[UUID]:
        """All ids that may have the username: first that of the former rule, if it differs."""
        return self._with_former(b"account", username)

    def visitor(self, event_id: UUID, email: Email) -> UUID:
        """The same for all emails that are equal by `fold_formerly`: the first of them to register
        has it."""
        return self._derive(b"visitor", event_id.bytes + fold_formerly(email).encode())

    def other_visitor(self, event_id: UUID, email: Email) -> UUID:
        """Unique for each person: used when another person has the id of `visitor`."""
        return self._derive(b"other visitor", event_id.bytes + email.person.encode())

    def scan(self, event_id: UUID, nonce: str) -> UUID:
        """Of what was scanned at the door."""
        return self._derive(b"scan", event_id.bytes + nonce.encode())

    def _with_former(self, kind: bytes, name: Line) -> list[UUID]:
        different = dict.fromkeys([fold_formerly(name), name.folded])
        return [self._derive(kind, folded.encode()) for folded in different]

    def _derived(self, kind: bytes, unique: bytes) -> UUID:
        digest = bytearray(blake2b(unique, key=self._key, digest_size=16, person=kind).digest())
        digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562, version 8: custom bits
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))


def fold_formerly(text: str) -> str:
    """The rule for equal names and emails before 2026-11-27. Never change it: history has ids that
    are derived from it."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
