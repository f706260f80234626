"""Wrong answers to the questions of an event, found while other fields of a body are wrong, so that
one response names all of them. If all other fields are valid, the domain checks the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from litestar.types import Scope
from psycopg import AsyncConnection

from api.database.query import run_query
from api.http.bodies import InvalidBody
from api.http.requests import Request
from domain.answers import NO_ANSWERS, Answers, checked_answers
from domain.core.availability import UNAVAILABLE
from domain.core.errors import DomainError, InvalidFields
from domain.events import Event
from domain.history.streams import Streams
from domain.questions import Question
from domain.visitors import Visitor
from projections.people import people_of


async def name_wrong_answers(error: Exception, scope: Scope) -> None:
    """Adds wrong answers to the error, on routes that declare `opt={"answers_of": ...}`: of
    "visitors", who must answer required questions, or of "organizers". A hook of the application,
    called for every exception."""
    if not isinstance(error, InvalidBody) or "answers" in error.messages:
        return
    if answers_of := scope["route_handler"].opt.get("answers_of"):
        given, required = error.values.get("answers", NO_ANSWERS), answers_of == "visitors"
        with suppress(*UNAVAILABLE):
            questions, kept = await _asked(Request(scope))
            error.messages |= wrong_answers(questions, given, required=required, kept=kept)


def with_wrong_answers(
    error: DomainError,
    questions: Sequence[Question],
    given: Mapping[str, object],
    *,
    required: bool = False,
    kept: Answers | None = None,
) -> DomainError:
    """The same for a form: the error that it was refused with, and its wrong answers."""
    if isinstance(error, InvalidBody):
        error.messages |= wrong_answers(questions, given, required=required, kept=kept)
    return error


def wrong_answers(
    questions: Sequence[Question],
    given: Mapping[str, object],
    *,
    required: bool = False,
    kept: Answers | None = None,
) -> dict[str, str]:
    """The messages of `checked_answers`."""
    try:
        checked_answers(questions, given, required=required, kept=kept)
    except InvalidFields as error:
        return error.messages
    return {}


async def _asked(request: Request) -> tuple[Sequence[Question], Answers]:
    """The questions of the event that the path names, or of the visitor's, and the answers that
    this visitor has given. There are none if there is no such event or visitor."""
    ids, keys = cast("Mapping[str, UUID]", request.scope["path_params"]), request.connections.keys

    async def query(connection: AsyncConnection[Any]) -> tuple[Sequence[Question], Answers]:
        streams, event_id, kept = Streams(), ids.get("event_id"), Answers()
        if visitor_id := ids.get("visitor_id"):
            visitor = (await streams.load(connection, [visitor_id]))[visitor_id]
            event_id = visitor.event_id if isinstance(visitor, Visitor) else None
            for person in (await people_of(connection, keys, [visitor_id])).values():
                kept = person.answers
        event = (await streams.load(connection, [event_id]))[event_id] if event_id else None
        return (event.questions if isinstance(event, Event) else (), kept)

    return await run_query(request.connections.primary, query)
