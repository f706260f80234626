"""`/admin/events/`: found, created, changed, closed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.access import Who
from api.admin.conflicts import newest_position
from api.admin.cookies import seen
from api.admin.event_filter import asked_filter, asked_order
from api.admin.forms import Form, parsed, refused, sent_form
from api.admin.pages import page, see
from api.admin.paging import Pages, page_number
from api.commands import execute
from api.events import EventChanges
from api.reading import read
from api.requests import Request
from domain.errors import ChangedMeanwhile, InvalidFields, NotFound
from domain.events import ChangeEvent, CreateEvent, DeleteEvent
from projections import areas, events
from projections.event_search import count_by_date, search

EVENTS = "/admin/events/"
PAGE_SIZE = 50
AREAS_OFFERED = 1_000

FIELDS = {
    "name": "Name",
    "area_id": "Area",
    "event_datetime": "Begins",
    "registration_deadline": "Registration ends",
    "status": "Status",
}


class EventPages(Controller):
    path = "/events"
    opt = {"access": Who.ORGANIZER}  # noqa: RUF012  Litestar's own type for it

    @get("/", opt={"access": Who.STAFF})
    async def list_events(self, request: Request) -> Response[str]:
        number = page_number(request)
        asked, order = asked_filter(request), asked_order(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            offset = (number - 1) * PAGE_SIZE
            found = await search(connection, asked, order=order, limit=PAGE_SIZE, offset=offset)
            return {
                "events": found.rows,
                "pages": Pages(number, PAGE_SIZE, found.total),
                "dates": await count_by_date(connection, asked),
                "areas": await _areas(connection),
            }

        content = await read(request, seen(request), query)
        return page(request, "events/list.html", filter=asked, order=order, **content)

    @get("/new")
    async def new_event(self, request: Request) -> Response[str]:
        return await _form(request, None, Form({"status": "open"}))

    @post("/new")
    async def create_event(self, request: Request) -> Response[Any]:
        sent = await sent_form(request)
        try:
            done = await execute(request, parsed(CreateEvent, _as_body(sent)))
        except InvalidFields as error:
            return await _form(request, None, refused(sent, error), status_code=422)
        created = done.value.event
        notice = f"“{created.details.name}” was created."
        return see(request, f"{EVENTS}{created.id}", position=done.position, notice=notice)

    @post("/close")
    async def close_events(self, request: Request) -> Response[Any]:
        """Those that were ticked, one command each; what is closed already stays as it is."""
        ids = [UUID(id) for id in (await request.form()).getall("id", [])]
        position = None
        for id in ids:
            done = await execute(request, ChangeEvent(event_id=id, status="closed"))
            position = max(position or 0, done.position)
        closed = "1 event was" if len(ids) == 1 else f"{len(ids)} events were"
        back = request.query_params.get("back", "")
        return see(request, f"{EVENTS}{back}", position=position, notice=f"{closed} closed.")

    @get("/{event_id:uuid}", opt={"access": Who.STAFF})
    async def event(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        row = await _row(request, event_id, seen(request))
        return page(request, "events/event.html", event=row)

    @get("/{event_id:uuid}/edit")
    async def edit(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        row = await _row(request, event_id, seen(request))
        return await _form(request, row, Form(_values(row)))

    @post("/{event_id:uuid}/edit")
    async def change(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """Who has seen an older version is shown what somebody else has changed."""
        sent = await sent_form(request)
        row = await _row(request, event_id, seen(request))
        try:
            changes = parsed(EventChanges, _as_body(sent))
            command = ChangeEvent(
                event_id=event_id,
                expected_version=_version(sent),
                **{name: getattr(changes, name) for name in FIELDS},
            )
            done = await execute(request, command)
        except InvalidFields as error:
            return await _form(request, row, refused(sent, error), status_code=422)
        except ChangedMeanwhile as error:
            row = await _row(request, event_id, await newest_position(request))
            form = Form({**sent, "version": str(row.version)}, {"": f"{error}."})
            return await _form(request, row, form, status_code=412, theirs=_values(row))
        where = f"{EVENTS}{event_id}"
        return see(request, where, position=done.position, notice="The event was changed.")

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
        row = await _row(request, event_id, seen(request))
        return page(request, "events/delete.html", event=row)

    @post("/{event_id:uuid}/delete")
    async def delete(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, DeleteEvent(event_id=event_id))
        return see(request, EVENTS, position=done.position, notice="The event was deleted.")


async def _row(request: Request, id: UUID, at_least: int) -> events.EventRow:
    row = await read(request, at_least, lambda connection: events.get_event(connection, id))
    if row is None:
        raise NotFound("event", id)
    return row


async def _form(
    request: Request,
    row: events.EventRow | None,
    form: Form,
    *,
    status_code: int = 200,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    """`theirs` are the values that somebody else has given meanwhile."""
    offered = await read(request, seen(request), _areas)
    labels = dict(offered)
    return page(
        request,
        "events/form.html",
        status_code=status_code,
        event=row,
        form=form,
        theirs=theirs,
        fields=FIELDS,
        areas=offered,
        area_names=labels,
    )


async def _areas(connection: AsyncConnection[Any]) -> list[tuple[str, str]]:
    """Id and name of those to choose from."""
    found = await areas.list_areas(connection, limit=AREAS_OFFERED)
    return [(str(area.id), area.name) for area in found.rows]


def _values(row: events.EventRow) -> dict[str, str]:
    return {
        "name": row.name,
        "area_id": str(row.area_id or ""),
        "event_datetime": _input(row.event_datetime),
        "registration_deadline": _input(row.registration_deadline),
        "status": row.status,
        "version": str(row.version),
    }


def _input(moment: datetime) -> str:
    """As the browser's own field for times has it; ours are UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M" if moment.second == 0 else "%Y-%m-%dT%H:%M:%S")


def _as_body(sent: Mapping[str, str]) -> dict[str, object]:
    """The form's fields as the API's body has them."""
    body: dict[str, object] = {**sent}
    body["area_id"] = sent.get("area_id") or None
    for name in ("event_datetime", "registration_deadline"):
        if (given := sent.get(name, "")).count("T") == 1 and not given.endswith("Z"):
            body[name] = f"{given}:00Z" if given.count(":") == 1 else f"{given}Z"
    return body


def _version(sent: Mapping[str, str]) -> int:
    given = sent.get("version", "")
    return int(given) if given.isdigit() else -1
