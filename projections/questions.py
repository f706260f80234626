"""Questions of an event, read from history: few events have any, and few requests ask for them, so
no read table has them."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.history.codec import decode
from domain.question_editing import QuestionsChanged
from domain.questions import Question

Questions = tuple[Question, ...]


class EventQuestions(msgspec.Struct, frozen=True):
    questions: Questions
    version: int
    """Version of the event."""


async def get_questions(connection: AsyncConnection[Any], event_id: UUID) -> EventQuestions | None:
    """Those of an event in the `events` table; None if there is no such event."""
    cursor = await connection.execute(
        """
        SELECT events.version, last.originator_version, last.state
        FROM events LEFT JOIN LATERAL (
            SELECT originator_version, state FROM history_events
            WHERE originator_id = events.id AND originator_version <= events.version
                AND topic = %b
            ORDER BY originator_version DESC LIMIT 1
        ) AS last ON true
        WHERE events.id = %b
        """,
        [QuestionsChanged.topic, event_id],
        binary=True,
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    version, changed_in, state = row
    questions = _decoded(event_id, changed_in, state) if changed_in else ()
    return EventQuestions(questions, version)


async def questions_ever(connection: AsyncConnection[Any], event_id: UUID) -> dict[str, Question]:
    """By their ids, as they were last: the present ones in their order, then those that have gone.
    Also of a removed event."""
    cursor = await connection.execute(
        """
        SELECT originator_version, state FROM history_events
        WHERE originator_id = %b AND topic = %b
        ORDER BY originator_version DESC
        """,
        [event_id, QuestionsChanged.topic],
        binary=True,
    )
    found = dict[str, Question]()
    for version, state in await cursor.fetchall():
        for question in _decoded(event_id, version, state):
            found.setdefault(question.id, question)
    return found


def _decoded(event_id: UUID, version: int, state: bytes) -> Questions:
    recorded = decode(event_id, version, QuestionsChanged.topic, state)
    return cast("QuestionsChanged", recorded.event).questions
