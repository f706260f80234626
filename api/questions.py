"""`/api/events/{id}/questions`: organizers change the questions of an event; anyone reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, put
from litestar.params import FromPath, JSONBody

from api.http.access import Permission, Who
from api.http.bodies import judges
from api.http.dispatch import answered, expected_version
from api.http.examples import example
from api.http.reads import MinEventPosition, read, unless_known
from api.http.requests import Request
from api.http.responses import Listing, Pagination, Ready, json_response
from domain.core.errors import NotFound
from domain.core.values import Text
from domain.events import Event
from domain.question_editing import ChangeQuestions
from domain.questions import (
    MAX_QUESTIONS,
    MaxLength,
    Options,
    Question,
    QuestionId,
    QuestionType,
    wrong_parts,
)
from projections.questions import get_questions

_QUESTION: Mapping[str, Any] = {
    "id": "meal",
    "type": "choice",
    "label": "What do you eat?",
    "required": True,
    "options": ["Everything", "Vegetarian", "Vegan"],
    "max_length": None,
}

example(**_QUESTION)(Question)


class NewQuestion(msgspec.Struct, frozen=True, kw_only=True):
    id: QuestionId
    """Unique among the questions of the event. It names the answers, so that it stays the same when
    the label changes."""
    type: QuestionType
    label: Text
    required: bool = False
    options: Options = Options()
    max_length: MaxLength | None = None


@example(questions=[_QUESTION])
class QuestionList(msgspec.Struct, frozen=True, kw_only=True):
    questions: Annotated[tuple[NewQuestion, ...], msgspec.Meta(max_length=MAX_QUESTIONS)]
    """In the order in which visitors are asked."""


@judges(NewQuestion)
def wrong_combinations(fields: Mapping[str, Any]) -> dict[str, str]:
    if "type" not in fields:
        return {}
    return wrong_parts(fields["type"], fields.get("options", ()), fields.get("max_length"))


class QuestionCalls(Controller):
    path = "/api/events/{event_id:uuid}/questions"
    tags = ("events",)

    @get("/", summary="Read the questions of an event", opt={"access": Who.ANYONE})
    async def get_questions(
        self, request: Request, event_id: FromPath[UUID], min_event_position: MinEventPosition = 0
    ) -> Response[Listing[Question]]:
        """What visitors answer when they register, in this order."""
        found = await read(
            request, min_event_position, lambda connection: get_questions(connection, event_id)
        )
        if found is None:
            raise NotFound("event", event_id)
        return unless_known(request, _listing(found.questions, found.version))

    @put(
        "/",
        summary="Change the questions of an event",
        opt={"access": Permission.CHANGE_EVENTS, "versioned": True},
    )
    async def change_questions(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[QuestionList]
    ) -> Response[Listing[Question]]:
        """These are all its questions from now on. Answers that visitors have given stay as they
        are, also to questions that are not there any more."""
        command = ChangeQuestions(
            event_id=event_id,
            questions=questions_in(data),
            expected_version=expected_version(request),
        )
        return await answered(request, command, _changed)


def questions_in(data: QuestionList) -> tuple[Question, ...]:
    return tuple(Question(**msgspec.structs.asdict(new)) for new in data.questions)


def _changed(event: Event) -> Response[Listing[Question]]:
    return _listing(event.questions, event.version)


def _listing(questions: Sequence[Question], version: int) -> Ready:
    pagination = Pagination(offset=0, limit=MAX_QUESTIONS, total=len(questions))
    return json_response(Listing(data=list(questions), pagination=pagination), version=version)
