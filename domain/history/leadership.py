"""Leaders: of several processes one holds an advisory lock, in the session that it works with.

PostgreSQL frees the lock with the session, so another process leads when the leader dies or is cut
off. A process that is frozen (SIGSTOP, a suspended virtual machine, a host that swaps) keeps its
session. So a leader asks for something every few seconds, and a process that stands by ends the
session of a leader that has asked for nothing for `SILENCE`. A frozen leader that goes on finds
its session ended with the first thing it asks for, and has changed nothing until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection, Connection

SILENCE = timedelta(seconds=15)
"""After which a leader loses the lead."""

SIGN_OF_LIFE = 3.0
"""Seconds from one to the next, at most, while a leader has nothing else to ask for."""

END_SILENT = """
    WITH silent AS MATERIALIZED (
        SELECT DISTINCT a.pid
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
          AND l.locktype = 'advisory' AND l.granted
          AND CASE l.objsubid WHEN 2 THEN l.classid = hashtext(%(lead)s)::oid
              ELSE (l.classid::bigint << 32 | l.objid::bigint) = hashtext(%(lead)s) END
          AND (starts_with(a.state, 'idle') OR a.wait_event = 'ClientWrite')
          AND a.state_change < clock_timestamp() - %(silence)s
    )
    SELECT pid FROM silent WHERE pg_terminate_backend(pid, 1000)
"""
"""It waits up to a second for each session to end. PostgreSQL waits for the client when a session
is idle, or when the client does not read the answer."""

TRY = "SELECT pg_try_advisory_lock(hashtext(%s))"

log = structlog.get_logger()


async def take_lead(connection: AsyncConnection[Any], lead: str) -> bool:
    """Whether this session leads now, until it ends."""
    await end_silent(connection, lead)
    cursor = await connection.execute(TRY, [lead])
    return await cursor.fetchone() == (True,)


def take_lead_now(connection: Connection[Any], lead: str) -> bool:
    """As `take_lead`, for a thread."""
    ended = connection.execute(END_SILENT, {"lead": lead, "silence": SILENCE})
    _tell(lead, ended.rowcount)
    return connection.execute(TRY, [lead]).fetchone() == (True,)


async def end_silent(connection: AsyncConnection[Any], lead: str) -> None:
    """End the session of a leader that shows no sign of life, also where the lock has a second key
    for what is led."""
    ended = await connection.execute(END_SILENT, {"lead": lead, "silence": SILENCE})
    _tell(lead, ended.rowcount)


def _tell(lead: str, ended: int) -> None:
    if ended > 0:
        silent = SILENCE.total_seconds()
        log.warning("a leader without a sign of life lost the lead", of=lead, seconds=silent)


@asynccontextmanager
async def signs_of_life(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """For a leader that asks for nothing for a long time: something else does for the length of
    the block."""
    ending = asyncio.Event()
    showing = asyncio.create_task(_show(connection, ending))
    try:
        yield
    finally:
        ending.set()
        await showing


async def _show(connection: AsyncConnection[Any], ending: asyncio.Event) -> None:
    while not ending.is_set():
        with suppress(psycopg.Error):  # which the leader itself meets
            await connection.execute("SELECT")
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), SIGN_OF_LIFE)
