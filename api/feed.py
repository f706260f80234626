"""`GET /api/feed`: what happened, in order, for other systems."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from psycopg import AsyncConnection

from api.database.query import run_query
from api.http.access import Permission
from api.http.connections import Connections
from api.http.feed_examples import item_example
from api.http.key_access import require_key
from api.http.parameters import FEED_TYPES, UUID_OR_NOTHING
from api.http.refusals import OutsideOfEvents
from api.http.requests import Request
from api.http.responses import Ready
from api.identity.credentials import Pool
from domain.audit.point_in_time import LAST_POSITION
from domain.core.errors import NotFound
from domain.feed import reading
from domain.feed.item import FeedItem
from domain.feed.lookups import is_event
from domain.feed.positions import NotInHistory
from domain.feed.reading import FeedStopped
from domain.feed.wanted import Wanted
from domain.history.codec import to_json
from projections.feed_blocks import find_blocks

MAX_WAIT = 20
"""Seconds."""

_After = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=LAST_POSITION,
        description="Only items after this position: `meta.position` of the page before. 0: from "
        "the beginning.",
    ),
]
_Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="Items in a page, at most.")]
_Types = Annotated[
    str,
    QueryParameter(
        pattern=FEED_TYPES,
        description="Only items of these types, separated by commas. Empty: all types.",
    ),
]
_EventId = Annotated[
    str, QueryParameter(pattern=UUID_OR_NOTHING, description="Only items about this event.")
]
_Wait = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=MAX_WAIT,
        description="Seconds to wait for an item if there is none yet. It comes as soon as it "
        "happens.",
    ),
]

_EXAMPLE = {
    "data": [item_example("visitor.registered")],
    "meta": {"position": 42},
    "errors": [],
}


class FeedMeta(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    """The next `after`; without items it may be later than this one."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    data: list[FeedItem]
    meta: FeedMeta
    errors: tuple[()] = ()


class _Read(msgspec.Struct, frozen=True):
    """A page, encoded."""

    position: int
    is_empty: bool
    body: bytes


@get(
    "/api/feed",
    tags=["feed"],
    summary="Read the feed",
    opt={
        "access": Permission.READ_FEED,
        "of_events": True,
        "problems": [NotFound, NotInHistory, FeedStopped],
        "example": _EXAMPLE,
    },
)
async def read_feed(
    request: Request,
    after: _After = 0,
    limit: _Limit = 100,
    types: _Types = "",
    event_id: _EventId = "",
    wait: _Wait = 0,
) -> Response[Feed]:
    """Items in the order of history: none is missing, and none comes later at an earlier position.
    Each says what happened as it was then; the schema of its `data` is under `webhooks`, by `type`.

    To follow the feed, pass `meta.position` as the next `after`, also if there were no items, and
    store it together with what you did with them. Names and emails are null for auditors, for keys
    without the scope `personal`, and for people who were erased."""
    of_events = await _events(request, event_id)
    wanted = Wanted(frozenset(filter(None, types.split(","))), of_events)
    personal, connections = request.may_read_personal, request.connections

    async def read(after: int, pool: Pool) -> _Read:
        return await run_query(
            pool, lambda connection: _read(connection, connections, after, limit, wanted, personal)
        )

    async def read_shared(after: int) -> _Read:
        key = (after, limit, wanted, personal)
        shared: _Read = await connections.feed.pages(key, lambda: read(after, connections.primary))
        return shared

    async def read_first() -> _Read:
        try:
            return await read(after, connections.readers)
        except NotInHistory:
            if not connections.reads_replica:
                raise
            return await read(after, connections.primary)  # the replica lags behind it

    async def read_next(position: int) -> _Read:
        """The next page with an item. An empty one if the time is over, the client is gone, or the
        process has to end."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait
        gone = asyncio.create_task(_gone(request), name="feed client")
        try:
            while True:
                left = ends - loop.time()
                page = await read_shared(await connections.feed.wait(wanted, position, left, gone))
                is_over = gone.done() or connections.ending.is_set() or loop.time() >= ends
                if is_over or not page.is_empty:
                    return page
                position = page.position
        finally:
            gone.cancel()

    page = await (read_shared(after) if wait else read_first())
    if page.is_empty and wait:
        page = await read_next(page.position)
        await require_key(request)  # it may have been revoked meanwhile
    return Ready(page.body, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _gone(request: Request) -> None:
    """Returns when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(
    connection: AsyncConnection[Any],
    connections: Connections,
    after: int,
    limit: int,
    wanted: Wanted,
    personal: bool,
) -> _Read:
    page = await reading.read_feed(
        connection,
        connections.keys,
        after=after,
        limit=limit,
        personal=personal,
        types=wanted.types,
        of_events=wanted.of_events,
        find_blocks=find_blocks,
    )
    body = to_json(Feed(data=page.items, meta=FeedMeta(position=page.position)))
    return _Read(page.position, not page.items, body)


async def _events(request: Request, event_id: str) -> frozenset[UUID] | None:
    """The events that the caller asks for. Raises OutsideOfEvents; NotFound for an id that was
    never an event's, since waiting for its items would never end."""
    allowed = request.event_ids
    if not event_id:
        return allowed
    asked = UUID(event_id)
    if allowed is not None and asked not in allowed:
        raise OutsideOfEvents
    if not await run_query(
        request.connections.primary, lambda connection: is_event(connection, asked)
    ):
        raise NotFound("event", asked)
    return frozenset([asked])
