"""Events of history for pages: who did what to which aggregate, and the values that changed.

Personal data stays sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.admin.durations import in_words
from api.admin.kit.history_phrases import kind, label, phrase
from api.http.access import Permission, may
from api.http.requests import Request
from domain.audit.entry import LoggedEvent
from domain.audit.point_in_time import Change
from domain.audit.timeline import Step, timeline
from domain.core.aggregate import EVENT_TYPES
from projections.lists.names import names_of
from projections.removed_events import names_of_removed

TIMELINE_LENGTH = 20
"""Events that a timeline shows."""

MAX_LISTED = 10
"""Items of a list that are shown one by one."""

PAGES = {
    "Account": "/admin/accounts/",
    "ApiKey": "/admin/keys/",
    "Area": "/admin/areas/",
    "Event": "/admin/events/",
    "Sync": "/admin/syncs/",
    "Visitor": "/admin/visitors/",
}
"""Type of aggregate -> address of its page, without the id at its end."""

LASTING = {"Sync", "Visitor"}
"""Aggregates without a name, whose page always exists."""

HIDDEN_FIELDS = {"last_notification_id", "notification_id"}
"""Fields that only serve the message to a visitor."""

APART = {"said"}
"""Fields with nested fields whose names repeat those beside them."""

IMPLIED_FIELDS = {
    "cleaned_up",
    "entries",
    "event_count",
    "exists",
    "had_waiting_list",
    "roles",
    "said_is_known",
}
"""Fields whose change the event's phrase and data already show."""

DURATIONS = {"confirm_within", "reminders"}
"""Fields with a duration, or with several."""

OF_KEY = "key:"
"""Before the id of an API key that is the actor."""

Value = str | datetime


class Fact(msgspec.Struct, frozen=True):
    label: str
    value: Value
    old: Value | None = None
    """None when the fact is not about a change."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    time: datetime | None
    actor: str | None
    who: str
    is_account: bool
    what: str
    facts: list[Fact]
    note: str | None
    aggregate_id: UUID
    kind: str
    name: str
    page: str | None
    """Address of the aggregate's page; None without a page."""
    needs_admin: bool


class Timeline(msgspec.Struct, frozen=True):
    aggregate_id: UUID
    entries: list[Entry]
    """Newest first."""
    has_more: bool


async def timeline_of(
    connection: AsyncConnection[Any], id: UUID, *, limit: int = TIMELINE_LENGTH
) -> Timeline:
    """Without entries for an unknown aggregate."""
    steps = await timeline(connection, id, limit=limit)
    more = bool(steps) and steps[-1].event.aggregate_version > 1
    return Timeline(id, await entries_of(connection, steps), more)


async def timeline_for(
    request: Request, connection: AsyncConnection[Any], id: UUID
) -> Timeline | None:
    """None for a reader who may not read history."""
    if not may(request.account.roles, Permission.READ_HISTORY):
        return None
    return await timeline_of(connection, id)


async def entries_of(connection: AsyncConnection[Any], steps: Sequence[Step]) -> list[Entry]:
    ids = _ids_in(steps)
    names = await names_of(connection, ids)
    removed = await names_of_removed(connection, ids - names.keys())
    return [_entry(step, names, removed) for step in steps]


async def facts_of(connection: AsyncConnection[Any], state: Mapping[str, Any]) -> list[Fact]:
    """The fields of a state."""
    flat = flattened(state)
    names = await names_of(connection, set(ids_of(flat.values())))
    return [Fact(label(field), _shown(field, value, names)) for field, value in flat.items()]


async def changes_of(connection: AsyncConnection[Any], changes: Sequence[Change]) -> list[Fact]:
    """The fields that changed."""
    names = await names_of(connection, set(ids_of(v for c in changes for v in (c.old, c.new))))
    return [_fact(_last_name(c.field), c.new, c.old, True, names) for c in changes]


def _last_name(path: str) -> str:
    """The field's name as `flattened` gives it."""
    *outer, name = path.split(".")
    return f"{outer[-1]}_{name}" if outer and outer[-1] in APART else name


def flattened(state: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with nested ones moved up."""
    flat: dict[str, Any] = {}
    for name, value in state.items():
        if not isinstance(value, dict):
            flat[name] = value
        elif name in APART:
            flat |= {f"{name}_{inner}": v for inner, v in flattened(value).items()}
        else:
            flat |= flattened(value)
    return flat


def shown(value: Any, names: Mapping[UUID, str]) -> Value:
    """A value of a stored event as text; an id is replaced by its name if it has one."""
    if value in (None, "", [], ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        if len(value) > MAX_LISTED:
            return f"{len(value):,} items"
        return ", ".join(str(shown(item, names)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{label(key)}: {shown(item, names)}" for key, item in value.items())
    for id in ids_of([value]):
        return names.get(id, str(id))
    if isinstance(value, str) and "T" in value:
        with suppress(msgspec.ValidationError):
            moment = msgspec.convert(value, datetime)
            return moment if moment.tzinfo else value
    return str(value)


def _ids_in(steps: Sequence[Step]) -> set[UUID]:
    """The ids of all aggregates that occur in the events."""
    ids: set[UUID] = set()
    for step in steps:
        ids.add(step.event.aggregate_id)
        ids |= set(ids_of([step.event.actor, *_data(step.event).values()]))
        ids |= set(ids_of(flattened(step.before or {}).values()))
    return ids


def _entry(step: Step, names: Mapping[UUID, str], removed: Mapping[UUID, str]) -> Entry:
    """`names` are those of what exists, `removed` those of removed events."""
    event = step.event
    key = (event.actor or "").startswith(OF_KEY)
    account = None if key else next(ids_of([event.actor]), None)
    page = PAGES.get(event.aggregate_type)
    exists = event.aggregate_type in LASTING or event.aggregate_id in names
    short = str(event.aggregate_id)[:8]
    known = {id: f"{name} (removed)" for id, name in removed.items()} | {**names}
    return Entry(
        position=event.position,
        time=event.time,
        actor=event.actor,
        who=who(event.actor, names),
        is_account=account is not None,
        what=phrase(event.type),
        facts=[_fact(*found, known) for found in _found(step)],
        note=_note(event),
        aggregate_id=event.aggregate_id,
        kind=kind(event.aggregate_type),
        name=known.get(event.aggregate_id, short),
        page=f"{page}{event.aggregate_id}" if page and exists else None,
        needs_admin=event.aggregate_type in {"Account", "ApiKey"},
    )


def who(actor: str | None, names: Mapping[UUID, str]) -> str:
    """The actor for people. `names` has those of accounts and API keys."""
    for id in ids_of([actor]):
        name = names.get(id, str(id)[:8])
        return f"API key {name}" if str(actor).startswith(OF_KEY) else name
    return (actor or "unknown").replace("system:", "system: ")


def _note(event: LoggedEvent) -> str | None:
    if event.unreadable:
        return f"This release cannot read this event: {event.unreadable}"
    return {"sealed": "name and email are sealed", "erased": "name and email are erased"}.get(
        event.personal or ""
    )


def _found(step: Step) -> Iterator[tuple[str, Any, Any, bool]]:
    """(field, value, old value, whether there is an old value)."""
    data = _data(step.event)
    if step.before is None or step.after is None:
        yield from ((field, value, None, False) for field, value in data.items())
        return
    before, after = flattened(step.before), flattened(step.after)
    for field, value in after.items():
        if value != before.get(field) and field not in IMPLIED_FIELDS | HIDDEN_FIELDS:
            yield field, value, before.get(field), True
    shown_before = after.keys() | {field.removeprefix("said_") for field in after}
    yield from ((f, value, None, False) for f, value in data.items() if f not in shown_before)


def _fact(field: str, value: Any, old: Any, is_change: bool, names: Mapping[UUID, str]) -> Fact:
    return Fact(
        label(field), _shown(field, value, names), _shown(field, old, names) if is_change else None
    )


def _shown(field: str, value: Any, names: Mapping[UUID, str]) -> Value:
    if field in DURATIONS and value:
        value = in_words(value) if isinstance(value, str) else [in_words(each) for each in value]
    return shown(value, names)


def _data(event: LoggedEvent) -> dict[str, Any]:
    """The event's data without the actor and without sealed fields."""
    if not isinstance(event.data, dict):
        return {}
    known = EVENT_TYPES.get(event.type)
    closed = HIDDEN_FIELDS | ({known.personal_field} if known else set())
    return {field: value for field, value in event.data.items() if field not in closed}


def ids_of(values: Iterable[Any]) -> Iterator[UUID]:
    """Of values that are an id, or an actor with an id."""
    for value in values:
        if isinstance(value, str) and len(id := value.removeprefix(OF_KEY)) == 36:
            with suppress(ValueError):
                yield UUID(id)
