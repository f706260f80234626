"""Runs requested rebuilds (`projections.rebuild.requests`).

Each runs in a process of its own, so it does not block the event loop that delivers. The process
ends with the worker; killed at any moment, it leaves the live tables unchanged.
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

_ERROR_PREFIX = "events-face: "
"""The line in which a command says why it failed starts with this."""

log = structlog.get_logger()


async def run_requested_rebuilds(database_url: str) -> None:
    """Run all open requests, unless another worker does so already.

    Raises `UNAVAILABLE` when the database is lost: the request stays open then.
    """
    async with await connect(database_url) as connection:
        if not await lock(connection):
            return
        while request := await next_request(connection):
            projection, origin = request.projection, request.origin
            log.info("running a requested rebuild", projection=projection, actor=origin.actor)
            async with signs_of_life(connection):
                failed_because = await _rebuild(projection)
            await conclude(connection, request, failed_because)
            if failed_because is None:
                log.info("rebuilt", projection=projection)
            else:
                log.error("rebuild failed", projection=projection, reason=failed_because)


async def _rebuild(projection: str) -> str | None:
    """Returns None, or the reason why the rebuild failed."""
    with _process(projection) as process:
        _, output = await asyncio.to_thread(process.communicate)
    sys.stderr.write(output)
    if process.returncode == 0:
        return None
    reasons = [line for line in output.splitlines() if line.startswith(_ERROR_PREFIX)]
    if reasons:
        return reasons[-1].removeprefix(_ERROR_PREFIX)
    return f"the process ended with status {process.returncode}; see the log of the worker"


@contextmanager
def _process(projection: str) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end of the block if it still runs: the worker is stopping then."""
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
