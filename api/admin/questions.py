"""`/admin/events/{id}/questions`: the questions that visitors answer when they register.

The editor needs no script: adding, moving and removing a question sends the whole form, which comes
back with it done. Nothing is changed until it is saved.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.admin.kit.pages import page, see
from api.admin.kit.question_words import TYPES
from api.html.forms import Form, parsed, refused, seen_version, sent_form, whole_number
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from api.questions import QuestionList, questions_in
from domain.core.errors import ChangedMeanwhile, DomainError, NotFound
from domain.question_editing import ChangeQuestions
from domain.questions import DEFAULT_LENGTH, MAX_QUESTIONS, WITH_OPTIONS, Question
from projections.event_visitors import next_visitors
from projections.events import EventRow, get_event
from projections.questions import Questions, get_questions

FIELDS = ("id", "type", "label", "required", "options", "max_length")

Draft = dict[str, str]
"""The fields of one question, as somebody filled them in."""

BLANK: Draft = {"type": "text"}


class QuestionPages(Controller):
    path = "/events/{event_id:uuid}/questions"
    opt = {"access": Permission.CHANGE_EVENTS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        present = await _present(request, event_id)
        return _editor(request, present, [_draft(question) for question in present.questions])

    @post("/", status_code=200)
    async def edit(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        drafts, version = _drafts_in(sent), seen_version(sent)
        what, _, place = sent.get("do", "").partition(".")
        if what != "save":
            _arrange(drafts, what, whole_number(place) or 0)
            present = await _present(request, event_id)
            return _editor(request, present, drafts, version=version)
        _propose_ids(drafts)
        try:
            given = parsed(QuestionList, {"questions": [_fields(draft) for draft in drafts]})
            command = ChangeQuestions(
                event_id=event_id, questions=questions_in(given), expected_version=version
            )
            done = await execute(request, command)
        except NotFound:
            raise
        except ChangedMeanwhile as error:
            present = await _present(request, event_id)
            return _editor(
                request, present, drafts, is_late=True, version=error.current_version, status=412
            )
        except DomainError as error:
            present = await _present(request, event_id)
            errors = refused({}, error).errors
            return _editor(request, present, drafts, errors, version=version, status=422)
        where = f"/admin/events/{event_id}/questions"
        return see(request, where, position=done.position, notice="The questions were saved.")


class _Present(NamedTuple):
    event: EventRow
    questions: Questions
    version: int
    has_visitors: bool


async def _present(request: Request, event_id: UUID) -> _Present:
    """Raises NotFound."""

    async def query(connection: AsyncConnection[Any]) -> _Present | None:
        event = await get_event(connection, event_id)
        found = await get_questions(connection, event_id)
        if event is None or found is None:
            return None
        visitors = await next_visitors(connection, event_id, limit=1)
        return _Present(event, found.questions, found.version, bool(visitors))

    present = await read(request, seen(request), query, ["events", "visitors"])
    if present is None:
        raise NotFound("event", event_id)
    return present


def _editor(
    request: Request,
    present: _Present,
    drafts: Sequence[Draft],
    errors: Mapping[str, str] | None = None,
    *,
    version: int | None = None,
    is_late: bool = False,
    status: int = 200,
) -> Response[str]:
    """`version` is the one that the editor began with."""
    values = {
        f"questions.{place}.{field}": text
        for place, draft in enumerate(drafts)
        for field, text in draft.items()
    }
    return page(
        request,
        "events/questions.html",
        status_code=status,
        event=present.event,
        has_visitors=present.has_visitors,
        places=range(len(drafts)),
        most=MAX_QUESTIONS,
        types=list(TYPES.items()),
        form=Form(values, errors or {}),
        version=present.version if version is None else version,
        is_late=is_late,
    )


def _draft(question: Question) -> Draft:
    return {
        "id": question.id,
        "type": question.type,
        "label": question.label,
        "required": "on" if question.required else "",
        "options": "\n".join(question.options),
        "max_length": str(question.max_length or ""),
    }


def _drafts_in(sent: Mapping[str, str]) -> list[Draft]:
    """Up to one more than are possible, so that this is refused."""
    drafts = list[Draft]()
    while f"questions.{len(drafts)}.type" in sent and len(drafts) <= MAX_QUESTIONS:
        start = f"questions.{len(drafts)}."
        drafts.append({field: sent.get(start + field, "") for field in FIELDS})
    return drafts


def _arrange(drafts: list[Draft], what: str, place: int) -> None:
    """Places count from 0."""
    if what == "add" and len(drafts) < MAX_QUESTIONS:
        drafts.append(dict(BLANK))
    elif what == "remove" and place < len(drafts):
        del drafts[place]
    elif what == "up" and 0 < place < len(drafts):
        drafts.insert(place - 1, drafts.pop(place))
    elif what == "down" and place < len(drafts):
        drafts.insert(place + 1, drafts.pop(place))


def _propose_ids(drafts: Sequence[Draft]) -> None:
    """A question without an id gets one from its label."""
    taken = {draft["id"] for draft in drafts}
    for place, draft in enumerate(drafts, 1):
        if not draft["id"].strip():
            draft["id"] = _free(_in_ascii(draft["label"]) or f"question_{place}", taken)
            taken.add(draft["id"])


def _in_ascii(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:36].strip("_")


def _free(id: str, taken: set[str]) -> str:
    number, free = 2, id
    while free in taken:
        free, number = f"{id}_{number}", number + 1
    return free


def _fields(draft: Draft) -> dict[str, object]:
    """As in JSON. The form shows options and a length only for the types that have them."""
    type, length = draft["type"], draft["max_length"].strip()
    lines = [line for line in draft["options"].split("\n") if line.strip()]
    return {
        "id": draft["id"].strip(),
        "type": type,
        "label": draft["label"],
        "required": bool(draft["required"]),
        "options": lines if type in WITH_OPTIONS else [],
        "max_length": _length(length) if length and type in DEFAULT_LENGTH else None,
    }


def _length(text: str) -> int | str:
    number = whole_number(text)
    return text if number is None else number
