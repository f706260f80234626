"""Passwords: their rules, and hashing and verification without delaying other requests.

Hashing is slow on purpose, and the number of waiting passwords is limited: during a flood of logins
further ones get a 503, and other requests are not slowed down.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Coroutine
from typing import Any, ClassVar, Self, TypeVar

from api.identity.password_hasher import ARGON2ID, Hashing
from domain.core.characters import CONTROL
from domain.core.errors import TryAgain
from domain.core.values import Invalid

T = TypeVar("T")

MAX_WAITING = 64
"""Passwords in progress or waiting; a core hashes about 30 to 60 per second."""


class PasswordsWaiting(TryAgain):
    """Too many passwords are being checked; try again shortly"""


def prepared(typed: str) -> str:
    """The password normalized, so that it does not depend on the keyboard: NFC, with ASCII spaces
    (RFC 8265, OpaqueString)."""
    if typed.isascii():
        return typed
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in typed)
    return unicodedata.normalize("NFC", spaced)


class Secret(str):
    """A text whose repr hides it."""

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
    """A new password, `prepared`. It has no control characters: nobody means to type them, and many
    programs end a text there (RFC 8265, FreeformClass)."""

    __slots__ = ()
    min_length = 8
    max_length = 128
    refused: ClassVar[re.Pattern[str]] = CONTROL

    @classmethod
    def parse(cls, raw: object) -> Self:
        password = super().parse(prepared(raw) if isinstance(raw, str) else raw)
        if cls.refused.search(password):
            raise Invalid("must not contain control characters")
        return password


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
        """Whether the stored hash matches the password. None takes the same time and never matches.

        Raises PasswordsWaiting.
        """
        for form in dict.fromkeys(
            [prepared(password), str(password)]
        ):  # older hashes are of the text as typed
            if await self._run(self._hashing.verify(form, stored)):
                return True
        return False

    async def renewed(self, password: Secret, stored: str) -> str | None:
        """A new hash of the password if `stored` was made with other parameters, else None.

        Raises PasswordsWaiting.
        """
        form = prepared(password)
        prepared_before = form == password or await self._run(self._hashing.verify(form, stored))
        if prepared_before and not ARGON2ID.check_needs_rehash(stored):
            return None
        return await self._run(self._hashing.hash(form))

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if len(self._under_way) >= MAX_WAITING:
            work.close()
            raise PasswordsWaiting
        # A cancelled caller does not cancel the work: its answer is the next in the pipe.
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)
