"""The form to create or change an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from litestar import Response

from api.admin.area_field import area_named, offered_areas
from api.admin.durations import from_words, in_words
from api.admin.event_times import as_sent, as_typed
from api.admin.kit import conflicts
from api.admin.kit.conflicts import WAS, Difference, as_shown, differences, is_typed, merged
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import Entry
from api.admin.kit.pages import page
from api.html.forms import Form, parsed, whole_number
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import InvalidFields
from domain.core.times import timezones
from domain.core.values import Invalid
from projections.events import EventRow
from runtime.languages.locale import NAMES

T = TypeVar("T", bound=msgspec.Struct)

FIELDS = {
    "name": "Name",
    "description": "Description",
    "timezone": "Time zone",
    "event_datetime": "Begins",
    "ends_at": "Ends",
    "area_id": "Area",
    "status": "Registration",
    "registration_deadline": "Registration ends",
    "capacity": "Seats",
    "waiting_list": "Waiting list",
    "cancel_until": "Visitors may cancel until",
    "confirm_within": "Confirm the address within",
    "reminders": "Reminders",
    "language": "Language",
    "retention_days": "Keep the visitors for so many days",
}
"""Name -> label."""

TIMES = ("event_datetime", "ends_at", "registration_deadline", "cancel_until")

MAY_BE_NULL = (
    "ends_at",
    "area_id",
    "capacity",
    "cancel_until",
    "confirm_within",
    "retention_days",
    "language",
)
"""Fields whose input may be empty."""

NEW = Form({"status": "open", "timezone": "UTC", "waiting_list": "off"})

NUMBERS = ("capacity", "retention_days")


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
        setting=request.settings.retention_days,
        areas=offered,
        languages=list(NAMES.items()),
        timezones=sorted(timezones()),
        own_zone=form is NEW,
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


def filled(row: EventRow) -> Form:
    return Form(as_shown(_values(row)))


def copied(row: EventRow) -> Form:
    """For a new event like this one, at a time that is to be chosen."""
    values = _values(row) | dict.fromkeys(TIMES, "") | {"version": ""}
    return Form(values | {"name": row.name, "copy": str(row.id)})


async def fields_of(request: Request, kind: type[T], sent: Mapping[str, str]) -> T:
    """The form's fields without unchanged ones: the form shows no fractions of a second, so sending
    an unchanged time would change it. In another time zone all times change, since the form has the
    local ones. An area is sent by its name. Raises InvalidFields."""
    zone = sent.get("timezone", "UTC")
    moved = is_typed(sent, "timezone")
    body: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for name in FIELDS:
        if not (is_typed(sent, name) or (moved and name in TIMES and name in sent)):
            continue
        text = sent[name]
        try:
            if name == "area_id":
                area = await area_named(request, text, create="create_area" in sent)
                body[name] = None if area is None else str(area)
            else:
                empty = name in MAY_BE_NULL and text == ""
                body[name] = None if empty else _parsed(name, text, zone)
        except Invalid as error:
            body[name], wrong[name] = "", str(error)
    try:
        return parsed(kind, body)
    except InvalidFields as error:
        raise InvalidFields(**{**error.messages, **wrong}) from None


def _parsed(name: str, text: str, zone: str) -> object:
    """As JSON has it; the text itself if it is not valid. Raises `Invalid` for a time."""
    if name in TIMES:
        return as_sent(text, zone)
    if name in NUMBERS:
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
        "event_datetime": as_typed(row.event_datetime, row.timezone),
        "ends_at": as_typed(row.ends_at, row.timezone),
        "timezone": row.timezone,
        "area_id": row.area or "",
        "status": row.status,
        "registration_deadline": as_typed(row.registration_deadline, row.timezone),
        "capacity": "" if row.capacity is None else str(row.capacity),
        "waiting_list": row.waiting_list,
        "cancel_until": as_typed(row.cancel_until, row.timezone),
        "confirm_within": in_words(row.confirm_within) if row.confirm_within else "",
        "reminders": ", ".join(map(in_words, row.reminders)),
        "language": row.language or "",
        "retention_days": "" if row.retention_days is None else str(row.retention_days),
        "version": str(row.version),
    }
