"""Ids: new ones, and those derived from what must be unique, so that history's primary key makes it
so.

The hash is keyed: an id tells nobody the email or the name it came from.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from domain.core.values import Email, Line

REMEMBERED = 2_000
"""Ids: a command's are asked for when it is loaded for, and again when it is decided."""


def new_id() -> UUID:
    """RFC 9562, version 7: the milliseconds since 1970, then chance. What begins together stands
    together in an index, so that it is the same few pages that change however long it is."""
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return UUID(int=bits & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)


class Identity:
    """Derives ids under the installation's identity key (32 bytes).

    History holds these ids for ever. So where the rule of what is the same has changed, there are
    two of them to look at (docs/decisions/0038 and 0039).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._derive = lru_cache(REMEMBERED)(self._derived)

    def area_name(self, name: Line) -> UUID:
        return self._derive(b"area name", name.folded.encode())

    def area_names(self, name: Line) -> list[UUID]:
        """All that may hold the name: first the one from before, where that is another."""
        return self._with_former(b"area name", name)

    def account(self, username: Line) -> UUID:
        return self._derive(b"account", username.folded.encode())

    def accounts(self, username: Line) -> list[UUID]:
        """All that may have the name: first the one from before, where that is another."""
        return self._with_former(b"account", username)

    def visitor(self, event_id: UUID, email: Email) -> UUID:
        """Shared by all emails that `fold_formerly` takes for the same: the first to register has
        it."""
        return self._derive(b"visitor", event_id.bytes + fold_formerly(email).encode())

    def other_visitor(self, event_id: UUID, email: Email) -> UUID:
        """Shared by no other person: for who finds somebody else at `visitor`."""
        return self._derive(b"other visitor", event_id.bytes + email.person.encode())

    def _with_former(self, kind: bytes, name: Line) -> list[UUID]:
        different = dict.fromkeys([fold_formerly(name), name.folded])
        return [self._derive(kind, folded.encode()) for folded in different]

    def _derived(self, kind: bytes, unique: bytes) -> UUID:
        digest = bytearray(blake2b(unique, key=self._key, digest_size=16, person=kind).digest())
        digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562, version 8: the bits are our own affair
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))


def fold_formerly(text: str) -> str:
    """What names and emails were the same before 2026-11-27. Never to be changed: history holds ids
    that are derived from it."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
