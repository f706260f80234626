"""Keys by which messages to one address are found, without the address.

The key of an address is a hash with a secret of the installation, which is used for nothing else.
An erasure replaces it by a key of the visitor, which no longer leads to the address.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import LiteralString
from uuid import UUID

from domain.core.values import Email
from domain.privacy.keys import InstallationKeys
from domain.visitors import Person

KEY_BYTES = 8
"""A key is a bigint."""


def key_of_address(keys: InstallationKeys, person: Person) -> int:
    """The same for all spellings of the address."""
    address = Email(person.email).person.encode()
    digest = blake2b(address, key=_secret(keys.identity), digest_size=KEY_BYTES).digest()
    return int.from_bytes(digest, signed=True)


def key_of_visitor(id: UUID) -> int:
    return int.from_bytes(id.bytes[:KEY_BYTES], signed=True)


KEY_OF_VISITOR: LiteralString = """
('x' || translate(left(visitor_id::text, 18), '-', ''))::bit(64)::bigint
"""
"""The same in SQL."""


@lru_cache
def _secret(identity: bytes) -> bytes:
    return blake2b(key=identity, digest_size=32, person=b"recipient keys").digest()
