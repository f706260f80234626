"""Answers as texts: in cells of CSV files, and in the fields of forms.

The field of a question is named `answers.<id>`; that of one of several options has the option
behind it, `answers.<id>.<option>`, and is there if the option is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.answers import Answer, Answers
from domain.questions import Question

PREFIX = "answers."
"""Of the names of columns and fields."""

YES, NO = "yes", "no"

_YES_NO = {YES: True, "true": True, NO: False, "false": False}

_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})")


def text_of(answer: Answer) -> str:
    """Several options are lines."""
    if isinstance(answer, bool):
        return YES if answer else NO
    if isinstance(answer, tuple):
        return "\n".join(answer)
    return format(Decimal(str(answer)), "f") if isinstance(answer, float) else str(answer)


def raw_answer(question: Question, text: str) -> object:
    """What `domain.answers` takes for this text; the text itself if it is not of the question's
    type."""
    if question.type == "yes_no":
        return _YES_NO.get(text.strip().casefold(), text)
    if question.type == "number":
        plain = text.strip()
        if not _NUMBER.fullmatch(plain):
            return text
        return float(plain) if "." in plain else int(plain)
    if question.type == "choices":
        return list(_chosen(question, text))
    return text


def _chosen(question: Question, text: str) -> list[str]:
    """Of a line for each option. People who write a file put them on one, with semicolons."""
    chosen = list[str]()
    for line in filter(None, map(str.strip, text.splitlines())):
        parts = [line] if line in question.options else line.split(";")
        chosen += filter(None, map(str.strip, parts))
    return chosen


def shown(
    answers: Answers, asked: Iterable[Question], yes: str = YES, no: str = NO
) -> list[tuple[str, str]]:
    """For people: each question, or its id if it is not known, and the answer."""
    labels = {question.id: question.label for question in asked}
    return [(labels.get(id, id), _said(answer, yes, no)) for id, answer in answers.items()]


def shown_answer(answers: Answers | None, question: Question) -> str:
    """Empty without one."""
    answer = (answers or {}).get(question.id)
    return "" if answer is None else _said(answer, YES, NO)


def _said(answer: Answer, yes: str, no: str) -> str:
    if isinstance(answer, bool):
        return yes if answer else no
    return ", ".join(answer) if isinstance(answer, tuple) else text_of(answer)


def fields_of(answers: Answers) -> dict[str, str]:
    """The fields of a form with these answers."""
    fields = dict[str, str]()
    for id, answer in answers.items():
        if isinstance(answer, tuple):
            fields |= {f"{PREFIX}{id}.{option}": "on" for option in answer}
        else:
            fields[f"{PREFIX}{id}"] = text_of(answer)
    return fields


def answers_in(questions: Sequence[Question], fields: Mapping[str, str]) -> dict[str, Any]:
    """The answers in a form, also the blank ones. Fields of other questions are ignored: they went
    while somebody filled the form in."""
    return {question.id: _answer_in(question, fields) for question in questions}


def offered(question: Question, fields: Mapping[str, str]) -> Sequence[str]:
    """The options, and those that were chosen when they were options."""
    name = PREFIX + question.id
    single = [fields[name]] if fields.get(name) else []
    return list(dict.fromkeys([*question.options, *single, *_ticked(name, fields)]))


def _ticked(name: str, fields: Mapping[str, str]) -> list[str]:
    start = f"{name}."
    return [field.removeprefix(start) for field in fields if field.startswith(start)]


def _answer_in(question: Question, fields: Mapping[str, str]) -> object:
    name = PREFIX + question.id
    if question.type == "choices":
        return _ticked(name, fields)
    return raw_answer(question, fields.get(name, ""))
