"""`/events/{id}`: an event for visitors, and the form to register for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from psycopg import AsyncConnection

from api.answer_texts import answers_in
from api.answers import with_wrong_answers
from api.html.forms import Form, parsed, refused, sent_form
from api.html.states import State, state_after, state_of
from api.html.times import moment_in, when
from api.http.access import Who
from api.http.dispatch import execute
from api.http.reads import read, unless_known
from api.http.requests import Request
from api.http.responses import Ready
from api.pages.formats import HTML, tagged_page
from api.pages.languages import Reader, in_language, reader_of
from api.pages.problems import EventRemoved, answer_problem_page
from api.pages.rendering import rendered
from api.pages.same_site import require_same_site
from api.pages.structured_data import event_data
from api.registrations import Registration
from domain.core.errors import DomainError, NotFound, Refused
from domain.registrations import RegisterVisitor
from domain.visitors import AlreadyWaiting, DuplicateRegistration
from projections.events import EventRow, get_event
from projections.questions import Questions, get_questions
from projections.removed_events import was_removed

FORM = "application/x-www-form-urlencoded"

Outcome = Literal["registered", "unconfirmed", "waiting", "already"]
"""What came of a registration; `already`: of one that was sent before."""

AFTER: tuple[Outcome, ...] = ("registered", "unconfirmed", "waiting", "already")

BLANK = Form()


class EventPage(Controller):
    path = "/events/{event_id:uuid}"
    opt = {"access": Who.ANYONE}  # noqa: RUF012  Litestar's own type for it
    include_in_schema = False
    exception_handlers = {Exception: answer_problem_page}  # noqa: RUF012

    @get("/")
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        event = await existing_event(request, event_id)
        reader = reader_of(request, event.language)
        content = page_of(request, event, reader, await questions_of(request, event_id))
        return unless_known(request, tagged_page(content, reader))

    @post("/", opt={"limit": "register", "accepts": FORM})
    async def register(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        outcome = await registered(request, event_id)
        if isinstance(outcome, Rejected):
            event = await existing_event(request, event_id)
            reader = reader_of(request, event.language)
            content = page_of(
                request, event, reader, outcome.questions, outcome.form, outcome.state
            )
            return outcome.response(content, reader)
        after = reader_of(request).link(f"/events/{event_id}/registered", **{"as": outcome})
        return Redirect(after, status_code=303)

    @get("/registered")
    async def after(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await page_after(request, event_id, "registered.html")


class Rejected(msgspec.Struct, frozen=True):
    """A registration that was not possible: the form with its errors, and what is now known of the
    event."""

    form: Form
    status: int
    questions: Questions
    state: State | None = None

    def response(self, content: bytes, reader: Reader) -> Ready:
        headers = reader.headers | {"Cache-Control": "no-store"}
        return Ready(content, status_code=self.status, media_type=HTML, headers=headers)


async def registered(request: Request, event_id: UUID) -> Outcome | Rejected:
    """Register whom the form names. Raises NotFromHere, NotFound."""
    require_same_site(request)
    sent, questions = await sent_form(request), await questions_of(request, event_id)
    answers = answers_in(questions, sent)
    try:
        waits = "join_waiting_list" in sent
        given = parsed(Registration, {**sent, "answers": answers, "join_waiting_list": waits})
        command = RegisterVisitor(
            event_id=event_id,
            language=reader_of(request).language,
            **msgspec.structs.asdict(given),
        )
        visitor = (await execute(request, command)).value
    except (DuplicateRegistration, AlreadyWaiting):
        return "already"
    except Refused as error:
        return Rejected(refused(sent, error), error.status, questions, state_after(error))
    except NotFound:
        raise
    except DomainError as error:
        error = with_wrong_answers(error, questions, answers, required=True)
        return Rejected(refused(sent, error), error.status, questions)
    return visitor.status  # type: ignore[no-any-return]  # one of `Outcome`


async def existing_event(request: Request, id: UUID) -> EventRow:
    """Raises NotFound, EventRemoved."""

    async def query(connection: AsyncConnection[Any]) -> tuple[EventRow | None, bool]:
        event = await get_event(connection, id)
        return event, event is None and await was_removed(connection, id)

    event, removed = await read(request, 0, query)
    if removed:
        raise EventRemoved
    if event is None:
        raise NotFound("event", id)
    return event


async def questions_of(request: Request, event_id: UUID) -> Questions:
    found = await read(request, 0, lambda connection: get_questions(connection, event_id))
    return found.questions if found else ()


def page_of(
    request: Request,
    event: EventRow,
    reader: Reader,
    questions: Questions,
    form: Form = BLANK,
    state: State | None = None,
    template: str = "event.html",
) -> bytes:
    """`state` follows from a command, and may be newer than the event."""
    now = datetime.now(UTC)
    base = request.settings.public_url
    return rendered(
        reader,
        template,
        query={} if request.method == "GET" else None,
        event=event,
        when=when(event, reader.locale),
        deadline=moment_in(event.timezone, event.registration_deadline, reader.locale),
        state=state or state_of(event, now),
        form=in_language(form, reader.locale),
        questions=questions,
        address=f"{base}/events/{event.id}" if base else None,
        data=event_data(event, base),
    )


async def page_after(request: Request, event_id: UUID, template: str) -> Ready:
    """What to do next. It shows nothing of the registration: the address is not proven."""
    event = await existing_event(request, event_id)
    given = request.query_params.get("as", "")
    outcome = next((known for known in AFTER if known == given), "registered")
    reader = reader_of(request, event.language)
    content = rendered(
        reader,
        template,
        query={"as": outcome},
        event=event,
        when=when(event, reader.locale),
        outcome=outcome,
    )
    return Ready(content, media_type=HTML, headers=reader.headers)
