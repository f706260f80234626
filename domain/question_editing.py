"""Changing the questions of an event. Answers that were given stay as they are."""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.core.aggregate import DomainEvent, Expected, stored_as
from domain.core.unit_of_work import Work, check_version
from domain.events import Event, existing_event
from domain.questions import Question, check_questions


class ChangeQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """These are the questions from now on, in this order. Nothing changes if they were."""

    event_id: UUID
    questions: tuple[Question, ...]
    expected_version: Expected = None


@stored_as("Event.QuestionsChanged", phrase="changed the questions")
class QuestionsChanged(DomainEvent[Event], frozen=True, kw_only=True):
    questions: tuple[Question, ...]

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, questions=self.questions)


def change_questions(command: ChangeQuestions, work: Work) -> Event:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    check_questions(command.questions)
    if command.questions == event.questions:
        return event
    return work.record(event, QuestionsChanged(questions=command.questions))
