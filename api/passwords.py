"""Passwords: what one may be, and how one is hashed and checked without holding anybody up.

Hashing is slow and takes memory on purpose. It runs in two threads, which give way to the event
loop, and only so many may wait: a flood of logins is told to come back, and slows nothing else.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.values import Invalid

T = TypeVar("T")

THREADS = 2

WAITING_LIMIT = 64
"""Passwords under way or waiting; two threads hash some 60 to 100 a second."""

NICENESS = 10
"""Of the hashing threads, above the process's own, where threads have one."""

ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's parameters for Argon2id: 19 MiB, two passes. Older hashes are renewed at a login."""


class PasswordsWaiting(Exception):
    """Too many passwords are being checked; try again shortly"""


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
    """One to be set."""

    __slots__ = ()
    min_length = 8
    max_length = 128


class Passwords:
    """with Passwords() as passwords: stored = await passwords.hash(password)"""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "passwords", initializer=_give_way)
        self._waiting = 0
        self._nobodys = ARGON2ID.hash(secrets.token_hex())

    def __enter__(self) -> Passwords:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def hash(self, password: Password) -> str:
        """Raises PasswordsWaiting."""
        return await self._run(lambda: ARGON2ID.hash(password))

    async def verify(self, password: Secret, stored: str | None) -> bool:
        """Whether the stored hash is of the password. None, nobody's, takes as long and is not.

        Raises PasswordsWaiting.
        """
        right = await self._run(lambda: _fits(password, stored or self._nobodys))
        return right and stored is not None

    async def renewed(self, password: Secret, stored: str) -> str | None:
        """The password's hash as it would be made now, when `stored` was made otherwise.

        Raises PasswordsWaiting.
        """
        if not ARGON2ID.check_needs_rehash(stored):
            return None
        return await self._run(lambda: ARGON2ID.hash(password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_LIMIT:
            raise PasswordsWaiting
        self._waiting += 1
        # Until the work has ended, not its caller: one who goes away leaves it running.
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def _ended(self, _: object) -> None:
        self._waiting -= 1


def _fits(password: Secret, stored: str) -> bool:
    try:
        return ARGON2ID.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere threads have no niceness of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
