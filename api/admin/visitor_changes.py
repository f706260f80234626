"""Pages to add a visitor to an event, and to correct, cancel and promote one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath

from api.admin.kit.cookies import seen
from api.admin.kit.pages import page, see
from api.answer_texts import answers_in, fields_of
from api.answers import with_wrong_answers
from api.event_visitors import NewVisitor
from api.html.forms import Form, parsed, refused, sent_form, with_boxes
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from api.visitors import Promotion, VisitorCancellation, VisitorChanges, correct, present
from domain.core.errors import DomainError, NotFound
from domain.departures import CancelVisitor, ResendMessage
from domain.registrations import AddVisitor
from domain.tickets import ReissueTicket
from domain.visitors import VisitorStatus
from domain.waiting_list import PromoteVisitor
from projections.events import EventRow, get_event
from projections.questions import Questions, get_questions
from projections.visitors import VisitorRow

VISITORS = "/admin/visitors/"

ADDED: dict[VisitorStatus, str] = {
    "registered": "The visitor is registered.",
    "waiting": "The visitor is on the waiting list.",
}


class VisitorChangePages(Controller):
    path = "/visitors"
    opt = {"access": Permission.CHANGE_VISITORS}  # noqa: RUF012  Litestar's own type for it

    @get("/new/{event_id:uuid}")
    async def new_visitor(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        return await _form_for_new(request, event_id, Form({"notify": "on"}))

    @post("/new/{event_id:uuid}")
    async def add_visitor(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        questions = await _questions(request, event_id)
        answers = answers_in(questions, sent)
        try:
            new = parsed(NewVisitor, {**with_boxes(sent, NewVisitor), "answers": answers})
            done = await execute(
                request, AddVisitor(event_id=event_id, **msgspec.structs.asdict(new))
            )
        except NotFound:
            raise
        except DomainError as error:
            error = with_wrong_answers(error, questions, answers)
            return await _form_for_new(request, event_id, refused(sent, error), status_code=422)
        where = f"{VISITORS}{done.value.id}"
        return see(request, where, position=done.position, notice=ADDED[done.value.status])

    @get("/{visitor_id:uuid}/correct")
    async def correction(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        row, _ = await present(request, visitor_id)
        person = {"full_name": row.full_name or "", "email": row.email or ""}
        form = Form(person | fields_of(row.answers or {}))
        return await _correction(request, row, form)

    @post("/{visitor_id:uuid}/correct")
    async def correct(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        row, _ = await present(request, visitor_id)
        questions = await _questions(request, row.event_id)
        answers = answers_in(questions, sent)
        try:
            changes = parsed(VisitorChanges, {**sent, "answers": answers})
            done = await correct(request, visitor_id, changes)
        except NotFound:
            raise
        except DomainError as error:
            error = with_wrong_answers(error, questions, answers, kept=row.answers)
            return await _correction(request, row, refused(sent, error), status_code=422)
        where = f"{VISITORS}{done.value.id}"
        return see(request, where, position=done.position, notice="The visitor was corrected.")

    @get("/{visitor_id:uuid}/cancel")
    async def cancellation(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        return await _asked(request, visitor_id, "cancel", Form({"notify": "on"}))

    @post("/{visitor_id:uuid}/cancel")
    async def cancel(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        try:
            fields = parsed(VisitorCancellation, with_boxes(sent, VisitorCancellation))
            command = CancelVisitor(visitor_id=visitor_id, **msgspec.structs.asdict(fields))
            done = await execute(request, command)
        except NotFound:
            raise
        except DomainError as error:
            return await _asked(request, visitor_id, "cancel", refused(sent, error), 422)
        notice = "The registration was cancelled."
        return see(request, f"{VISITORS}{visitor_id}", position=done.position, notice=notice)

    @get("/{visitor_id:uuid}/promote")
    async def promotion(self, request: Request, visitor_id: FromPath[UUID]) -> Response[str]:
        return await _asked(request, visitor_id, "promote", Form())

    @post("/{visitor_id:uuid}/promote")
    async def promote(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        try:
            over = parsed(Promotion, with_boxes(sent, Promotion)).over_capacity
            command = PromoteVisitor(visitor_id=visitor_id, over_capacity=over)
            done = await execute(request, command)
        except NotFound:
            raise
        except DomainError as error:
            return await _asked(request, visitor_id, "promote", refused(sent, error), 409)
        notice = "The visitor has a seat."
        return see(request, f"{VISITORS}{visitor_id}", position=done.position, notice=notice)

    @post("/{visitor_id:uuid}/resend")
    async def resend(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, ResendMessage(visitor_id=visitor_id))
        notice = "The message will be sent again."
        return see(request, f"{VISITORS}{visitor_id}", position=done.position, notice=notice)

    @post("/{visitor_id:uuid}/reissue")
    async def reissue(self, request: Request, visitor_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, ReissueTicket(visitor_id=visitor_id))
        notice = "The visitor has a new ticket. The former one is not valid any more."
        return see(request, f"{VISITORS}{visitor_id}", position=done.position, notice=notice)


async def _form_for_new(
    request: Request, event_id: UUID, form: Form, *, status_code: int = 200
) -> Response[str]:
    return page(
        request,
        "visitors/new.html",
        status_code=status_code,
        event=await _event(request, event_id),
        questions=await _questions(request, event_id),
        form=form,
    )


async def _correction(
    request: Request, row: VisitorRow, form: Form, *, status_code: int = 200
) -> Response[str]:
    return page(
        request,
        "visitors/correct.html",
        status_code=status_code,
        visitor=row,
        questions=await _questions(request, row.event_id),
        form=form,
    )


async def _questions(request: Request, event_id: UUID) -> Questions:
    """None of an event that was removed."""
    found = await read(
        request, seen(request), lambda connection: get_questions(connection, event_id)
    )
    return found.questions if found else ()


async def _asked(
    request: Request, visitor_id: UUID, what: str, form: Form, status_code: int = 200
) -> Response[str]:
    row: VisitorRow
    row, _ = await present(request, visitor_id)
    return page(request, f"visitors/{what}.html", status_code=status_code, visitor=row, form=form)


async def _event(request: Request, id: UUID) -> EventRow:
    """Raises NotFound."""
    row = await read(request, seen(request), lambda connection: get_event(connection, id))
    if row is None:
        raise NotFound("event", id)
    return row
