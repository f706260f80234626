"""Questions of an event: what organizers may ask."""

from __future__ import annotations

from typing import Any

import pytest

from domain import events
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound
from domain.core.values import Invalid
from domain.events import Event
from domain.question_editing import ChangeQuestions, QuestionsChanged
from domain.questions import MaxLength, Options, Question, QuestionId
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import Scenario

MEAL = Question(id="meal", type="choice", label="What do you eat?", options=("All", "Vegan"))
NOTE = Question(id="note", type="long_text", label="Anything else?", max_length=500)


def ask(*questions: Question, **more: Any) -> ChangeQuestions:
    return ChangeQuestions(event_id=FAIR, questions=questions, **more)


def questions_of(scenario: Scenario) -> tuple[Question, ...]:
    event = scenario.state(FAIR)
    assert isinstance(event, Event)
    return event.questions


def test_the_questions_are_those_that_were_asked_last() -> None:
    scenario = a_fair()
    assert scenario.when(ask(MEAL, NOTE)) == [QuestionsChanged(questions=(MEAL, NOTE))]
    scenario.when(ask(NOTE, MEAL))
    assert questions_of(scenario) == (NOTE, MEAL)
    scenario.when(ask())
    assert questions_of(scenario) == ()


def test_the_same_questions_change_nothing() -> None:
    scenario = a_fair().given(FAIR, QuestionsChanged(questions=(MEAL,)))
    assert scenario.when(ask(MEAL)) == []


def test_only_an_event_that_exists_has_questions() -> None:
    with pytest.raises(NotFound):
        Scenario().when(ask(MEAL))
    with pytest.raises(NotFound):
        a_fair().given(FAIR, events.Deleted()).when(ask(MEAL))


def test_a_change_may_expect_a_version() -> None:
    with pytest.raises(ChangedMeanwhile):
        a_fair().when(ask(MEAL, expected_version=7))
    a_fair().when(ask(MEAL, expected_version=1))


def test_all_wrong_parts_are_named_at_once() -> None:
    free = Question(id="free", type="number", label="How many?", options=("1",), max_length=3)
    empty = Question(id="free", type="choices", label="Which?")
    with pytest.raises(InvalidFields) as refusal:
        a_fair().when(ask(free, empty))
    assert refusal.value.messages == {
        "questions.0.options": "are only for the types choice and choices",
        "questions.0.max_length": "is only for the types text and long_text",
        "questions.1.id": "is the id of another question",
        "questions.1.options": "must be at least one",
    }


def test_there_are_at_most_20() -> None:
    many = [Question(id=f"q{n}", type="text", label="?") for n in range(21)]
    a_fair().when(ask(*many[:20]))
    with pytest.raises(InvalidFields):
        a_fair().when(ask(*many))


@pytest.mark.parametrize("raw", ["", "Meal", "a-b", "a b", "é", "a" * 41, "a\n", "a\x00", 7, None])
def test_an_id_has_only_small_letters_digits_and_underscores(raw: object) -> None:
    with pytest.raises(Invalid):
        QuestionId.parse(raw)


def test_the_longest_id_is_valid() -> None:
    assert QuestionId.parse("a_1" + "z" * 37)


@pytest.mark.parametrize(
    "raw",
    [
        "Vegan",
        ["Vegan", "vegan "],
        [""],
        ["a\nb"],
        ["a\x00"],
        [1],
        ["x" * 101],
        [str(n) for n in range(101)],
    ],
)
def test_options_are_up_to_100_different_short_lines(raw: object) -> None:
    with pytest.raises(Invalid):
        Options.parse(raw)
    assert Options.parse([" Vegan ", "All"]) == ("Vegan", "All")


@pytest.mark.parametrize("raw", [0, -1, 5001, 1.5, True, "7", 10**30])
def test_a_length_is_a_whole_number_up_to_5000(raw: object) -> None:
    with pytest.raises(Invalid):
        MaxLength.parse(raw)
