"""Visitors' names and emails, on the pages of those who may read them.

Others ask for them, as in the audit API, with `personal=true`: then it is recorded that they read
them, before the page shows any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from api.access import Permission, may
from api.commands import execute
from api.requests import Request
from domain.disclosures import RecordDisclosure
from projections.notification_search import FoundNotification
from projections.visitor_search import FoundVisitor
from projections.visitors import VisitorRow

ASKED_BY = "personal"
"""The parameter of a page's address."""

HIDDEN = {"full_name": "(name hidden)", "email": "(email hidden)"}

Person = TypeVar("Person", FoundNotification, FoundVisitor, VisitorRow)


def are_shown(request: Request) -> bool:
    return _are_free(request) or request.query_params.get(ASKED_BY) == "true"


async def for_reader(
    request: Request,
    people: Sequence[Person],
    *,
    event_id: UUID | None = None,
    visitor_id: UUID | None = None,
) -> list[Person]:
    """The people as the reader of this page may see them; the ids are what the page is about. Their
    names can be read from then on, so what is to be recorded of it is recorded here."""
    if not are_shown(request):
        return [_hidden(person) for person in people]
    named = [person.position for person in people if person.email is not None]
    if named and not _are_free(request):
        criteria = {"event_id": event_id, "aggregate_id": visitor_id}
        disclosure = RecordDisclosure(
            criteria={"type": "Visitor"} | {key: str(id) for key, id in criteria.items() if id},
            first_position=min(named),
            last_position=max(named),
            count=len(named),
        )
        await execute(request, disclosure)
    return list(people)


def _are_free(request: Request) -> bool:
    return may(request.account.roles, Permission.READ_NAMES)


def _hidden(person: Person) -> Person:
    return person if person.email is None else msgspec.structs.replace(person, **HIDDEN)
