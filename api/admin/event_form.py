"""The form to create or change an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from litestar import Response
from psycopg import AsyncConnection

from api.admin.kit import conflicts
from api.admin.kit.conflicts import WAS, Difference, as_shown, differences, is_typed, merged
from api.admin.kit.cookies import seen
from api.admin.kit.forms import Form
from api.admin.kit.history_entries import Entry
from api.admin.kit.pages import page
from api.http.reads import read
from api.http.requests import Request
from projections import areas
from projections.events import EventRow

FIELDS = {
    "name": "Name",
    "event_datetime": "Begins (UTC)",
    "registration_deadline": "Registration ends (UTC)",
    "area_id": "Area",
    "status": "Registration",
}
"""Name -> label."""

NEW = Form({"status": "open"})

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
        areas=offered,
        area_names=dict(offered),
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
    if "area_id" in body:
        body["area_id"] = sent["area_id"] or None
    for name in ("event_datetime", "registration_deadline"):
        given = sent.get(name, "")
        if name in body and given.count("T") == 1 and not given.endswith("Z"):
            body[name] = f"{given}:00Z" if given.count(":") == 1 else f"{given}Z"
    return body


def _values(row: EventRow) -> dict[str, str]:
    return {
        "name": row.name,
        "event_datetime": _input(row.event_datetime),
        "registration_deadline": _input(row.registration_deadline),
        "area_id": str(row.area_id or ""),
        "status": row.status,
        "version": str(row.version),
    }


def _input(moment: datetime) -> str:
    """The value of a `datetime-local` input, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M" if moment.second == 0 else "%Y-%m-%dT%H:%M:%S")
