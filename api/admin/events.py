"""`/admin/events/`: find, create, change, close and delete events."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.area_field import offered_areas
from api.admin.event_cancellation import event_and_seats, people
from api.admin.event_filter import asked_area, asked_filter, asked_order
from api.admin.event_form import (
    NEW,
    after_conflict,
    copied,
    event_form,
    fields_of,
    filled,
)
from api.admin.following import LABELS, fields_from_provider
from api.admin.kit.charts import bar_chart
from api.admin.kit.conflicts import newest_position
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.admin.kit.paging import Pages, page_number
from api.admin.removed_event import removed_event, visitors_kept
from api.admin.selected_events import ACTIONS, deleted_before
from api.event_fields import EventChanges
from api.html.forms import parsed, refused, seen_version, sent_form
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound
from domain.core.times import zone_of
from domain.event_editing import ChangeEvent, CreateEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from domain.provider_items import FollowProvider
from domain.question_editing import ChangeQuestions
from projections import events, registration_counts
from projections.event_dates import count_by_date
from projections.event_search import search
from projections.event_visitors import count_entered
from projections.questions import get_questions
from projections.removed_events import names_of_removed
from projections.retention_plan import forgetting_of
from projections.seats import seats_of

EVENTS = "/admin/events/"
PAGE_SIZE = 50


class EventPages(Controller):
    path = "/events"
    opt = {"access": Permission.CHANGE_EVENTS}  # noqa: RUF012  Litestar's own type for it

    @get("/", opt={"access": Permission.USE_PANEL})
    async def list_events(self, request: Request) -> Response[str]:
        number, order = page_number(request), asked_order(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            asked = await asked_filter(request, connection)
            offset = (number - 1) * PAGE_SIZE
            counts = request.connections.dates
            dates = await count_by_date(connection, counts, asked, now=datetime.now(UTC))
            found = await search(connection, asked, order=order, limit=PAGE_SIZE, offset=offset)
            return {
                "filter": asked,
                "events": found,
                "seats": await seats_of(connection, found),
                "pages": Pages(number, PAGE_SIZE, sum(date.count for date in dates)),
                "dates": dates,
                "areas": await offered_areas(connection),
                "deleted": await names_of_removed(connection, deleted_before(request)),
            }

        content = await read(request, seen(request), query)
        names = dict(content["areas"])
        area = asked_area(request)
        return page(
            request,
            "events/list.html",
            order=order,
            actions=ACTIONS,
            area=names.get(area.lower(), area),
            **content,
        )

    @get("/new")
    async def new_event(self, request: Request) -> Response[str]:
        """Filled with the fields of another event, if the address names one."""
        with suppress(ValueError):
            source = UUID(request.query_params.get("copy", ""))
            return await event_form(
                request, None, copied(await _row(request, source, seen(request)))
            )
        return await event_form(request, None, NEW)

    @post("/new")
    async def create_event(self, request: Request) -> Response[Any]:
        sent = await sent_form(request)
        try:
            done = await execute(request, await fields_of(request, CreateEvent, sent))
        except InvalidFields as error:
            return await event_form(request, None, refused(sent, error), status_code=422)
        created = done.value.event
        position = await _copy_questions(request, sent.get("copy", ""), created.id) or done.position
        notice = f"“{created.details.name}” was created."
        return see(request, f"{EVENTS}{created.id}", position=position, notice=notice)

    @get("/{event_id:uuid}", opt={"access": Permission.USE_PANEL})
    async def event(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        try:
            row, seats = await event_and_seats(request, event_id)
        except NotFound:
            return await removed_event(request, event_id)
        zone, settings = zone_of(row.timezone), request.settings

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            series = await registration_counts.complete_series(connection, event_id, zone=zone)
            return {
                "chart": series and bar_chart(series, "registrations", "Registrations", str(zone)),
                "provided": await fields_from_provider(connection, event_id),
                "timeline": await timeline_for(request, connection, event_id),
                "entered": await count_entered(connection, event_id),
                "forgetting": await forgetting_of(connection, event_id, settings.retention_days),
            }

        content = await read(
            request, seen(request), query, ["registrations", "visitors", "retention"]
        )
        public = (settings.public_url or "") if settings.public_pages else None
        return page(request, "events/event.html", event=row, seats=seats, public=public, **content)

    @get("/{event_id:uuid}/edit")
    async def edit(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        row = await _row(request, event_id, seen(request))
        return await event_form(request, row, filled(row))

    @post("/{event_id:uuid}/edit")
    async def change(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """On a conflict, shows what someone else has changed since the form was shown."""
        sent = await sent_form(request)
        row = await _row(request, event_id, seen(request))
        try:
            changes = await fields_of(request, EventChanges, sent)
            command = ChangeEvent(
                event_id=event_id,
                expected_version=seen_version(sent),
                **msgspec.structs.asdict(changes),
            )
            done = await execute(request, command)
        except InvalidFields as error:
            return await event_form(request, row, refused(sent, error), status_code=422)
        except ChangedMeanwhile:
            row = await _row(request, event_id, await newest_position(request))
            return await after_conflict(request, row, sent)
        where = f"{EVENTS}{event_id}"
        return see(request, where, position=done.position, notice="The event was changed.")

    @post("/{event_id:uuid}/follow/{field:str}")
    async def follow(
        self, request: Request, event_id: FromPath[UUID], field: FromPath[str]
    ) -> Response[Any]:
        """Makes a field that was changed here follow the provider again."""
        if field not in LABELS:
            raise NotFound("field", event_id)
        done = await execute(request, FollowProvider(event_id=event_id, field=field))
        notice = f"{LABELS[field]} now follows the provider again."
        return see(request, f"{EVENTS}{event_id}", position=done.position, notice=notice)

    @post("/{event_id:uuid}/{status:str}")
    async def set_status(
        self, request: Request, event_id: FromPath[UUID], status: FromPath[str]
    ) -> Response[Any]:
        if status not in {"open", "closed"}:
            raise NotFound("status", event_id)
        command = parsed(EventChanges, {"status": status})
        done = await execute(request, ChangeEvent(event_id=event_id, status=command.status))
        notice = "Registration is open." if status == "open" else "Registration is closed."
        return see(request, f"{EVENTS}{event_id}", position=done.position, notice=notice)

    @get("/{event_id:uuid}/delete")
    async def confirm_deletion(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        row, seats = await event_and_seats(request, event_id)
        return page(request, "events/delete.html", event=row, seats=seats, people=people)

    @post("/{event_id:uuid}/delete")
    async def delete(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, DeleteEvent(event_id=event_id))
        where = f"{EVENTS}?deleted={event_id}"
        return see(request, where, position=done.position, notice="The event was deleted.")

    @post("/{event_id:uuid}/restore")
    async def restore(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, RestoreEvent(event_id=event_id))
        kept = await read(request, 0, lambda connection: visitors_kept(connection, event_id))
        notice = f"“{done.value.event.details.name}” was restored: {kept.in_words}."
        return see(request, f"{EVENTS}{event_id}", position=done.position, notice=notice)


async def _copy_questions(request: Request, source: str, event_id: UUID) -> int | None:
    """From the event that the form was filled from; None if there is nothing to copy."""
    try:
        source_id = UUID(source)
    except ValueError:
        return None
    asked = await read(
        request, seen(request), lambda connection: get_questions(connection, source_id)
    )
    if not asked or not asked.questions:
        return None
    command = ChangeQuestions(event_id=event_id, questions=asked.questions)
    return (await execute(request, command)).position


async def _row(request: Request, id: UUID, at_least: int) -> events.EventRow:
    row = await read(request, at_least, lambda connection: events.get_event(connection, id))
    if row is None:
        raise NotFound("event", id)
    return row
