"""Answers to the questions of an event: what is checked when they are given, and what becomes of
them."""

from __future__ import annotations

from typing import Any

import pytest

from domain import events, visitors
from domain.answers import Answers, GivenAnswers, checked_answers
from domain.core.errors import InvalidFields, NotFound, Refused
from domain.core.values import Email, FullName, Invalid
from domain.departures import CancelVisitor
from domain.question_editing import QuestionsChanged
from domain.questions import Question
from domain.registrations import AddVisitor, AddVisitors, CorrectVisitor, NewPerson, RegisterVisitor
from domain.visitors import DuplicateRegistration, EventClosed, Person, Visitor
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import Scenario

ADA = Email("ada@example.com")

MEAL = Question(id="meal", type="choice", label="Meal?", options=("All", "Vegan"), required=True)
DAYS = Question(id="days", type="choices", label="Days?", options=("Fri", "Sat", "Sun"))
NICK = Question(id="nick", type="text", label="Nickname?", max_length=5)
NOTE = Question(id="note", type="long_text", label="Note?")
BUS = Question(id="bus", type="yes_no", label="By bus?", required=True)
AGE = Question(id="age", type="number", label="Age?")
BORN = Question(id="born", type="date", label="Born?")
ALL = (MEAL, DAYS, NICK, NOTE, BUS, AGE, BORN)


def asking(*questions: Question) -> Scenario:
    return a_fair().given(FAIR, QuestionsChanged(questions=questions))


def register(**answers: Any) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=FAIR, full_name=FullName("Ada"), email=ADA, answers=GivenAnswers(answers)
    )


def add(**answers: Any) -> AddVisitor:
    return AddVisitor(
        event_id=FAIR, full_name=FullName("Ada"), email=ADA, answers=GivenAnswers(answers)
    )


def answers_in(happened: object) -> Answers:
    assert isinstance(happened, visitors.Registered | visitors.Waitlisted | visitors.Corrected)
    assert happened.person
    return happened.person.answers


def wrong_with(questions: tuple[Question, ...], given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refusal:
        checked_answers(questions, given, required=True)
    return refusal.value.messages


def test_answers_of_every_type_are_kept_in_the_order_of_the_questions() -> None:
    given = {
        "born": " 1815-12-10 ",
        "age": 36.0,
        "bus": False,
        "note": "Two\r\nlines ",
        "nick": " Addy ",
        "days": ["Sun", "Fri", "Sun"],
        "meal": "Vegan",
    }
    (registered,) = asking(*ALL).when(register(**given))
    assert list(answers_in(registered).items()) == [
        ("meal", "Vegan"),
        ("days", ("Fri", "Sun")),
        ("nick", "Addy"),
        ("note", "Two\nlines"),
        ("bus", False),
        ("age", 36),
        ("born", "1815-12-10"),
    ]


@pytest.mark.parametrize(
    ("question", "raws"),
    [
        (MEAL, ["Meat", 1, ["Vegan"], {"a": 1}, "vegan"]),
        (DAYS, ["Fri", ["Mon"], [1], [["Fri"]], {"Fri": True}]),
        (NICK, ["Adelaide", "A\nB", "A\x00B", 7, True, ["A"], "\u200b"]),
        (NOTE, ["x" * 2001, "A\x00B", 7, {"a": "b"}]),
        (BUS, ["yes", 1, 0, ["yes"]]),
        (AGE, ["36", True, float("inf"), float("nan"), 10**15, 10**400, [1]]),
        (BORN, ["yesterday", "2030-02-30", 20300517, True, "2030-05-17T09:00:00Z"]),
        (BORN, ["20300517", "2030-W20-5", "2030W205", "٢٠٣٠-05-17", "2030-5-17", "0000-01-01"]),
    ],
)
def test_an_answer_of_another_kind_is_refused(question: Question, raws: list[Any]) -> None:
    for raw in raws:
        assert list(wrong_with((question,), {question.id: raw})) == [f"answers.{question.id}"], raw


def test_all_wrong_answers_are_named_at_once() -> None:
    assert wrong_with(ALL, {"nope": "x", "age": "old", "days": ["Mon"]}) == {
        "answers.meal": "is required",
        "answers.days": "must be one of the options",
        "answers.bus": "is required",
        "answers.age": "must be a number",
        "answers.nope": "is not a question of this event",
    }


@pytest.mark.parametrize("blank", [None, "", "  ", []])
def test_a_blank_answer_is_none(blank: object) -> None:
    assert checked_answers((NICK,), {"nick": blank}) == {}
    assert wrong_with((MEAL,), {"meal": blank}) == {"answers.meal": "is required"}


def test_an_answer_to_no_question_is_refused_even_if_blank() -> None:
    assert list(wrong_with((NICK,), {"nope": None})) == ["answers.nope"]
    assert list(wrong_with((), {"nope": "x"})) == ["answers.nope"]


def test_names_of_unknown_questions_are_shown_in_part() -> None:
    wrong = wrong_with((), {"x" * 10_000: 1, **{f"q{n}": 1 for n in range(200)}})
    assert len(wrong) == 100
    assert max(map(len, wrong)) == 108


def test_too_many_answers_are_refused_unread() -> None:
    with pytest.raises(Invalid):
        GivenAnswers.parse({str(n): None for n in range(101)})
    with pytest.raises(Invalid):
        GivenAnswers.parse([])


def test_the_event_comes_before_its_answers_and_these_before_all_else() -> None:
    with pytest.raises(NotFound):
        Scenario().when(register(nope=1))
    closed = asking(MEAL).given(FAIR, events.Closed())
    with pytest.raises(InvalidFields):
        closed.when(register())
    with pytest.raises(EventClosed):
        closed.when(register(meal="Vegan"))


def test_organizers_may_leave_required_answers_out_but_give_none_that_is_wrong() -> None:
    (registered,) = asking(*ALL).when(add(age=3))
    assert answers_in(registered) == {"age": 3}
    with pytest.raises(InvalidFields):
        asking(*ALL).when(add(age="old"))


def test_a_person_without_answers_is_stored_as_before() -> None:
    (registered,) = a_fair().when(register())
    assert isinstance(registered, visitors.Registered)
    assert registered.person == Person(full_name="Ada", email=ADA)


def correct(scenario: Scenario, visitor: Visitor, kept: Answers, **changes: Any) -> Answers:
    fields: dict[str, Any] = {"full_name": FullName("Ada"), "email": ADA}
    happened = scenario.when(
        CorrectVisitor(visitor_id=visitor.id, kept_answers=kept, **fields | changes)
    )
    return answers_in(happened[0])


def test_a_question_that_changed_or_went_invalidates_no_answer() -> None:
    scenario = asking(MEAL, DAYS, AGE)
    (registered,) = scenario.when(register(meal="Vegan", days=["Fri"], age=36))
    kept, ada = answers_in(registered), scenario.value
    other_meal = Question(id="meal", type="choice", label="Meal?", options=("None",), required=True)
    scenario.given(FAIR, QuestionsChanged(questions=(NICK, other_meal)))
    assert correct(scenario, ada, kept, full_name=FullName("Ada King")) == kept
    same = GivenAnswers(meal="Vegan", days=["Fri"])
    assert correct(scenario, ada, kept, answers=same) == kept
    with pytest.raises(InvalidFields) as refusal:
        correct(scenario, ada, kept, answers=GivenAnswers(meal="All", days=["Sat"]))
    assert list(refusal.value.messages) == ["answers.meal", "answers.days"]


def test_a_correction_changes_only_the_answers_that_it_names() -> None:
    scenario = asking(*ALL)
    (registered,) = scenario.when(register(meal="Vegan", bus=True, age=36))
    kept = answers_in(registered)
    changes = GivenAnswers(age=None, nick="Addy")
    corrected = correct(scenario, scenario.value, kept, answers=changes)
    assert corrected == {"meal": "Vegan", "nick": "Addy", "bus": True}


def test_an_answer_to_a_question_that_went_can_be_taken_away() -> None:
    assert checked_answers((NICK,), {"age": None}, kept={"age": 3, "nick": "A"}) == {"nick": "A"}


def test_yes_is_not_one() -> None:
    assert checked_answers((BUS,), {"bus": True}, kept={"bus": 1})["bus"] is True


def test_answers_move_with_a_corrected_email() -> None:
    scenario = asking(*ALL)
    (registered,) = scenario.when(register(meal="Vegan", bus=True))
    kept, other = answers_in(registered), Email("ada@example.org")
    assert correct(scenario, scenario.value, kept, email=other) == kept


def test_who_comes_back_answers_anew() -> None:
    scenario = asking(NICK)
    scenario.when(register(nick="Addy"))
    scenario.when(CancelVisitor(visitor_id=scenario.value.id))
    (registered,) = scenario.when(register())
    assert answers_in(registered) == {}


def test_of_many_only_those_with_wrong_answers_are_refused() -> None:
    scenario = asking(MEAL, AGE)
    scenario.when(register(meal="Vegan"))
    people = [
        NewPerson(FullName("Ada"), ADA, GivenAnswers(gone="x")),
        NewPerson(FullName("Bob"), Email("bob@example.com"), GivenAnswers(age="old")),
        NewPerson(FullName("Cy"), Email("cy@example.com"), GivenAnswers(age=7)),
    ]
    (registered,) = scenario.when(AddVisitors(event_id=FAIR, people=people))
    assert answers_in(registered) == {"age": 7}
    already, wrong, _ = scenario.value
    assert isinstance(already, DuplicateRegistration)
    assert isinstance(already, Refused)
    assert isinstance(wrong, InvalidFields)
