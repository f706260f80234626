"""Passwords that are hashed quickly, in the tests' own process.

The process that the API starts for them gives way to everything else: beside two busy test
processes a sign-in takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from argon2 import PasswordHasher

from api.identity import password_hasher, passwords
from api.identity.password_hasher import Hash, Hashing, Verify

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@contextmanager
def quick_passwords() -> Iterator[None]:
    """For the length of the block."""
    unknown = QUICK.hash("of no account")

    async def ask(_: Hashing, question: Hash | Verify) -> bytes:
        return msgspec.json.encode(password_hasher.answered(question, unknown))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(password_hasher, "ARGON2ID", QUICK)
        patched.setattr(passwords, "ARGON2ID", QUICK)
        patched.setattr(Hashing, "_ask", ask)
        yield
