"""Leader election: one of several processes holds an advisory lock, in the session with which it
works.

PostgreSQL releases the lock with the session, so another process leads when the leader dies or
loses its connection. A frozen process (SIGSTOP, a suspended virtual machine, a swapping host) keeps
its session. So a leader runs a statement every few seconds, and a waiting process terminates the
session of a leader that was silent for `MAX_SILENCE`. When a frozen leader continues, its first
statement fails, and it has changed nothing in between.
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

MAX_SILENCE = timedelta(seconds=15)
"""Time without a statement, after which a leader loses the lead."""

SIGN_OF_LIFE_INTERVAL = 3.0
"""Seconds, at most, between two statements of a leader that has nothing else to do."""

END_SILENT_SESSIONS = """
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
"""Waits up to a second for each session to end. A silent client leaves its session idle, or does
not read the answer (`ClientWrite`)."""

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"

log = structlog.get_logger()


async def take_lead(connection: AsyncConnection[Any], lead: str) -> bool:
    """Try to take the lead; this session keeps it until it ends."""
    await end_silent(connection, lead)
    cursor = await connection.execute(TRY_LOCK, [lead])
    return await cursor.fetchone() == (True,)


def take_lead_now(connection: Connection[Any], lead: str) -> bool:
    """As `take_lead`, for synchronous code."""
    ended = connection.execute(END_SILENT_SESSIONS, {"lead": lead, "silence": MAX_SILENCE})
    _log_ended(lead, ended.rowcount)
    return connection.execute(TRY_LOCK, [lead]).fetchone() == (True,)


async def end_silent(connection: AsyncConnection[Any], lead: str) -> None:
    """Terminate the session of a silent leader; the lock may have a second key."""
    ended = await connection.execute(END_SILENT_SESSIONS, {"lead": lead, "silence": MAX_SILENCE})
    _log_ended(lead, ended.rowcount)


def _log_ended(lead: str, ended: int) -> None:
    if ended > 0:
        silent = MAX_SILENCE.total_seconds()
        log.warning("a leader without a sign of life lost the lead", of=lead, seconds=silent)


@asynccontextmanager
async def signs_of_life(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """Run a statement now and then during the block, for a leader that is busy with other work."""
    ending = asyncio.Event()
    showing = asyncio.create_task(_run_statements(connection, ending))
    try:
        yield
    finally:
        ending.set()
        await showing


async def _run_statements(connection: AsyncConnection[Any], ending: asyncio.Event) -> None:
    while not ending.is_set():
        with suppress(psycopg.Error):  # the leader gets the same error
            await connection.execute("SELECT")
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), SIGN_OF_LIFE_INTERVAL)
