"""Hashes passwords in a process of its own (`python -m api.identity.password_hasher`).

Argon2 uses a core for tens of milliseconds on purpose, and must not delay other work. A process can
have a low priority. A thread cannot: if it is preempted while it holds the interpreter's lock, its
whole process waits.

Requests and answers are lines of JSON. The process ends with its input, so it does not outlive its
parent.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's parameters for Argon2id: 19 MiB, two passes."""

NICENESS = 19
"""The lowest priority."""

SESSIONS_NICENESS = Path("/proc/self/autogroup")
"""The priority of a session on Linux, which divides the processor by session first."""

MAX_LINE = 64 * 1024
"""Bytes; a password has at most 2,048 characters."""


class Hash(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Returns the hash."""

    password: str


class Verify(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Returns whether the hash matches. None takes the same time and never matches."""

    password: str
    stored: str | None


class HashingEnded(Exception):
    """The process that hashes passwords ended, twice over one password"""


class Hashing:
    """The process, which is started at the first request, and again after it has ended.

    One request at a time; each answer must be read before the next request.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def hash(self, password: str) -> str:
        """Raises HashingEnded."""
        return msgspec.json.decode(await self._ask(Hash(str(password))), type=str)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Raises HashingEnded."""
        return msgspec.json.decode(await self._ask(Verify(str(password), stored)), type=bool)

    async def end(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.communicate()

    async def _ask(self, question: Hash | Verify) -> bytes:
        line = msgspec.json.encode(question) + b"\n"
        async with self._turn:
            for _ in range(2):
                self._process = self._process or await _start()
                answer = await _answer(self._process, line)
                if answer:
                    return answer
                await self.end()
                self._process = None
        raise HashingEnded


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "api.identity.password_hasher"),
        stdin=PIPE,
        stdout=PIPE,
        limit=MAX_LINE,
        start_new_session=True,  # for the session's priority; and Ctrl-C is for the parent only
    )


async def _answer(process: Process, line: bytes) -> bytes:
    """The answer; empty if the process has ended."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    with suppress(ConnectionError):
        process.stdin.write(line)
        await process.stdin.drain()
    return await process.stdout.readline()


def main() -> None:
    """Answer until the input ends."""
    os.nice(NICENESS)
    with suppress(OSError):  # only Linux has it
        SESSIONS_NICENESS.write_text(str(NICENESS))
    dummy_hash = ARGON2ID.hash(secrets.token_hex())
    for line in sys.stdin.buffer:
        answer = answered(msgspec.json.decode(line, type=Hash | Verify), dummy_hash)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def answered(question: Hash | Verify, dummy_hash: str) -> str | bool:
    """`dummy_hash` is compared with the password if none is stored."""
    if isinstance(question, Hash):
        return ARGON2ID.hash(question.password)
    fits = _fits(question.password, question.stored or dummy_hash)
    return fits and question.stored is not None


def _fits(password: str, stored: str) -> bool:
    try:
        return ARGON2ID.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


if __name__ == "__main__":
    main()
