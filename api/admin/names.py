"""Visitors' names and emails on pages, for readers who may see them.

Auditors request them with `personal=true`, as in the audit API: the reading is recorded before the
page shows any name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from api.http.access import Permission, may
from api.http.dispatch import execute
from api.http.requests import Request
from domain.audit.disclosures import RecordDisclosure
from domain.visitors import Person
from projections.people import WithPerson

ASKED_BY = "personal"
"""Name of the query parameter."""

HIDDEN = Person(full_name="(name hidden)", email="(email hidden)")

Row = TypeVar("Row", bound=WithPerson)


def are_shown(request: Request) -> bool:
    return _are_free(request) or request.query_params.get(ASKED_BY) == "true"


async def for_reader(
    request: Request,
    rows: Sequence[Row],
    *,
    event_id: UUID | None = None,
    visitor_id: UUID | None = None,
) -> list[Row]:
    """The rows as this reader may see them; `ids` are the aggregates that the page is about. If the
    reader gets names that way, the reading is recorded first."""
    if not are_shown(request):
        return [_hidden(row) for row in rows]
    named = [row.position for row in rows if row.person]
    if named and not _are_free(request):
        criteria = {"event_id": event_id, "aggregate_id": visitor_id}
        disclosure = RecordDisclosure(
            criteria={"type": "Visitor"} | {key: str(id) for key, id in criteria.items() if id},
            first_position=min(named),
            last_position=max(named),
            count=len(named),
        )
        await execute(request, disclosure)
    return list(rows)


def _are_free(request: Request) -> bool:
    return may(request.account.roles, Permission.READ_NAMES)


def _hidden(row: Row) -> Row:
    return msgspec.structs.replace(row, person=HIDDEN) if row.person else row
