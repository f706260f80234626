"""Passwords: what one may be, and how one is hashed and checked without holding anybody up.

Hashing is slow on purpose, and only so many may wait for it: a flood of logins is told to come
back, and slows nothing else.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Coroutine
from typing import Any, ClassVar, Self, TypeVar

from api.identity.password_hasher import ARGON2ID, Hashing
from domain.core.errors import TryAgain
from domain.core.values import Invalid

T = TypeVar("T")

WAITING_LIMIT = 64
"""Passwords under way or waiting; a core hashes some 30 to 60 a second."""


class PasswordsWaiting(TryAgain):
    """Too many passwords are being checked; try again shortly"""


def prepared(typed: str) -> str:
    """The same for every keyboard that the password is typed on: composed, and with the one space
    there is in ASCII (RFC 8265, OpaqueString)."""
    if typed.isascii():
        return typed
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in typed)
    return unicodedata.normalize("NFC", spaced)


class Secret(str):
    """A text that nobody sees by accident. Longer ones than `max_length` are no one's secret."""

    __slots__ = ()
    min_length: ClassVar[int] = 1
    max_length: ClassVar[int] = 2048

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        if not cls.min_length <= len(raw) <= cls.max_length:
            raise Invalid(f"must have {cls.min_length} to {cls.max_length} characters")
        return cls(raw)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()}>"


class Password(Secret):
    """One to be set: `prepared`."""

    __slots__ = ()
    min_length = 8
    max_length = 128

    @classmethod
    def parse(cls, raw: object) -> Self:
        return super().parse(prepared(raw) if isinstance(raw, str) else raw)


class Passwords:
    """async with Passwords() as passwords: stored = await passwords.hash(password)"""

    def __init__(self) -> None:
        self._hashing = Hashing()
        self._under_way = set[asyncio.Task[Any]]()

    async def __aenter__(self) -> Passwords:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._under_way:
            task.cancel()
        await self._hashing.end()

    async def hash(self, password: Password) -> str:
        """Raises PasswordsWaiting."""
        return await self._run(self._hashing.hash(password))

    async def verify(self, password: Secret, stored: str | None) -> bool:
        """Whether the stored hash is of the password. None, nobody's, takes as long and is not.

        Raises PasswordsWaiting.
        """
        for form in dict.fromkeys([prepared(password), str(password)]):  # hashed as typed, once
            if await self._run(self._hashing.verify(form, stored)):
                return True
        return False

    async def renewed(self, password: Secret, stored: str) -> str | None:
        """The password's hash as it would be made now, when `stored` was made otherwise.

        Raises PasswordsWaiting.
        """
        form = prepared(password)
        prepared_before = form == password or await self._run(self._hashing.verify(form, stored))
        if prepared_before and not ARGON2ID.check_needs_rehash(stored):
            return None
        return await self._run(self._hashing.hash(form))

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if len(self._under_way) >= WAITING_LIMIT:
            work.close()
            raise PasswordsWaiting
        # The work is waited for even when its caller has gone: its answer is the next in line.
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)
