"""The panel's editor of questions, and answers on its pages of visitors, without scripts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.api.admin.panel import Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

MEAL: dict[str, Any] = {
    "id": "meal",
    "type": "choice",
    "label": "What do you eat?",
    "required": True,
    "options": ["Everything", "Vegan"],
}
DAYS: dict[str, Any] = {
    "id": "days",
    "type": "choices",
    "label": "Which days?",
    "options": ["Fri", "Sat"],
}
AGE: dict[str, Any] = {"id": "age", "type": "number", "label": "How old are you?"}
BUS: dict[str, Any] = {"id": "bus", "type": "yes_no", "label": "Do you come by bus?"}


async def asking(api: Api, *questions: dict[str, Any]) -> str:
    """The id of an event with these questions."""
    event = str(await api.event())
    path = f"/api/events/{event}/questions"
    asked = await api.http.put(path, json={"questions": questions})
    assert asked.status_code == 200, asked.text
    await api.settled()
    return event


async def questions_of(api: Api, event: str) -> list[dict[str, Any]]:
    await api.settled()
    answer = await api.http.get(f"/api/events/{event}/questions")
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_questions_are_made_moved_and_removed_without_scripts(
    api: Api, organizer: Panel
) -> None:
    event = await asking(api)
    await organizer.open(f"/admin/events/{event}")
    page = await organizer.follow("Questions")
    assert "No questions" in page.text
    page = await organizer.submit(button="Add a question")
    assert page.status == 200
    await organizer.submit(
        button="Add a question",
        **{
            "questions.0.label": "What do you eat?",
            "questions.0.type": "choice",
            "questions.0.options": "Everything\n\nVegan\n",
            "questions.0.required": "on",
        },
    )
    page = await organizer.submit(
        button="Move up question 2", **{"questions.1.label": "Straße, Größe & 数?"}
    )
    assert page.value("questions.0.label") == "Straße, Größe & 数?"
    assert page.value("questions.1.label") == "What do you eat?"
    assert await questions_of(api, event) == []
    page = await organizer.submit(button="Save")
    assert page.notice == "The questions were saved."
    first, second = await questions_of(api, event)
    assert (first["id"], first["type"]) == ("strae_groe", "text")
    assert second == MEAL | {"id": "what_do_you_eat", "max_length": None}
    await organizer.submit(button="Move down question 1")
    await organizer.submit(button="Remove question 2")
    await organizer.submit(button="Save")
    assert await questions_of(api, event) == [second]


async def test_proposed_ids_are_unique_and_never_empty(api: Api, organizer: Panel) -> None:
    event = await asking(api, AGE)
    await organizer.open(f"/admin/events/{event}/questions")
    for _ in range(2):
        await organizer.submit(button="Add a question")
    await organizer.submit(
        button="Save", **{"questions.1.label": "Age?", "questions.2.label": "何歳ですか"}
    )
    found = await questions_of(api, event)
    assert [question["id"] for question in found] == ["age", "age_2", "question_3"]


async def test_errors_stand_beside_their_fields_and_lose_nothing(
    api: Api, organizer: Panel
) -> None:
    event = await asking(api, AGE, BUS)
    await organizer.open(f"/admin/events/{event}/questions")
    page = await organizer.submit(
        button="Save",
        **{
            "questions.0.label": " ",
            "questions.0.type": "text",
            "questions.0.max_length": "many",
            "questions.1.type": "choice",
            "questions.1.id": "Über",
        },
    )
    assert page.status == 422
    assert list(page.errors) == [
        "questions.0.label",
        "questions.0.max_length",
        "questions.1.options",
        "questions.1.id",
    ]
    assert page.value("questions.0.max_length") == "many"
    await organizer.open(f"/admin/events/{event}/questions")
    page = await organizer.submit(button="Save", **{"questions.1.id": "age"})
    assert page.errors == {"questions.1.id": "is the id of another question"}


async def test_an_editor_who_is_late_keeps_what_was_typed(api: Api, organizer: Panel) -> None:
    event = await asking(api, AGE)
    await organizer.open(f"/admin/events/{event}/questions")
    path = f"/api/events/{event}/questions"
    await api.http.put(path, json={"questions": [BUS]})
    await api.settled()
    page = await organizer.submit(button="Save", **{"questions.0.label": "Mine?"})
    assert page.status == 412
    assert "changed meanwhile" in page.alert
    assert page.value("questions.0.label") == "Mine?"
    await organizer.submit(button="Save")
    assert [question["label"] for question in await questions_of(api, event)] == ["Mine?"]


async def test_only_organizers_change_questions(api: Api, auditor: Panel, organizer: Panel) -> None:
    event = await asking(api, AGE)
    page = await auditor.open(f"/admin/events/{event}")
    assert "Questions" not in page.links
    assert (await auditor.open(f"/admin/events/{event}/questions")).status == 403
    assert (await organizer.open(f"/admin/events/{uuid4()}/questions")).status == 404


async def test_an_organizer_adds_a_visitor_with_answers_and_corrects_them(
    api: Api, organizer: Panel
) -> None:
    event = await asking(api, MEAL, DAYS, AGE, BUS)
    await organizer.open(f"/admin/visitors/new/{event}")
    typed = {
        "full_name": "Ada",
        "email": "nobody",
        "answers.meal": "Vegan",
        "answers.days.Sat": "on",
        "answers.age": "old",
        "answers.bus": "no",
    }
    page = await organizer.submit(**typed)
    assert list(page.errors) == ["email", "answers.age"]
    page = await organizer.submit(**{"email": "ada@example.com", "answers.age": "36.5"})
    assert page.notice == "The visitor is registered."
    for text in ("What do you eat?Vegan", "Which days?Sat", "old are you?36.5", "by bus?no"):
        assert text in page.text
    assert (
        "People have registered already."
        in (await organizer.open(f"/admin/events/{event}/questions")).text
    )
    await organizer.open(page.address)
    page = await organizer.follow("Correct")
    assert page.value("answers.age") == "36.5"
    page = await organizer.submit(**{"answers.meal": "", "answers.days.Fri": "on"})
    assert "What do you eat?" not in page.text
    assert "Which days?Fri, Sat" in page.text


async def test_an_answer_that_is_no_option_any_more_stays(api: Api, organizer: Panel) -> None:
    event = await asking(api, MEAL, AGE)
    person = {"full_name": "Ada", "email": "ada@example.com"}
    answers = {"meal": "Vegan", "age": 36}
    added = await api.http.post(f"/api/events/{event}/register", json=person | {"answers": answers})
    ada = added.json()["data"]["id"]
    other = MEAL | {"options": ["Nothing"]}
    await api.http.put(f"/api/events/{event}/questions", json={"questions": [other]})
    await api.settled()
    await organizer.open(f"/admin/visitors/{ada}/correct")
    page = await organizer.submit(full_name="Ada King")
    assert page.notice == "The visitor was corrected."
    assert "What do you eat?Vegan" in page.text
    assert "How old are you?36" in page.text


async def test_answers_are_hidden_with_the_names(api: Api, auditor: Panel) -> None:
    event = await asking(api, AGE)
    person = {"full_name": "Ada", "email": "ada@example.com", "answers": {"age": 36}}
    added = await api.http.post(f"/api/events/{event}/register", json=person)
    await api.settled()
    page = await auditor.open(f"/admin/visitors/{added.json()['data']['id']}")
    assert "How old" not in page.text
    page = await auditor.follow("Show names and emails")
    assert "How old are you?36" in page.text


async def test_the_list_of_an_events_visitors_shows_answers_on_demand(
    api: Api, auditor: Panel, organizer: Panel
) -> None:
    event = await asking(api, AGE, DAYS)
    for name, answers in (("Ada", {"age": 36, "days": ["Fri", "Sat"]}), ("Bob", {})):
        person = {"full_name": name, "email": f"{name}@example.com", "answers": answers}
        await api.http.post(f"/api/events/{event}/register", json=person)
    await api.settled()
    page = await organizer.open(f"/admin/visitors/?event={event}")
    assert [len(row) for row in page.rows] == [4, 4]
    page = await organizer.follow("Show answers")
    assert [row[3:5] for row in page.rows] == [["", ""], ["36", "Fri, Sat"]]
    page = await organizer.follow("Hide answers")
    assert [len(row) for row in page.rows] == [4, 4]
    page = await auditor.open(f"/admin/visitors/?event={event}&answers=true")
    assert [row[3:5] for row in page.rows] == [["", ""], ["", ""]]
