"""`/admin/visitors/`: the visitors of all events or of one, and each with the messages to them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin import names
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.admin.kit.paging import beyond
from api.http.access import Permission
from api.http.attachments import attachment
from api.http.dispatch import origin_of
from api.http.reads import read
from api.http.requests import Request
from api.person_exports import export_recorded
from domain.core.errors import NotFound
from domain.core.values import Email
from domain.erasure import Erasure
from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from projections import notification_search, visitors
from projections.events import get_event
from projections.lists.keyset import PageStart, Slice
from projections.notification_search import pause
from projections.questions import questions_ever
from projections.removed_events import names_of_removed
from projections.retention_plan import forgetting_of
from projections.visitor_search import (
    HAS_STATUS,
    MOST_READ,
    count,
    most_counted,
    search,
    search_anywhere,
)
from projections.visitors import VisitorRow

VISITORS = "/admin/visitors/"
PAGE_SIZE = 50
TABLES = ["visitors", "events", "outbox", "retention"]


class VisitorPages(Controller):
    path = "/visitors"
    opt = {"access": Permission.READ_VISITORS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_visitors(self, request: Request) -> Response[str]:
        asked = request.query_params.get("q", "")[:255].replace("\0", "")
        text = asked if names.are_shown(request) else ""  # a search discloses names
        event_id, status = _event_id(request), _status(request)
        wanted: dict[str, Any] = {"text": text, "event_id": event_id, "status": status}

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            keys, days = request.connections.keys, request.settings.retention_days
            event = await get_event(connection, event_id) if event_id else None
            anywhere = (
                await search_anywhere(connection, keys, **wanted) if text and event_id else None
            )
            if anywhere is not None:
                found, number = (
                    Slice(rows=anywhere[:PAGE_SIZE], newer=None, older=None),
                    len(anywhere),
                )
            else:
                found = await search(
                    connection, keys, **wanted, start=beyond(request), limit=PAGE_SIZE
                )
                number = await count(connection, keys, **wanted)
            return {
                "found": found,
                "count": number,
                "is_anywhere": anywhere is not None,
                "event": event,
                "forgetting": await forgetting_of(connection, event_id, days) if event_id else None,
                "removed_event": await _name_of_removed(connection, event_id)
                if event_id and event is None
                else None,
                "asked": list((await questions_ever(connection, event_id)).values())
                if event_id
                else [],
            }

        content = await read(request, seen(request), query, TABLES)
        shown = await names.for_reader(request, content["found"].rows, event_id=event_id)
        return page(
            request,
            "visitors/list.html",
            **wanted,
            statuses=list(HAS_STATUS),
            shown=shown,
            most=MOST_READ if content["is_anywhere"] else most_counted(text),
            most_read=MOST_READ,
            **content,
        )

    @get("/{visitor_id:uuid}")
    async def visitor(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        content = await read(
            request,
            seen(request),
            partial(
                _visitor,
                request.connections.keys,
                visitor_id,
                beyond(request),
                request.settings.retention_days,
            ),
            TABLES,
        )
        timeline = await read(
            request, seen(request), lambda connection: timeline_for(request, connection, visitor_id)
        )
        (content["visitor"],) = await names.for_reader(
            request, [content["visitor"]], visitor_id=visitor_id
        )
        return page(request, "visitors/visitor.html", timeline=timeline, **content)

    @post("/{visitor_id:uuid}/export", opt={"access": Permission.EXPORT_PEOPLE})
    async def export(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        """A file with all that is known of the person, at all events."""
        row = await _row(request, visitor_id)
        if row.email is None:
            where, notice = f"{VISITORS}{visitor_id}", "This visitor is already erased."
            return see(request, where, position=None, notice=notice)
        exported = await export_recorded(request, Email.parse(row.email), seen(request))
        return Response(
            msgspec.json.format(msgspec.json.encode(exported)),
            media_type="application/json",
            headers={**attachment("", "json", otherwise="person"), "Cache-Control": "no-store"},
        )

    @get("/{visitor_id:uuid}/erase", opt={"access": Permission.ERASE_PEOPLE})
    async def confirm_erasure(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        return page(request, "visitors/erase.html", visitor=await _row(request, visitor_id))

    @post("/{visitor_id:uuid}/erase", opt={"access": Permission.ERASE_PEOPLE})
    async def erase(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        """Erases the person in all their registrations."""
        row = await _row(request, visitor_id)
        where = f"{VISITORS}{visitor_id}"
        if row.email is None:
            return see(request, where, position=None, notice="This visitor is already erased.")
        email = Email.parse(row.email)
        done = await request.connections.erasures.erase(email, origin_of(request))
        return see(request, where, position=done.position, notice=_erasure_notice(done.value))


def _event_id(request: Request) -> UUID | None:
    """An invalid id means the visitors of all events."""
    with suppress(ValueError):
        return UUID(request.query_params.get("event", ""))
    return None


def _status(request: Request) -> VisitorStatus | None:
    """Anything else means every status."""
    asked = request.query_params.get("status", "")
    return next((status for status in HAS_STATUS if status == asked), None)


async def _visitor(
    keys: InstallationKeys,
    id: UUID,
    start: PageStart,
    retention_days: int | None,
    connection: AsyncConnection[Any],
) -> dict[str, Any]:
    """The content of the page. Raises NotFound."""
    row = await _found(keys, id, connection)
    return {
        "visitor": row,
        "asked": await questions_ever(connection, row.event_id) if row.answers else {},
        "event": (event := await get_event(connection, row.event_id)),
        "removed_event": None if event else await _name_of_removed(connection, row.event_id),
        "forgetting": await forgetting_of(connection, row.event_id, retention_days),
        "messages": await notification_search.search(
            connection, keys, visitor_id=id, start=start, limit=PAGE_SIZE
        ),
        "pause": await pause(connection),
    }


async def _name_of_removed(connection: AsyncConnection[Any], id: UUID) -> str | None:
    return (await names_of_removed(connection, [id])).get(id)


async def _row(request: Request, id: UUID) -> VisitorRow:
    """Raises NotFound."""
    return await read(
        request, seen(request), partial(_found, request.connections.keys, id), ["visitors"]
    )


async def _found(keys: InstallationKeys, id: UUID, connection: AsyncConnection[Any]) -> VisitorRow:
    row = await visitors.get_visitor(connection, keys, id)
    if row is None:
        raise NotFound("visitor", id)
    return row


def _erasure_notice(erasure: Erasure) -> str:
    notice = f"Permanently erased: {_counted(erasure.registrations, 'registration')}"
    if erasure.notifications:
        notice += f"; {_counted(erasure.notifications, 'notification')} will not be sent"
    return f"{notice}."


def _counted(count: int, of_what: str) -> str:
    return f"{count:,} {of_what}{'' if count == 1 else 's'}"
