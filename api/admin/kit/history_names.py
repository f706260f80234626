"""Names of what occurs in history, for one reader.

Visitors have theirs where the reader may see it (`api.admin.names`), which can record the reading:
so it is asked for after the query.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.admin import names
from api.admin.kit.history_phrases import KINDS_OF_MESSAGES
from api.admin.kit.history_values import short
from api.http.requests import Request
from domain.privacy.keys import InstallationKeys
from projections.lists.names import names_of, timezones_of
from projections.removed_events import names_of_removed
from projections.visitor_names import SentMessage, messages_among, visitors_among
from projections.visitors import VisitorRow


class Names(msgspec.Struct, frozen=True):
    existing: Mapping[UUID, str]
    """Of events, areas, accounts and API keys."""
    removed: Mapping[UUID, str]
    """Of events and areas that were removed."""
    zones: Mapping[UUID, str]
    """Time zones of events."""
    visitors: Sequence[VisitorRow] = ()
    messages: Mapping[UUID, SentMessage] = {}
    people: Mapping[UUID, str] = {}
    """Of visitors whom the reader may see."""

    @property
    def all(self) -> dict[UUID, str]:
        removed = {id: f"{name} (removed)" for id, name in self.removed.items()}
        known = {**removed, **self.people, **self.existing}
        return {**{id: _said(sent, known) for id, sent in self.messages.items()}, **known}


def _said(message: SentMessage, names: Mapping[UUID, str]) -> str:
    """`“Registered” to Ada Lovelace, PyCon`"""
    visitor, event = (names.get(id, short(id)) for id in (message.visitor_id, message.event_id))
    return f"“{KINDS_OF_MESSAGES[message.kind]}” to {visitor}, {event}"


async def names_for_all(connection: AsyncConnection[Any], ids: Collection[UUID]) -> Names:
    """Without those of visitors."""
    existing = await names_of(connection, ids)
    return Names(
        existing=existing,
        removed=await names_of_removed(connection, ids - existing.keys()),
        zones=await timezones_of(connection, existing),
    )


async def with_visitors(
    connection: AsyncConnection[Any], keys: InstallationKeys, found: Names, ids: Collection[UUID]
) -> Names:
    """With visitors whose names no reader has been allowed yet: see `for_reader`."""
    rest = ids - found.existing.keys() - found.removed.keys()
    messages = await messages_among(connection, rest)
    recipients = {message.visitor_id for message in messages.values()}
    visitors = await visitors_among(connection, keys, rest | recipients)
    events = {message.event_id for message in messages.values()} - {*ids}
    return msgspec.structs.replace(
        found,
        existing={**found.existing, **await names_of(connection, events)},
        removed={**found.removed, **await names_of_removed(connection, events)},
        visitors=visitors,
        messages=messages,
    )


async def for_reader(request: Request, found: Names, *, about: UUID | None = None) -> Names:
    """With the names of visitors that this reader may see; `about` is the visitor that the page is
    about, if it is about one."""
    if not names.are_shown(request):
        return found
    rows = await names.for_reader(request, found.visitors, visitor_id=about)
    people = {row.id: row.full_name for row in rows if row.full_name}
    return msgspec.structs.replace(found, people=people)
