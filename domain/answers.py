"""Answers of a visitor to the questions of an event. They are checked when they are given: a
question that changes or goes later makes no answer invalid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

from domain.core.errors import InvalidFields
from domain.core.phrases import Phrase
from domain.core.times import date_of
from domain.core.values import Description, Invalid, StoredText, too_long
from domain.questions import MaxLength, Question, QuestionType

Answer = str | bool | int | float | tuple[str, ...]
"""A text, one of the options, or a date such as 2030-05-17; yes or no; a number; several of the
options."""

Answers = dict[str, Answer]
"""By the ids of the questions; questions without an answer are not there."""

MAX_NUMBER = 10**15 - 1

MAX_NAMED, MAX_NAME_LENGTH = 100, 100
"""Unknown questions that one error names, at most, and the characters of each that it shows."""


class GivenAnswers(dict[str, object]):
    """Answers as they were sent, by the ids of the questions. None, an empty text and an empty list
    are no answer."""

    most: ClassVar[int] = 100

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, dict):
            raise Invalid("must be an object with answers by the ids of the questions")
        if len(raw) > cls.most:
            raise Invalid("must be at most %(most)s", most=cls.most)
        return cls(raw)


NO_ANSWERS = GivenAnswers()


class AnswerLine(StoredText):
    """A text of one line."""

    __slots__ = ()
    max_length = MaxLength.most


class AnswerText(Description):
    """A text of several lines."""

    __slots__ = ()
    max_length = MaxLength.most


def checked_answers(
    questions: Sequence[Question],
    given: Mapping[str, object],
    *,
    required: bool = False,
    kept: Answers | None = None,
) -> Answers:
    """The answers after these were given: in the order of the questions, then those to questions
    that have gone. `kept` are those given before; the same answer again is always valid, and None
    takes one away. `required`: whether required questions must be answered.

    Raises `InvalidFields` with each invalid answer, such as `answers.diet`.
    """
    before = kept or {}
    new = dict(changed_answers(given, before))
    answers, wrong = dict(before), dict[str, str]()
    for question in questions:
        try:
            if question.id in new:
                _give(answers, question, new.pop(question.id))
            if required and question.required and question.id not in answers:
                raise Invalid("is required")
        except Invalid as error:
            wrong[question.id] = error.message
    for id, raw in list(new.items())[:MAX_NAMED]:
        if id in before and _is_blank(raw):
            del answers[id]
        else:
            wrong[id] = Phrase("is not a question of this event")
    if wrong:
        raise InvalidFields(
            **{f"answers.{id[:MAX_NAME_LENGTH]}": text for id, text in wrong.items()}
        )
    return dict(_in_order(questions, answers))


def changed_answers(given: Mapping[str, object], kept: Answers) -> Iterator[tuple[str, object]]:
    """What was given, without answers that are as they were."""
    return ((id, raw) for id, raw in given.items() if id not in kept or not _is_same(raw, kept[id]))


def _give(answers: Answers, question: Question, raw: object) -> None:
    if _is_blank(raw):
        answers.pop(question.id, None)
    else:
        answers[question.id] = _PARSERS[question.type](question, raw)


def _in_order(questions: Sequence[Question], answers: Answers) -> Iterator[tuple[str, Answer]]:
    ids = dict.fromkeys([question.id for question in questions]) | dict.fromkeys(answers)
    return ((id, answers[id]) for id in ids if id in answers)


def _is_blank(raw: object) -> bool:
    return raw is None or raw == [] or (isinstance(raw, str) and not raw.strip())


def _is_same(raw: object, answer: Answer) -> bool:
    """True and 1 are not the same answer."""
    plain = list(answer) if isinstance(answer, tuple) else answer
    return raw == plain and type(raw) is type(plain)


def _text(question: Question, raw: object) -> str:
    kind: type[AnswerLine | AnswerText] = AnswerLine if question.type == "text" else AnswerText
    text = str(kind.parse(raw))
    if len(text) > question.most_characters:
        raise too_long(text, question.most_characters)
    return text


def _choice(question: Question, raw: object) -> str:
    if not isinstance(raw, str):
        raise Invalid("must be one of the options, as a text")
    option = raw.strip()
    if option not in question.options:
        raise Invalid("must be one of the options")
    return option


def _choices(question: Question, raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Invalid("must be a list of options")
    chosen = {_choice(question, each) for each in raw}
    return tuple(option for option in question.options if option in chosen)


def _yes_no(_: Question, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise Invalid("must be true or false")
    return raw


def _number(_: Question, raw: object) -> int | float:
    if not isinstance(raw, int | float) or isinstance(raw, bool) or raw != raw:
        raise Invalid("must be a number")
    if abs(raw) > MAX_NUMBER:
        raise Invalid("must be a number of at most 15 digits")
    return int(raw) if raw == int(raw) else raw


def _date(_: Question, raw: object) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    with suppress(ValueError):
        if day := date_of(text):
            return day.isoformat()
    raise Invalid("must be a date such as 2030-05-17")


_PARSERS: Mapping[QuestionType, Callable[[Question, Any], Answer]] = {
    "text": _text,
    "long_text": _text,
    "choice": _choice,
    "choices": _choices,
    "yes_no": _yes_no,
    "number": _number,
    "date": _date,
}
