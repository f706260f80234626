"""Group commit: one writer per process commits all waiting commands as one batch.

While a batch is being committed, the next one is collected. So batches grow with the load, and each
caller waits for two commits at most. The queue is bounded: when it is full, commands are refused.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import psycopg
from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE, only_reads
from domain.core.errors import TryAgain
from domain.history.answering import AnsweringConnection
from domain.history.batch import CommandFailure, CommandRequest, Done, Origin
from domain.history.decider import Decider
from domain.history.idempotency import Once
from domain.history.store import connect

QUEUE_LIMIT = 1_000
"""Waiting commands: a quarter of a second of work at 4,000 commands per second."""

BATCH_LIMIT = 128
"""Commands in one commit. A larger batch gains little and delays its first caller."""

GATHER_TIME = 0.002
GATHER_MIN_BATCH = 8
"""A batch waits this many seconds for more commands if the batch before it had at least
`GATHER_MIN_BATCH`: under such a load more will arrive, and a batch costs more than five
commands."""


class Overloaded(TryAgain):
    """More commands are waiting than can be taken; try again shortly"""


class HistoryUnavailable(TryAgain):
    """History cannot be reached; nothing was changed"""


_Waiting = tuple[CommandRequest, "asyncio.Future[Done]"]


class Writer:
    """Takes commands from any number of tasks of one event loop and commits them in batches.

    async with Writer(database_url, decider) as writer:
        done = await writer.execute(command, origin)
    """

    def __init__(self, database_url: str, decider: Decider) -> None:
        self._database_url = database_url
        self._decider = decider
        self._queue = asyncio.Queue[_Waiting](QUEUE_LIMIT)
        self._connection: AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Writer:
        self._task = asyncio.create_task(self._run(), name="writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit the waiting commands, then end."""
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    @property
    def waiting(self) -> int:
        """Number of commands that are not yet in a batch."""
        return self._queue.qsize()

    async def execute(self, command: Any, origin: Origin, once: Once | None = None) -> Done:
        """Commit one command, together with others that are waiting.

        Raises the `DomainError` of a refusal, `Overloaded`, `HistoryUnavailable`, or
        `domain.history.batch.OutcomeUnknown`.
        """
        answer: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        try:
            request = CommandRequest(command, origin, waiting_since=perf_counter(), once=once)
            self._queue.put_nowait((request, answer))
        except asyncio.QueueFull:
            raise Overloaded from None
        return await answer

    async def _run(self) -> None:
        waiting = list[_Waiting]()
        while True:
            busy = len(waiting) >= GATHER_MIN_BATCH
            waiting = [await self._queue.get()]
            if busy:
                await asyncio.sleep(GATHER_TIME)
            while len(waiting) < BATCH_LIMIT and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            try:
                await self._commit(waiting)
            finally:
                for _ in waiting:
                    self._queue.task_done()

    async def _commit(self, waiting: Sequence[_Waiting]) -> None:
        """Commit a batch, and give each caller its outcome or an exception."""
        try:
            outcomes = await self._outcomes([request for request, _ in waiting])
        except Exception as error:  # noqa: BLE001  passed to each caller
            for _, answer in waiting:
                _resolve(answer, CommandFailure(error))
        else:
            for (_, answer), outcome in zip(waiting, outcomes, strict=True):
                _resolve(answer, outcome)

    async def _outcomes(
        self, requests: Sequence[CommandRequest]
    ) -> Sequence[Done | CommandFailure]:
        """Decide and commit. Raises `HistoryUnavailable` when certainly nothing was committed."""
        try:
            if self._connection is None or _has_ended(self._connection):
                await self._disconnect()
                self._connection = await connect(self._database_url, AnsweringConnection)
            return await self._decider.execute(self._connection, requests)
        except UNAVAILABLE as error:
            await self._disconnect()
            raise HistoryUnavailable from error

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def _has_ended(connection: AsyncConnection[Any]) -> bool:
    """Whether the server has closed the connection since its last answer: a commit sent now would
    have an unknown outcome. Also True if the server is read-only: another may be the primary."""
    if connection.closed or only_reads(connection):
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    try:
        while socket.poll(0):  # a last message may come before the end
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return False


def _resolve(answer: asyncio.Future[Done], outcome: Done | CommandFailure) -> None:
    if answer.done():
        return  # the caller was cancelled
    if isinstance(outcome, CommandFailure):
        lost = isinstance(outcome.error, UNAVAILABLE)
        answer.set_exception(HistoryUnavailable() if lost else outcome.error)
    else:
        answer.set_result(outcome)
