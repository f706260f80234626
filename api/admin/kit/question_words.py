"""Questions of an event in words: what kind of answer each wants, and what changed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.questions import QuestionType

TYPES: Mapping[QuestionType, str] = {
    "text": "One line of text",
    "long_text": "Several lines of text",
    "choice": "One of several options",
    "choices": "Any of several options",
    "yes_no": "Yes or no",
    "number": "A number",
    "date": "A date",
}
"""In words."""

FIELD = "questions"
"""Of an event, with the list of its questions as history has them."""

Raw = Mapping[str, Any]
"""A question as history has it."""


def differences(old: Sequence[Raw], new: Sequence[Raw]) -> Iterator[tuple[str, str | None, str]]:
    """What changed: a label, what it was, and what it is. What it was is None for a question that
    was added or removed."""
    was = {question["id"]: question for question in old}
    now = {question["id"]: question for question in new}
    for id, question in now.items():
        if id not in was:
            yield "question added", None, in_words(question)
        elif question != was[id]:
            yield "question", in_words(was[id]), in_words(question)
    for id, question in was.items():
        if id not in now:
            yield "question removed", None, in_words(question)
    order, former = [id for id in now if id in was], [id for id in was if id in now]
    if order != former:
        yield "order of the questions", _labels(was, former), _labels(now, order)


def in_words(question: Raw) -> str:
    """`“What do you eat?”, one of several options (Everything, Vegan), required`"""
    parts = [f"“{question['label']}”", _answer(question)]
    if question.get("required"):
        parts.append("required")
    return ", ".join(parts)


def _answer(question: Raw) -> str:
    kind = question["type"]
    words = TYPES[kind].lower() if kind in TYPES else str(kind)  # another release may know more
    if options := question.get("options"):
        return f"{words} ({', '.join(options)})"
    most = question.get("max_length")
    return f"{words} (at most {most:,} characters)" if most else words


def _labels(questions: Mapping[str, Raw], ids: Sequence[str]) -> str:
    return ", ".join(f"“{questions[id]['label']}”" for id in ids)
