"""`/api/events/{id}/visitors.csv` and `/visitors/import`: visitors as CSV files, for organizers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from psycopg import AsyncConnection

from api.csv_files.reading import MalformedFile
from api.database.query import run_query
from api.event_visitors import StatusFilter, wanted
from api.http.access import Permission
from api.http.attachments import attachment
from api.http.bodies import UnsupportedMediaType, has_media_type
from api.http.dispatch import answered_once, origin_of
from api.http.examples import VISITOR_ID, example
from api.http.reads import MinEventPosition, read
from api.http.requests import Request
from api.http.responses import json_response
from api.visitor_export import exported
from api.visitor_import import (
    ImportCounts,
    ImportedLine,
    Terms,
    counts_of,
    imported,
    visitors_in,
)
from domain.application import APPLICATION
from domain.core.errors import NotFound
from domain.history.batch import Done, Execute
from domain.history.idempotency import Once
from domain.history.rehearsal import rehearsal
from domain.history.replays import done_before, done_once
from domain.questions import Question
from domain.visitors import EventCancelled, VisitorStatus
from projections.event_visitors import next_visitors
from projections.events import get_event
from projections.questions import questions_ever

_EXPORT = f"""\
id,full_name,email,status,queue_position,registered_at,checked_in_at\r
{VISITOR_ID},Ada Lovelace,ada@example.com,registered,,2030-05-17T09:00:00Z,\r
"""


_IMPORT = """\
full_name,email\r
Ada Lovelace,ada@example.com\r
"""

FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of a file, at most."""


class NotCsv(UnsupportedMediaType):
    """The body must be sent as text/csv"""


class ImportMeta(msgspec.Struct, frozen=True, kw_only=True):
    lines: list[ImportedLine]
    """One for each line with a visitor."""


@example(data={"registered": 1}, meta={"lines": [{"line": 2, "outcome": "registered"}]})
class VisitorImport(msgspec.Struct, frozen=True, kw_only=True):
    data: ImportCounts
    meta: ImportMeta
    errors: tuple[()] = ()


class VisitorFileCalls(Controller):
    path = "/api/events/{event_id:uuid}"
    tags = ("visitors",)

    @get(
        "/visitors.csv",
        media_type="text/csv",
        summary="Export the visitors of an event",
        opt={"access": Permission.READ_NAMES, "tagged": False, "example": _EXPORT},
    )
    async def export_visitors(
        self,
        request: Request,
        event_id: FromPath[UUID],
        status: StatusFilter = "any",
        min_event_position: MinEventPosition = 0,
    ) -> Response[str]:
        """As a CSV file, those who registered first come first. Each question of the event has a
        column `answers.<id>`, also one that is not asked any more; several options are lines of a
        cell. No cell is a formula: a text that would be one has an apostrophe in front of it, which
        the import takes away."""
        return await visitor_file(
            request,
            event_id,
            status=wanted(status),
            at_least=min_event_position,
            personal=request.may_read_personal,
        )

    @post(
        "/visitors/import",
        status_code=200,
        summary="Import visitors",
        opt={
            "access": Permission.CHANGE_VISITORS,
            "accepts": "text/csv",
            "sends": _IMPORT,
            "body_limit": FILE_LIMIT,
            "problems": [MalformedFile, NotCsv, EventCancelled],
        },
    )
    async def import_visitors(
        self,
        request: Request,
        event_id: FromPath[UUID],
        dry_run: Annotated[
            bool, QueryParameter(description="Only report what an import would do now.")
        ] = False,
        over_capacity: Annotated[
            bool, QueryParameter(description="Give seats although none is free.")
        ] = False,
        join_waiting_list: Annotated[
            bool, QueryParameter(description="Let people wait when no seat is free.")
        ] = False,
        notify: Annotated[
            bool, QueryParameter(description="Whether the visitors get a message.")
        ] = True,
    ) -> Response[VisitorImport]:
        """From a CSV file in UTF-8 with the columns `full_name` and `email`, up to 10,000 lines;
        an exported file is one. Columns `answers.<id>` have the answers to the questions of the
        event, of which required ones may be left out. Cells are separated by commas, semicolons or
        tabs. A line that cannot be imported is refused with the reason, and the others are
        imported; nothing is imported from a file that cannot be read. Visitors are added in the
        order of the lines. The same file again changes nothing more, so repeat an import that was
        interrupted."""
        if not has_media_type(request.scope["headers"], b"text/csv"):
            raise NotCsv
        # In a thread: a file of blank lines takes seconds, and other requests go on meanwhile.
        records = await asyncio.to_thread(visitors_in, await request.body())
        terms = Terms(
            over_capacity=over_capacity, join_waiting_list=join_waiting_list, notify=notify
        )

        async def write() -> Done:
            asked = await questions_asked(request, event_id)
            async with executing(request, dry_run=dry_run) as execute:
                lines, position = list[ImportedLine](), 0
                async for portion in imported(
                    records, event_id, asked, terms, execute, origin_of(request)
                ):
                    lines += portion.lines
                    position = portion.position
            return Done(lines, position)

        return await answered_once(request, partial(_once, request, write), _reported)


async def questions_asked(request: Request, event_id: UUID) -> Mapping[str, Question]:
    """By their ids, from history, which is never late."""
    return await run_query(request.connections.primary, partial(questions_ever, event_id=event_id))


def _reported(lines: list[ImportedLine]) -> Response[VisitorImport]:
    return json_response(VisitorImport(data=counts_of(lines), meta=ImportMeta(lines=lines)))


async def _once(request: Request, write: Callable[[], Awaitable[Done]], once: Once | None) -> Done:
    """An import is many transactions, so its response is stored after the last of them. Until then
    the same call imports again, which changes nothing more."""
    if once is None:
        return await write()
    primary = request.connections.primary
    async with primary.connection() as connection:
        for before in (await done_before(connection, [once])).values():
            return before.or_raise()
    done = await write()
    async with primary.connection() as connection, connection.transaction():
        return await done_once(connection, once, lambda: _at_once(done))


async def _at_once(done: Done) -> Done:
    return done


@asynccontextmanager
async def executing(request: Request, *, dry_run: bool) -> AsyncIterator[Execute]:
    """Executes commands, or with `dry_run` rehearses them."""
    connections = request.connections
    if not dry_run:
        yield connections.writer.execute
        return
    async with (
        connections.primary.connection() as connection,
        rehearsal(connection, connections.keys, APPLICATION) as execute,
    ):
        yield execute


async def visitor_file(
    request: Request,
    event_id: UUID,
    *,
    status: VisitorStatus | None,
    at_least: int,
    personal: bool,
    mark: str = "",
) -> Response[str]:
    """The file, after a byte order mark if that is the `mark`. Raises NotFound."""
    name = await read(request, at_least, partial(_name, event_id))
    parts = exported(
        partial(run_query, request.connections.readers),
        request.connections.keys,
        event_id,
        status=status,
        personal=personal,
    )
    file = Stream(
        _encoded(mark, parts),
        media_type="text/csv; charset=utf-8",
        headers={
            **attachment(name, "csv", prefix="visitors-", otherwise=str(event_id)),
            "Cache-Control": "no-store",
        },
    )
    return cast("Response[str]", file)


async def _encoded(mark: str, parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield (mark + part).encode()
        mark = ""


async def _name(event_id: UUID, connection: AsyncConnection[Any]) -> str:
    """Of the event; empty for one that was deleted. Raises NotFound when there is no such event,
    nor anybody who registered for it."""
    event = await get_event(connection, event_id)
    if event is None and not await next_visitors(connection, event_id, limit=1):
        raise NotFound("event", event_id)
    return event.name if event else ""
