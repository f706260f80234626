"""Executes the command of a request, and answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Response
from psycopg import AsyncConnection

from api.database.query import run_query
from api.http.etags import versions_in
from api.http.idempotency import keyed_call
from api.http.requests import Request
from domain.core.availability import UNAVAILABLE
from domain.history.batch import Done, Origin, OutcomeUnknown
from domain.history.idempotency import Completion, Once

NEVER = -1
"""A version that no aggregate has."""

Respond = Callable[[Any], Response[Any]]


class SharedCompletion(msgspec.Struct, frozen=True):
    """A `Completion` whose calls share reads when they have no `Idempotency-Key`."""

    async def __call__(self, connection: AsyncConnection[Any], value: Any) -> Any:
        raise NotImplementedError

    async def after_commit(self, value: Any) -> Any:
        """The same, after the commit of the command."""
        raise NotImplementedError


async def answered(
    request: Request, command: Any, respond: Respond, complete: Completion | None = None
) -> Response[Any]:
    """Commit the command; `respond` makes the response from its value, without any I/O. With an
    `Idempotency-Key` the response is stored in the same transaction; if the command was done
    before, the stored response is sent again.

    A response that shows more than the value gets what `complete` returns instead.

    Raises as `domain.history.group_commit.Writer.execute`, InvalidFields.
    """

    async def commit(once: Once | None) -> Done:
        return await execute(request, command, once)

    return await answered_once(request, commit, respond, complete)


async def answered_once(
    request: Request,
    write: Callable[[Once | None], Awaitable[Done]],
    respond: Respond,
    complete: Completion | None = None,
) -> Response[Any]:
    """As `answered`, for what is no command or not only one: `write` gives it to
    `domain.history.replays.done_once`, or to `execute`."""
    call = await keyed_call(request, respond, complete)
    done = await write(call.once if call else None)
    response = call.response(done) if call else None
    if response is None:
        value = done.value
        response = respond(await _completed(request, complete, value) if complete else value)
    if done.position:
        response.headers["Event-Position"] = str(done.position)
    return response


async def _completed(request: Request, complete: Completion, value: Any) -> Any:
    """Raises OutcomeUnknown, since the change was made before."""
    try:
        if isinstance(complete, SharedCompletion):
            return await complete.after_commit(value)
        return await run_query(
            request.connections.primary, lambda connection: complete(connection, value)
        )
    except UNAVAILABLE:
        raise OutcomeUnknown from None


async def execute(request: Request, command: Any, once: Once | None = None) -> Done:
    """Commit the command; raises as `domain.history.group_commit.Writer.execute`."""
    return await request.connections.writer.execute(command, origin_of(request), once)


def origin_of(request: Request) -> Origin:
    """The actor and correlation id for the request's commands."""
    return Origin(actor=request.actor, correlation_id=request.id)


def expected_version(request: Request) -> frozenset[int] | None:
    """The versions that `If-Match` allows; None for any version."""
    lines = request.headers.getall("If-Match", [])
    return versions_in(lines) if lines else None
