"""Imports visitors of an event from a CSV file, in portions: each is decided as one command, in the
order of its lines. What was imported stays when an import is interrupted; the same file again
completes it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal
from uuid import UUID

import msgspec

from api.answer_texts import PREFIX, raw_answer
from api.csv_files.reading import Record, records_of
from api.visitor_export import COLUMNS
from domain.answers import GivenAnswers
from domain.core.errors import DomainError, InvalidFields
from domain.core.values import Email, FullName, Invalid
from domain.history.batch import Done, Execute, Origin
from domain.history.group_commit import Overloaded
from domain.questions import Question
from domain.registrations import AddVisitors, NewPerson
from domain.visitors import AlreadyWaiting, DuplicateRegistration, Visitor

PORTION = 100
"""Lines that are decided together. The writer commits about so many commands at once, so that
others do not wait much longer behind them."""

TRIES, PAUSE = 20, 0.25
"""How often, and with how many seconds in between, a portion is tried while the writer is busy."""

NEEDED: Mapping[str, Callable[[object], str]] = {"full_name": FullName.parse, "email": Email.parse}

Questions = Mapping[str, Question]
"""By their ids."""

Outcome = Literal["registered", "waiting", "already", "refused"]


class ImportedLine(msgspec.Struct, frozen=True):
    line: int
    """In the file, from 1; of its first line when a cell has several."""
    outcome: Outcome
    reason: str | None = None


class Portion(msgspec.Struct, frozen=True):
    lines: Sequence[ImportedLine]
    position: int
    """In history, after these lines."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all visitors of a file."""

    over_capacity: bool = False
    join_waiting_list: bool = False
    notify: bool = True


class ImportCounts(msgspec.Struct, frozen=True, kw_only=True):
    registered: int = 0
    waiting: int = 0
    already: int = 0
    """Lines of people who were registered or waiting before."""
    refused: int = 0


def counts_of(lines: Sequence[ImportedLine]) -> ImportCounts:
    return ImportCounts(**Counter[str](line.outcome for line in lines))


def visitors_in(file: bytes) -> list[Record]:
    """Raises MalformedFile, InvalidFields."""
    return records_of(file, required=NEEDED.keys(), ignored=COLUMNS, others=PREFIX)


async def imported(
    records: Sequence[Record],
    event_id: UUID,
    asked: Questions,
    terms: Terms,
    execute: Execute,
    origin: Origin,
) -> AsyncIterator[Portion]:
    """Imports the records portion by portion; there is at least one. `asked` are the questions of
    the event.

    Raises NotFound and EventCancelled if that was so at the beginning; later, they are the reason
    why the remaining lines are refused. Raises `TryAgain`."""
    remaining, stopped, position = iter(records), None, 0
    portion = list(islice(remaining, PORTION))
    while True:
        read = [_person_in(record, asked) for record in portion]
        people = [person for person in read if isinstance(person, NewPerson)]
        if not stopped:
            command = AddVisitors(event_id=event_id, people=people, **msgspec.structs.asdict(terms))
            try:
                done = await _patiently(execute, command, origin)
            except DomainError as error:
                if not position:
                    raise
                stopped = error
            else:
                position, outcomes = done.position, iter(done.value)
        yield Portion(
            [
                ImportedLine(record.line, "refused", person)
                if isinstance(person, str)
                else _became(record.line, stopped or next(outcomes))
                for record, person in zip(portion, read, strict=True)
            ],
            position,
        )
        if not (portion := list(islice(remaining, PORTION))):
            return


async def _patiently(execute: Execute, command: AddVisitors, origin: Origin) -> Done:
    for _ in range(TRIES):
        try:
            return await execute(command, origin)
        except Overloaded:
            await asyncio.sleep(PAUSE)
    return await execute(command, origin)


def _person_in(record: Record, asked: Questions) -> NewPerson | str:
    """Or what is wrong with the record."""
    if record.has_surplus:
        return "has more cells than the file has columns"
    values, wrong = dict[str, Any](), list[str]()
    for name, parse in NEEDED.items():
        try:
            values[name] = parse(record.cells[name])
        except Invalid as error:
            wrong.append(f"{name} {error}")
    try:
        answers = GivenAnswers.parse(dict(_answers_in(record, asked)))
    except Invalid as error:
        wrong.append(f"answers {error}")
    return "; ".join(wrong) if wrong else NewPerson(**values, answers=answers)


def _answers_in(record: Record, asked: Questions) -> Iterator[tuple[str, object]]:
    """Those that are not blank, also to what the event does not ask."""
    for column, text in record.cells.items():
        if column.startswith(PREFIX) and text.strip():
            id = column.removeprefix(PREFIX)
            yield id, raw_answer(asked[id], text) if id in asked else text


def _became(line: int, outcome: Visitor | DomainError) -> ImportedLine:
    if isinstance(outcome, Visitor):
        return ImportedLine(line, "waiting" if outcome.status == "waiting" else "registered")
    if isinstance(outcome, DuplicateRegistration | AlreadyWaiting):
        return ImportedLine(line, "already", str(outcome))
    if isinstance(outcome, InvalidFields):
        wrong = "; ".join(f"{field} {text}" for field, text in outcome.messages.items())
        return ImportedLine(line, "refused", wrong)
    return ImportedLine(line, "refused", str(outcome))
