"""What the OpenAPI document shows for each body, answer and problem."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args, get_origin
from uuid import UUID

import msgspec

from api.accounts import Account
from api.areas import Area, AreaChanges, NewArea
from api.audit import Log, LogPagination
from api.auth import Login, Me, NewAccount, PasswordChange, RefreshToken, RegisteredAccount
from api.events import Event, EventChanges
from api.health import Check, Checks, ProjectionCheck, Readiness
from api.http.problems import FieldProblem, Problem
from api.http.responses import Answer, Listing, Pagination
from api.identity.sessions import TokenPair
from api.registrations import Registered, Registration
from api.visitors import Erased, ErasureRequest, Visitor
from domain.areas import CreateArea
from domain.audit.entry import LoggedEvent
from domain.audit.point_in_time import AggregateState, Change, Difference
from domain.core.errors import InvalidFields, ProblemError
from domain.events import CreateEvent

_AREA = UUID("2f1f9a52-57e5-5d2c-9c0c-3c6f1a0f7b11")
_ACCOUNT = UUID("5f0c8a3e-7b1d-8c2f-9e4a-6d3b2c1a0f9e")
_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."  # noqa: S105  of nobody
_VISITOR = UUID("c0ffee00-0000-5000-8000-00000000000a")
_EVENT = UUID("8d0a3c1e-6f0b-4b7e-9d55-0a4f3f0c9e21")

SENT: dict[type, dict[str, Any]] = {
    CreateArea: {"name": "Great Hall"},
    AreaChanges: {"name": "Small Hall"},
    CreateEvent: {
        "name": "PyCon",
        "event_datetime": "2099-05-17T09:00:00Z",
        "registration_deadline": "2099-05-16T09:00:00Z",
        "status": "open",
    },
    EventChanges: {"status": "closed"},
    Registration: {"full_name": "Ada Lovelace", "email": "ada@example.com"},
    ErasureRequest: {"email": "ada@example.com"},
    NewAccount: {"username": "ada", "password": "see you at the fair"},
    Login: {"username": "ada", "password": "see you at the fair"},
    RefreshToken: {"refresh": _TOKEN},
    PasswordChange: {"current": "see you at the fair", "password": "until the next fair"},
}
"""Body by the type that it is read into."""

_RENAMED = LoggedEvent(
    position=42,
    time=datetime(2030, 5, 17, 9, tzinfo=UTC),
    type="Area.Renamed",
    aggregate_type="Area",
    aggregate_id=_AREA,
    aggregate_version=2,
    actor=str(_ACCOUNT),
    correlation_id="5c1a9f7e2b6d4038-2a",
    schema_version=1,
    data={"name": "Great Hall"},
)

_ANSWERED: dict[type, Any] = {
    NewArea: NewArea(id=_AREA, name="Great Hall"),
    Area: Area(id=_AREA, name="Great Hall", event_count=3),
    Event: Event(
        id=_EVENT,
        name="PyCon",
        area="Great Hall",
        area_id=_AREA,
        status="open",
        event_datetime=datetime(2099, 5, 17, 9, tzinfo=UTC),
        registration_deadline=datetime(2099, 5, 16, 9, tzinfo=UTC),
    ),
    Registered: Registered(id=_VISITOR),
    Visitor: Visitor(
        id=_VISITOR,
        event_id=_EVENT,
        full_name="Ada Lovelace",
        email="ada@example.com",
        status="registered",
        registered_at=datetime(2030, 5, 17, 9, tzinfo=UTC),
    ),
    Erased: Erased(registrations=2, personal_keys=2, notifications=1),
    RegisteredAccount: RegisteredAccount(id=_ACCOUNT, username="ada"),
    TokenPair: TokenPair(access_token=_TOKEN, refresh_token=_TOKEN),
    Me: Me(id=_ACCOUNT, username="ada", roles=("organizer",)),
    Account: Account(
        id=_ACCOUNT,
        username="ada",
        roles=["organizer"],
        disabled=False,
        registered_at=datetime(2030, 5, 17, 9, tzinfo=UTC),
    ),
    Log: Log(data=[_RENAMED], pagination=LogPagination(limit=100, total=1, next_cursor=None)),
    AggregateState: AggregateState(
        id=_AREA,
        type="Area",
        version=2,
        state={"name": "Great Hall", "event_count": 0, "exists": True},
        last_event=_RENAMED,
    ),
    Difference: Difference(
        id=_AREA,
        type="Area",
        from_version=1,
        to_version=2,
        changes=[Change(field="name", old="Cellar", new="Great Hall")],
        events=[_RENAMED],
    ),
    type(None): None,
    str: "# HELP events_face_database_up Whether the database answers.\n"
    "# TYPE events_face_database_up gauge\n"
    "events_face_database_up 1.0\n",
    Check: Check("ok"),
    Readiness: Readiness(
        status="ok",
        checks=Checks(
            database=Check("ok"),
            broker=Check("ok"),
            projections={
                "events": ProjectionCheck(
                    status="ok",
                    reason=None,
                    state="running",
                    position=42,
                    lag_events=0,
                    lag_seconds=0.0,
                    version=40,
                    stop=None,
                )
            },
        ),
    ),
}
"""`data` by its type, and what is answered without an envelope."""


def answer(annotation: Any) -> Any:
    """An answer of that type: `Answer[...]`, `Listing[...]` or a type that stands alone."""
    kind, of = get_origin(annotation), get_args(annotation)
    if kind is Answer:
        return Answer(data=_ANSWERED[of[0]])
    if kind is Listing:
        pagination = Pagination(offset=0, limit=10, total=1)
        return Listing(data=[_ANSWERED[of[0]]], pagination=pagination)
    return _ANSWERED[annotation]


def problem(kind: type[ProblemError]) -> Any:
    """The problem as a body."""
    wrong = [FieldProblem("name", ["must not be empty"])]
    return msgspec.to_builtins(
        Problem(
            type=f"/problems/{kind.slug}",
            title=kind.title,
            status=kind.status,
            detail="In words: what was wrong, and what can be done about it",
            errors=wrong if issubclass(kind, InvalidFields) else [],
            request_id="5c1a9f7e2b6d4038-2a",
        )
    )
