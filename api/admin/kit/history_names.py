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
from api.http.requests import Request
from domain.privacy.keys import InstallationKeys
from projections.lists.names import names_of, timezones_of
from projections.removed_events import names_of_removed
from projections.visitor_names import recipients_among, visitors_among
from projections.visitors import VisitorRow


class Names(msgspec.Struct, frozen=True):
    existing: Mapping[UUID, str]
    """Of events, areas, accounts and API keys."""
    removed: Mapping[UUID, str]
    """Of events and areas that were removed."""
    zones: Mapping[UUID, str]
    """Time zones of events."""
    visitors: Sequence[VisitorRow] = ()
    recipients: Mapping[UUID, UUID] = {}
    """Message -> its visitor."""
    people: Mapping[UUID, str] = {}
    """Of visitors, and of those whom messages are for, if the reader may see them."""

    @property
    def all(self) -> dict[UUID, str]:
        removed = {id: f"{name} (removed)" for id, name in self.removed.items()}
        return {**removed, **self.people, **self.existing}


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
    recipients = await recipients_among(connection, rest)
    visitors = await visitors_among(connection, keys, {*rest, *recipients.values()})
    return msgspec.structs.replace(found, visitors=visitors, recipients=recipients)


async def for_reader(request: Request, found: Names, *, about: UUID | None = None) -> Names:
    """With the names of visitors that this reader may see; `about` is the visitor that the page is
    about, if it is about one."""
    if not names.are_shown(request):
        return found
    rows = await names.for_reader(request, found.visitors, visitor_id=about)
    people = {row.id: row.full_name for row in rows if row.full_name}
    for message, visitor in found.recipients.items():
        if visitor in people:
            people[message] = people[visitor]
    return msgspec.structs.replace(found, people=people)
