"""A connection that ends when the server does not answer: the server is suspended, or its host
still acknowledges what it no longer handles. The timeouts of TCP and of the server itself do not
notice that."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import psycopg
from psycopg import AsyncConnection

ANSWER_TIMEOUT = 20.0
"""Seconds: more than a query may take (`api.http.connections.QUERY_TIMEOUT`)."""


class NoAnswer(psycopg.OperationalError):
    """The database does not answer"""

    def __str__(self) -> str:
        return self.__doc__ or ""


class AnsweringConnection(AsyncConnection[Any]):
    """Not for waiting for notifications. A statement that gets no answer within `ANSWER_TIMEOUT`
    raises `NoAnswer`; then the connection is closed."""

    _unanswered = False

    async def wait(self, *given: Any, **options: Any) -> Any:
        ending = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT, self._end)
        try:
            return await super().wait(*given, **options)
        except psycopg.OperationalError as error:
            if self._unanswered:
                raise NoAnswer from error
            raise
        finally:
            ending.cancel()

    def _end(self) -> None:
        """Who waits gets the error of a lost connection."""
        self._unanswered = True
        with socket.socket(fileno=os.dup(self.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
