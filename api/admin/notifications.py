"""`/admin/notifications/`: the messages to visitors and their outcome. Failed ones can be sent
again, and waiting ones can be tried now."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

import structlog
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin import names
from api.admin.event_filter import span_of
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.admin.kit.paging import beyond
from api.http.access import Permission
from api.http.dispatch import execute, origin_of
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import NotFound
from domain.history.batch import Done
from domain.history.group_commit import BATCH_LIMIT
from domain.notifications import QueueAgain
from projections.backlog import send_now
from projections.events import get_event
from projections.lists.names import names_of
from projections.messages import messages_by_id
from projections.new_messages import MOST_IN_PERIOD
from projections.notification_search import (
    COUNT_LIMIT,
    MOST_EVENTS,
    MOST_VISITORS,
    FoundNotification,
    about,
    count_by_state,
    count_that_may_be_sent_again,
    dates_with_notifications,
    get_notification,
    pause,
    search,
    that_may_be_sent_again,
)
from projections.outcomes import State

NOTIFICATIONS = "/admin/notifications/"
EVENTS = "/admin/events/"
PAGE_SIZE = 50
TABLES = ["outbox", "events"]

STATES = ("waiting", "sent", "failed")

log = structlog.get_logger()


class NotificationPages(Controller):
    path = "/notifications"
    opt = {"access": Permission.SEND_AGAIN}  # noqa: RUF012  Litestar's own type for it

    @get("/", opt={"access": Permission.READ_VISITORS})
    async def list_notifications(self, request: Request) -> Response[str]:
        state = asked_state(request)
        span = span_of(request.query_params.get("date", ""))
        text = request.query_params.get("q", "")[:255].replace("\0", "").strip()
        people = names.are_shown(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            keys = request.connections.keys
            found = await search(
                connection,
                keys,
                state=state,
                span=span,
                about=await about(connection, keys, text, people=people) if text else None,
                start=beyond(request),
                limit=PAGE_SIZE,
            )
            return {
                "found": found,
                "event_names": await names_of(connection, {row.event_id for row in found.rows}),
                "dates": await dates_with_notifications(connection, span),
                "counts": await count_by_state(connection),
                "pause": await pause(connection),
            }

        content = await read(request, seen(request), query, TABLES)
        return page(
            request,
            "notifications/list.html",
            shown=await names.for_reader(request, content["found"].rows),
            filter={"state": state, "span": span, "text": text},
            most=COUNT_LIMIT,
            most_events=MOST_EVENTS,
            most_visitors=MOST_VISITORS,
            **content,
        )

    @get("/{notification_id:uuid}", opt={"access": Permission.READ_VISITORS})
    async def notification(
        self, request: Request, notification_id: FromPath[UUID]
    ) -> Response[str]:
        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            keys = request.connections.keys
            found = await get_notification(connection, keys, notification_id)
            if found is None:
                raise NotFound("notification", notification_id)
            messages = await messages_by_id(connection, [found.id])
            return {
                "notification": found,
                "message": messages[found.id].written_to(found.person).without_code(),
                "event": await get_event(connection, found.event_id),
                "pause": await pause(connection),
                "timeline": await timeline_for(request, connection, found.id),
            }

        content = await read(request, seen(request), query, TABLES)
        found: FoundNotification = content["notification"]
        (content["notification"],) = await names.for_reader(
            request, [found], visitor_id=found.visitor_id
        )
        return page(
            request, "notifications/notification.html", most_in_period=MOST_IN_PERIOD, **content
        )

    @post("/{notification_id:uuid}/again")
    async def send_again(self, request: Request, notification_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, QueueAgain(notification_id=notification_id))
        back = request.query_params.get("back", "")
        is_list = back.startswith((NOTIFICATIONS, EVENTS))
        where = back if is_list else NOTIFICATIONS + str(notification_id)
        return see(request, where, position=done.position, notice=_notice(done))

    @post("/now")
    async def send_waiting_now(self, request: Request) -> Response[Any]:
        """Tries all waiting notifications now, even before their `Retry-After`."""
        async with request.connections.primary.connection() as connection:
            due = await send_now(connection)
        actor = origin_of(request).actor
        log.info("waiting notifications are tried now", notifications=due, actor=actor)
        notice = (
            f"{_counted(due)} will be tried now."
            if due
            else "No message is waiting for a later try."
        )
        return see(request, f"{NOTIFICATIONS}?state=waiting", position=None, notice=notice)

    @get("/again")
    async def confirm_all(self, request: Request) -> Response[str]:
        count = await read(request, seen(request), count_that_may_be_sent_again, TABLES)
        return page(request, "notifications/again.html", count=count, most=COUNT_LIMIT)

    @post("/again")
    async def send_all_again(self, request: Request) -> Response[Any]:
        return await all_sent_again(request, NOTIFICATIONS)


async def all_sent_again(
    request: Request, where: str, event_id: UUID | None = None
) -> Response[Any]:
    """All failed ones of an event, or of all. One command each, in chunks that the writer commits
    together; at most a fixed number. `where`: the list to go back to."""
    ids = await read(
        request,
        seen(request),
        lambda connection: that_may_be_sent_again(connection, COUNT_LIMIT + 1, event_id),
        TABLES,
    )
    ids, more = ids[:COUNT_LIMIT], len(ids) > COUNT_LIMIT
    queued, position = 0, None
    for start in range(0, len(ids), BATCH_LIMIT):
        commands = [QueueAgain(notification_id=id) for id in ids[start : start + BATCH_LIMIT]]
        answers = await asyncio.gather(*(execute(request, command) for command in commands))
        queued += sum(done.value for done in answers)
        position = max(done.position for done in answers)
    notice = f"{_counted(queued)} will be sent again."
    if more:
        notice += " More failed messages remain: repeat this when these are sent."
    return see(request, f"{where}?state=waiting", position=position, notice=notice)


def _counted(number: int) -> str:
    return f"{number:,} message{'s' if number != 1 else ''}"


def asked_state(request: Request) -> State | None:
    """Anything else means every state."""
    asked = request.query_params.get("state", "")
    return cast("State", asked) if asked in STATES else None


def _notice(done: Done) -> str:
    """The notice after a request to send one notification again."""
    if done.value:
        return "The message will be sent again."
    return "Nothing changed: the message has not failed, or is already queued again."
