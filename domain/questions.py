"""Questions of an event, which visitors answer when they register (`domain.answers`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Self, get_args

import msgspec

from domain.core.errors import InvalidFields
from domain.core.values import Invalid, StoredText

QuestionType = Literal["text", "long_text", "choice", "choices", "yes_no", "number", "date"]

QUESTION_TYPES: tuple[QuestionType, ...] = get_args(QuestionType)

WITH_OPTIONS: frozenset[QuestionType] = frozenset({"choice", "choices"})

DEFAULT_LENGTH: dict[QuestionType, int] = {"text": 255, "long_text": 2_000}
"""Characters of an answer, at most, where the question has no `max_length`. Other types have no
length."""

MAX_QUESTIONS = 20


class QuestionId(str):
    """Chosen by the organizer; names the answer in requests and files."""

    __slots__ = ()
    pattern: ClassVar[str] = "^[a-z0-9_]{1,40}$"

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str) or not re.fullmatch(cls.pattern[1:-1], raw):
            raise Invalid("must have 1 to 40 characters of a to z, 0 to 9 and _")
        return cls(raw)


class Option(StoredText):
    """One of the answers to choose from."""

    __slots__ = ()
    max_length = 100


class Options(tuple[str, ...]):
    """The answers to choose from, none of them twice; empty for questions without a choice."""

    __slots__ = ()
    most: ClassVar[int] = 100

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, list):
            raise Invalid("must be a list of texts")
        if len(raw) > cls.most:
            raise Invalid(f"must be at most {cls.most}")
        found = dict[str, Option]()
        for place, each in enumerate(raw, 1):
            try:
                option = Option.parse(each)
            except Invalid as error:
                raise Invalid(f"option {place} {error}") from None
            if found.setdefault(option.folded, option) is not option:
                raise Invalid(f'option {place}, "{option}", is there already')
        return cls(found.values())


class MaxLength(int):
    """Characters of an answer, at most."""

    __slots__ = ()
    most: ClassVar[int] = 5_000

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 1 <= raw <= cls.most:
            raise Invalid(f"must be a whole number from 1 to {cls.most}")
        return cls(raw)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """Unique among the questions of the event."""
    type: QuestionType
    label: str
    """The question, as people read it."""
    required: bool = False
    """Whether visitors must answer it. Organizers may leave it out."""
    options: tuple[str, ...] = ()
    """The answers to choose from, for `choice` and `choices`."""
    max_length: int | None = None
    """Characters of an answer, at most, for `text` and `long_text`; None: 255 and 2,000."""

    @property
    def most_characters(self) -> int:
        """Of an answer in words."""
        return self.max_length or DEFAULT_LENGTH[self.type]


def wrong_parts(
    type: QuestionType, options: Sequence[str] = (), max_length: int | None = None
) -> dict[str, str]:
    """What is wrong with valid fields of a question in combination, by field."""
    wrong = dict[str, str]()
    if type in WITH_OPTIONS and not options:
        wrong["options"] = "must be at least one"
    if options and type not in WITH_OPTIONS:
        wrong["options"] = "are only for the types choice and choices"
    if max_length is not None and type not in DEFAULT_LENGTH:
        wrong["max_length"] = "is only for the types text and long_text"
    return wrong


def check_questions(questions: Sequence[Question]) -> None:
    """Raises `InvalidFields` with each invalid field, such as `questions.0.options`."""
    wrong, ids = dict[str, str](), set[str]()
    for place, question in enumerate(questions):
        parts = wrong_parts(question.type, question.options, question.max_length)
        if question.id in ids:
            parts = {"id": "is the id of another question", **parts}
        ids.add(question.id)
        wrong |= {f"questions.{place}.{field}": message for field, message in parts.items()}
    if len(questions) > MAX_QUESTIONS:
        wrong["questions"] = f"must be at most {MAX_QUESTIONS}"
    if wrong:
        raise InvalidFields(**wrong)
