"""Rebuilds that somebody has asked for (`projections.rebuild.requests`).

Each runs in a process of its own, beside the event loop that delivers. It ends with the worker, and
killed at any moment it leaves the tables in use as they are.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from domain.history.leadership import signs_of_life
from domain.history.store import connect
from projections.rebuild.requests import conclude, lock, next_request
from runtime import lifeline

_SAYS_WHY = "events-face: "
"""How the line begins in which a command says why it failed."""

log = structlog.get_logger()


async def rebuild_as_asked(database_url: str) -> None:
    """Do what is asked for until nothing is; nothing at all while another worker does.

    Raises `UNAVAILABLE` when the database is gone: what is asked for then still is.
    """
    async with await connect(database_url) as connection:
        if not await lock(connection):
            return
        while request := await next_request(connection):
            projection, origin = request.projection, request.origin
            log.info("rebuilding as asked", projection=projection, actor=origin.actor)
            async with signs_of_life(connection):
                failed_because = await _rebuild(projection)
            await conclude(connection, request, failed_because)
            if failed_because is None:
                log.info("rebuilt", projection=projection)
            else:
                log.error("not rebuilt", projection=projection, reason=failed_because)


async def _rebuild(projection: str) -> str | None:
    """Why it failed, if it did."""
    with _process(projection) as process:
        _, told = await asyncio.to_thread(process.communicate)
    sys.stderr.write(told)
    if process.returncode == 0:
        return None
    reasons = [line for line in told.splitlines() if line.startswith(_SAYS_WHY)]
    if reasons:
        return reasons[-1].removeprefix(_SAYS_WHY)
    return f"it ended with {process.returncode}; the worker's log says more"


@contextmanager
def _process(projection: str) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end of the block, should it still be at work: this worker ends then."""
    held, other_end = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "events_face", "projections", "rebuild", projection],
            env={**os.environ, lifeline.VARIABLE: str(held)},
            pass_fds=[held],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
    finally:
        os.close(held)
        os.close(other_end)
