"""`/admin/events/selected`: one change to several events. The page says what will happen before it
does, and afterwards which events refused it; sending it twice changes nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from psycopg import AsyncConnection

from api.admin.area_field import area_named, offered_areas
from api.admin.kit.cookies import seen
from api.admin.kit.pages import page, see
from api.event_fields import EventCancellation
from api.html.forms import Form, parsed, refused
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import DomainError, InvalidFields, NotFound
from domain.core.values import Invalid, Reason
from domain.event_cancellation import CancelEvent
from domain.event_editing import ChangeEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from projections.event_search import events_of_ids
from projections.events import EventRow
from projections.removed_events import names_of_removed
from projections.seats import Seats, seats_of

EVENTS = "/admin/events/"
MOST = 50
"""Events at once: a page of the list."""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What the form adds to the selection."""

    reason: Reason = Reason()
    area_id: UUID | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    heading: str
    """`... 5 events`"""
    done: str
    """`5 events were ...`"""
    explanation: str
    command: Callable[[UUID, Details], object]
    is_done: Callable[[EventRow], bool] = lambda _: False
    """Whether it would change nothing."""
    tells_visitors: bool = False
    is_dangerous: bool = False


ACTIONS: Mapping[str, Action] = {
    "close": Action(
        label="Close registration",
        heading="Close registration of",
        done="closed",
        explanation="Nobody can register until registration is opened again.",
        command=lambda id, _: ChangeEvent(event_id=id, status="closed"),
        is_done=lambda event: event.status == "closed",
    ),
    "open": Action(
        label="Open registration",
        heading="Open registration of",
        done="opened",
        explanation="Visitors can register where the deadline has not passed and seats are free.",
        command=lambda id, _: ChangeEvent(event_id=id, status="open"),
        is_done=lambda event: event.status == "open",
    ),
    "move": Action(
        label="Move to an area",
        heading="Move to an area:",
        done="moved",
        explanation="Visitors of events to come get a message about the new place.",
        command=lambda id, details: ChangeEvent(event_id=id, area_id=details.area_id),
    ),
    "cancel": Action(
        label="Cancel",
        heading="Cancel",
        done="cancelled",
        explanation="Registration ends. Events can be reinstated: then all registrations are valid "
        "again.",
        command=lambda id, details: CancelEvent(event_id=id, reason=details.reason),
        is_done=lambda event: event.cancelled is not None,
        tells_visitors=True,
        is_dangerous=True,
    ),
    "delete": Action(
        label="Delete",
        heading="Delete",
        done="deleted",
        explanation="They disappear from every list, and nobody gets a message. They can be "
        "restored: seats, waiting lists and reminders are then as before, except for visitors who "
        "were forgotten meanwhile.",
        command=lambda id, _: DeleteEvent(event_id=id),
        is_dangerous=True,
    ),
}

RESTORE = Action(
    label="Undo",
    heading="Restore",
    done="restored",
    explanation="",
    command=lambda id, _: RestoreEvent(event_id=id),
)
"""Undoes a deletion at once; the button is next to the notice of the deletion."""


class SelectedEvents(Controller):
    path = "/events/selected"
    opt = {"access": Permission.CHANGE_EVENTS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def confirm(self, request: Request) -> Response[Any]:
        """What the change will do. Raises InvalidFields."""
        query = request.query_params
        ids = _ids(query.getall("id", []))
        back = _list_query(query.get("back", ""))
        if not ids:
            return _nothing_selected(request, back)
        return await _confirmation(request, query.get("change", ""), ids, back, Form())

    @post("/")
    async def change(self, request: Request) -> Response[Any]:
        """One command for each event: one that is refused does not stop the others."""
        form = await request.form()
        sent = {name: text for name, text in form.items() if isinstance(text, str)}
        ids = _ids(form.getall("id", []))
        name, back = sent.get("change", ""), _list_query(sent.get("back", ""))
        action = RESTORE if name == "restore" else _action(name)
        if not ids:
            return _nothing_selected(request, back)
        try:
            details = await _details(request, name, sent)
        except InvalidFields as error:
            return await _confirmation(request, name, ids, back, refused(sent, error), 422)
        known = await _names(request, ids)
        position, changed, refusals = None, list[UUID](), list[tuple[str, str]]()
        for id in ids:
            try:
                done = await execute(request, action.command(id, details))
            except DomainError as error:
                if action.done == "deleted" and isinstance(error, NotFound) and id in known:
                    changed.append(id)  # already
                else:
                    refusals.append((known.get(id, str(id)), str(error)))
            else:
                position = done.position if position is None else max(position, done.position)
                changed.append(id)
        notice = f"{_counted(len(changed))} {action.done}."
        where = EVENTS + _with_deleted(back, changed if action.done == "deleted" else [])
        if not refusals:
            return see(request, where, position=position, notice=notice)
        return page(
            request,
            "events/refused.html",
            action=action,
            notice_of_done=notice if changed else "",
            refusals=refusals,
            back=where,
        )


def _nothing_selected(request: Request, back: str) -> Response[Any]:
    return see(request, EVENTS + back, position=None, notice="First select events.")


async def _confirmation(
    request: Request, name: str, ids: Collection[UUID], back: str, form: Form, status: int = 200
) -> Response[str]:
    async def query(
        connection: AsyncConnection[Any],
    ) -> tuple[list[EventRow], Mapping[UUID, Seats], list[tuple[str, str]]]:
        rows = await events_of_ids(connection, ids)
        return rows, await seats_of(connection, rows), await offered_areas(connection)

    rows, seats, areas = await read(request, seen(request), query)
    action = ACTIONS[_action_name(name)]
    changing = [row for row in rows if not action.is_done(row)]
    return page(
        request,
        "events/selected.html",
        status_code=status,
        name=name,
        action=action,
        changing=changing,
        unchanged=[row for row in rows if action.is_done(row)],
        missing=len(ids) - len(rows),
        registered=sum(seats[row.id].taken for row in changing),
        waiting=sum(seats[row.id].waiting for row in changing),
        seats=seats,
        areas=areas,
        back=back,
        form=form,
    )


async def _details(request: Request, name: str, sent: Mapping[str, str]) -> Details:
    """Raises InvalidFields."""
    if name == "cancel":
        text = sent.get("reason", "").replace("\r\n", "\n")
        return Details(reason=parsed(EventCancellation, {"reason": text}).reason)
    if name == "move":
        try:
            return Details(area_id=await area_named(request, sent.get("area_id", "")))
        except Invalid as error:
            raise InvalidFields(area_id=str(error)) from None
    return Details()


async def _names(request: Request, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Of events that exist or were removed."""

    async def query(connection: AsyncConnection[Any]) -> dict[UUID, str]:
        removed = await names_of_removed(connection, ids)
        return {**removed, **{row.id: row.name for row in await events_of_ids(connection, ids)}}

    return await read(request, seen(request), query)


def deleted_before(request: Request) -> list[UUID]:
    """The events whose deletion led to this address; anything that is no id is ignored."""
    found = list[UUID]()
    for text in request.query_params.get("deleted", "").split(",")[:MOST]:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


def _with_deleted(back: str, ids: Sequence[UUID]) -> str:
    if not ids:
        return back
    return f"{back or '?'}{'&' if back else ''}{urlencode({'deleted': ','.join(map(str, ids))})}"


def _list_query(back: str) -> str:
    """The query of the list that the selection was made in; no other address."""
    return back if back.startswith("?") and "\r" not in back and "\n" not in back else ""


def _action(name: str) -> Action:
    """Raises InvalidFields."""
    return ACTIONS[_action_name(name)]


def _action_name(name: str) -> str:
    if name not in ACTIONS:
        raise InvalidFields(change=f"must be one of {', '.join(ACTIONS)}")
    return name


def _ids(selected: Sequence[Any]) -> list[UUID]:
    """Each once. Raises InvalidFields."""
    if len(selected) > MOST:
        raise InvalidFields(id=f"must be at most {MOST}")
    try:
        return list(dict.fromkeys(UUID(str(id)) for id in selected))
    except ValueError:
        raise InvalidFields(id="must be a UUID") from None


def _counted(count: int) -> str:
    return "1 event was" if count == 1 else f"{count} events were"
