"""Events of history for pages: who did what to which aggregate, and the values that changed.

What one request did to one aggregate is one entry. Names of visitors are shown to readers who may
see them; all other personal data stays sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.admin.kit.history_names import Names, names_for_all
from api.admin.kit.history_phrases import actor_in_words, in_one_sentence, kind, phrase_by_visitor
from api.admin.kit.history_values import OF_KEY, Fact, Words, flattened, ids_of, last_name, short
from api.http.access import Permission, may
from api.http.requests import Request
from domain.audit.entry import LoggedEvent
from domain.audit.point_in_time import Change
from domain.audit.timeline import Step, timeline
from domain.core.aggregate import EVENT_TYPES

TIMELINE_LENGTH = 20
"""Events that a timeline shows."""

FOLDED = 4
"""Entries in a row that are folded into one if they say the same of different things, at least."""

PAGES = {
    "Account": "/admin/accounts/",
    "ApiKey": "/admin/keys/",
    "Area": "/admin/areas/",
    "Event": "/admin/events/",
    "Notification": "/admin/notifications/",
    "Sync": "/admin/syncs/",
    "Visitor": "/admin/visitors/",
    "Webhook": "/admin/webhooks/",
}
"""Type of aggregate -> address of its page, without the id at its end."""

LASTING = {"Event", "Notification", "Sync", "Visitor"}
"""Aggregates whose page always exists, also when they were removed."""

HIDDEN_FIELDS = {
    "last_notification_id",
    "nonce",
    "notification_id",
    "only_if_news",
    "received_at",
    "sequence",
}
"""Fields that only serve messages, calendars and the door."""

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


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    """Of its last event."""
    first_position: int
    time: datetime | None
    actor: str | None
    who: str
    is_account: bool
    is_own: bool
    """Whether the visitor whom it is about did it."""
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
    return Timeline(id, entries_of(steps, await names_for_all(connection, ids_in(steps))), more)


async def timeline_for(
    request: Request, connection: AsyncConnection[Any], id: UUID
) -> Timeline | None:
    """None for a reader who may not read history."""
    if not may(request.account.roles, Permission.READ_HISTORY):
        return None
    return await timeline_of(connection, id)


def entries_of(steps: Sequence[Step], names: Names) -> list[Entry]:
    """From steps that are the newest first."""
    requests = groupby(steps, key=_request_of)
    return [_entry(list(done)[::-1], names) for _, done in requests]


def folded(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries; those in a row that say the same of different things are together."""
    groups: list[list[Entry]] = []
    for _, same in groupby(entries, key=lambda entry: (entry.actor, entry.what)):
        run = list(same)
        groups += [run] if len(run) >= FOLDED else [[entry] for entry in run]
    return groups


def ids_in(steps: Iterable[Step]) -> set[UUID]:
    """The ids of all aggregates that occur in the events."""
    ids: set[UUID] = set()
    for step in steps:
        ids.add(step.event.aggregate_id)
        ids |= set(ids_of([step.event.actor, *_data(step.event).values()]))
        ids |= set(ids_of(flattened(step.before or {}).values()))
    return ids


def facts_of(state: Mapping[str, Any], words: Words) -> list[Fact]:
    """The fields of a state."""
    fields = flattened(state).items()
    return [words.fact(field, value) for field, value in fields if field not in HIDDEN_FIELDS]


def changes_of(changes: Sequence[Change], words: Words) -> list[Fact]:
    """The fields that changed."""
    fields = [(last_name(change.field), change) for change in changes]
    return [
        fact
        for field, change in fields
        if field not in HIDDEN_FIELDS
        for fact in words.changes(field, change.old, change.new)
    ]


def _request_of(step: Step) -> tuple[UUID, str | None, str | None | int]:
    event = step.event
    return event.aggregate_id, event.actor, event.correlation_id or event.position


def _entry(steps: Sequence[Step], found: Names) -> Entry:
    """Of what one request did, the oldest first."""
    first, event = steps[0].event, steps[-1].event
    names = found.all
    words = Words(names, found.zones.get(event.aggregate_id) or _zone_in(steps))
    page = PAGES.get(event.aggregate_type)
    is_key = (event.actor or "").startswith(OF_KEY)
    account = None if is_key else next(ids_of([event.actor]), None)
    by_visitor = phrase_by_visitor(event.type) if event.actor == "anonymous" else None
    is_new = first.aggregate_version == 1
    what = [first.type] if is_new else [step.event.type for step in steps]
    name = names.get(event.aggregate_id, short(event.aggregate_id))
    facts = [fact for step in steps for fact in _facts(step, words)]
    return Entry(
        position=event.position,
        first_position=first.position,
        time=event.time,
        actor=event.actor,
        who="the visitor" if by_visitor else actor_in_words(event.actor, names),
        is_account=account is not None,
        is_own=by_visitor is not None,
        what=by_visitor or in_one_sentence(what),
        facts=[msgspec.structs.replace(fact, old=None) for fact in facts] if is_new else facts,
        note=_note(event),
        aggregate_id=event.aggregate_id,
        kind=kind(event.aggregate_type),
        name=name,
        page=f"{page}{event.aggregate_id}"
        if page and (event.aggregate_type in LASTING or event.aggregate_id in found.existing)
        else None,
        needs_admin=event.aggregate_type in {"Account", "ApiKey"},
    )


def _zone_in(steps: Sequence[Step]) -> str | None:
    """The time zone of an event that was removed."""
    return flattened(steps[-1].after or {}).get("timezone")


def _note(event: LoggedEvent) -> str | None:
    if event.unreadable:
        return f"This release cannot read this event: {event.unreadable}"
    return "name and email are erased" if event.personal == "erased" else None


def _facts(step: Step, words: Words) -> Iterator[Fact]:
    """What the event says, and what it changed."""
    data = _data(step.event)
    if step.before is None or step.after is None:
        yield from (words.fact(field, value) for field, value in data.items() if value is not None)
        return
    before, after = flattened(step.before), flattened(step.after)
    for field, value in after.items():
        if value != before.get(field) and field not in IMPLIED_FIELDS | HIDDEN_FIELDS:
            yield from words.changes(field, before.get(field), value)
    shown_before = after.keys() | {field.removeprefix("said_") for field in after}
    yield from (words.fact(f, value) for f, value in data.items() if f not in shown_before)


def _data(event: LoggedEvent) -> dict[str, Any]:
    """The event's data without the actor and without sealed fields."""
    if not isinstance(event.data, dict):
        return {}
    known = EVENT_TYPES.get(event.type)
    closed = HIDDEN_FIELDS | ({known.personal_field} if known else set())
    return {field: value for field, value in event.data.items() if field not in closed}
