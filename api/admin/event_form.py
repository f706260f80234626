"""The form to create or change an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from litestar import Response
from psycopg import AsyncConnection

from api.admin.durations import from_words, in_words
from api.admin.kit import conflicts
from api.admin.kit.conflicts import WAS, Difference, as_shown, differences, is_typed, merged
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import Entry
from api.admin.kit.pages import page
from api.html.forms import Form, whole_number
from api.http.reads import read
from api.http.requests import Request
from domain.core.times import timezones
from projections import areas
from projections.events import EventRow

FIELDS = {
    "name": "Name",
    "description": "Description",
    "event_datetime": "Begins (UTC)",
    "ends_at": "Ends (UTC)",
    "timezone": "Time zone",
    "area_id": "Area",
    "status": "Registration",
    "registration_deadline": "Registration ends (UTC)",
    "capacity": "Seats",
    "waiting_list": "Waiting list",
    "cancel_until": "Visitors may cancel until (UTC)",
    "confirm_within": "Confirm the address within",
    "reminders": "Reminders",
}
"""Name -> label."""

TIMES = ("event_datetime", "ends_at", "registration_deadline", "cancel_until")

MAY_BE_NULL = ("ends_at", "area_id", "capacity", "cancel_until", "confirm_within")
"""Fields whose input may be empty."""

NEW = Form({"status": "open", "timezone": "UTC", "waiting_list": "off"})

AREAS_OFFERED = 1_000


async def event_form(
    request: Request,
    row: EventRow | None,
    form: Form,
    *,
    status_code: int = 200,
    changed: Sequence[Difference] | None = None,
    last_change: Entry | None = None,
) -> Response[str]:
    """`changed` holds the fields that someone else changed in the meantime, None without such
    changes; `last_change` says who changed them."""
    offered = await read(request, seen(request), offered_areas)
    return page(
        request,
        "events/form.html",
        status_code=status_code,
        event=row,
        form=form,
        changed=changed,
        last_change=last_change,
        hidden=["version", *(WAS + name for name in FIELDS)],
        labels=FIELDS,
        times=TIMES,
        areas=offered,
        area_names=dict(offered),
        timezones=sorted(timezones()),
    )


async def after_conflict(request: Request, row: EventRow, sent: Mapping[str, str]) -> Response[str]:
    """The form with the changes of both: its sender's, and those already in `row`."""
    theirs, names = _values(row), list(FIELDS)
    form = Form(merged(sent, theirs, names))
    changed = differences(sent, theirs, names)
    return await event_form(
        request,
        row,
        form,
        status_code=412,
        changed=changed,
        last_change=await conflicts.last_change(request, row.id),
    )


async def offered_areas(connection: AsyncConnection[Any]) -> list[tuple[str, str]]:
    """Ids and names of the areas to choose from."""
    found = await areas.list_areas(connection, limit=AREAS_OFFERED)
    return [(str(area.id), area.name) for area in found.rows]


def filled(row: EventRow) -> Form:
    return Form(as_shown(_values(row)))


def as_body(sent: Mapping[str, str]) -> dict[str, object]:
    """The form's fields as a body of the API, without unchanged fields: the form shows no fractions
    of a second, so sending an unchanged time would change it."""
    body: dict[str, object] = {name: sent[name] for name in FIELDS if is_typed(sent, name)}
    for name, text in body.items():
        body[name] = None if name in MAY_BE_NULL and text == "" else _parsed(name, str(text))
    return body


def _parsed(name: str, text: str) -> object:
    """As JSON has it; the text itself if it is not valid."""
    if name in TIMES and text.count("T") == 1 and not text.endswith("Z"):
        return f"{text}:00Z" if text.count(":") == 1 else f"{text}Z"
    if name == "capacity":
        number = whole_number(text)
        return text if number is None else number
    if name == "confirm_within":
        return from_words(text)
    if name == "reminders":
        return [from_words(part) for part in text.split(",") if part.strip()]
    return text


def _values(row: EventRow) -> dict[str, str]:
    return {
        "name": row.name,
        "description": row.description,
        "event_datetime": _input(row.event_datetime),
        "ends_at": _input(row.ends_at),
        "timezone": row.timezone,
        "area_id": str(row.area_id or ""),
        "status": row.status,
        "registration_deadline": _input(row.registration_deadline),
        "capacity": "" if row.capacity is None else str(row.capacity),
        "waiting_list": row.waiting_list,
        "cancel_until": _input(row.cancel_until),
        "confirm_within": in_words(row.confirm_within) if row.confirm_within else "",
        "reminders": ", ".join(map(in_words, row.reminders)),
        "version": str(row.version),
    }


def _input(moment: datetime | None) -> str:
    """The value of a `datetime-local` input, in UTC."""
    if moment is None:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M" if moment.second == 0 else "%Y-%m-%dT%H:%M:%S")
