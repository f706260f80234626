"""`/api/visitors/export`: admins read all that is known of one person."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter
from psycopg import AsyncConnection

from api.http.access import Permission
from api.http.dispatch import execute
from api.http.examples import EVENT_ID, VISITOR_ID, example
from api.http.reads import MinEventPosition, read
from api.http.requests import Request
from api.http.responses import Answer, json_response
from domain.audit.disclosures import RecordPersonExport
from domain.core.errors import InvalidFields
from domain.core.values import Email, Invalid
from projections.person_export import PersonExport, export_person

TABLES = ["outbox", "retention"]

_Email = Annotated[
    str, QueryParameter(max_length=320, description="The email of the person's registrations.")
]

example(
    email="ada@example.com",
    exported_at="2030-05-20T09:00:00Z",
    position=4711,
    registrations=[
        {
            "visitor_id": VISITOR_ID,
            "event": {
                "id": EVENT_ID,
                "name": "PyCon",
                "event_datetime": "2030-05-17T09:00:00Z",
                "ends_at": None,
                "timezone": "Europe/Berlin",
                "questions": [{"id": "meal", "type": "text", "label": "What do you eat?"}],
                "removed": False,
                "forget_at": "2030-08-15T09:00:00Z",
            },
            "status": "registered",
            "episodes": [
                {
                    "began_at": "2030-05-01T09:00:00Z",
                    "person": {
                        "full_name": "Ada Lovelace",
                        "email": "ada@example.com",
                        "answers": {"meal": "Soup"},
                    },
                }
            ],
            "check_ins": [{"at": "2030-05-17T08:55:00Z", "gate": None, "outcome": "entered"}],
            "messages": [],
        }
    ],
    webhooks=[],
    history=[],
)(PersonExport)


@get(
    "/api/visitors/export",
    summary="Export all that is known of one person",
    tags=["visitors"],
    opt={"access": Permission.EXPORT_PEOPLE},
)
async def export(
    request: Request, email: _Email, min_event_position: MinEventPosition = 0
) -> Response[Answer[PersonExport]]:
    """Over all events, also removed ones: registrations with their times and answers, check-ins,
    messages with their texts, the webhooks that get personal data, and the domain events of all
    this. `not_included` says what is missing.

    The export is recorded in history, without the email. Without registrations, the lists are
    empty.
    """
    try:
        address = Email.parse(email)
    except Invalid as error:
        raise InvalidFields(email=str(error)) from None
    exported = await export_recorded(request, address, min_event_position)
    response = json_response(Answer(data=exported))
    response.headers["Cache-Control"] = "no-store"
    return response


async def export_recorded(request: Request, email: Email, at_least: int = 0) -> PersonExport:
    """The export, after recording who reads it."""
    keys = request.connections.keys

    async def query(connection: AsyncConnection[Any]) -> PersonExport:
        return await export_person(connection, keys, email)

    exported = await read(request, at_least, query, TABLES)
    await execute(request, RecordPersonExport(visitor_ids=exported.visitor_ids))
    return exported
