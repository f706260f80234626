"""Questions of an event and the answers of its visitors, through HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.organizing import Organizer, organizer_of, refusal
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

MEAL: dict[str, Any] = {
    "id": "meal",
    "type": "choice",
    "label": "What do you eat?",
    "required": True,
    "options": ["Everything", "Vegan"],
    "max_length": None,
}
AGE: dict[str, Any] = {
    "id": "age",
    "type": "number",
    "label": "How old are you?",
    "required": False,
    "options": [],
    "max_length": None,
}


async def ask(organizer: Organizer, *questions: dict[str, Any], **headers: str) -> httpx.Response:
    path = f"/api/events/{organizer.event}/questions"
    return await organizer.call("PUT", path, json={"questions": questions}, headers=headers)


async def asking(api: Api, *questions: dict[str, Any], **event: Any) -> Organizer:
    organizer = await organizer_of(api, **event)
    answer = await ask(organizer, *questions)
    assert answer.status_code == 200, answer.text
    return organizer


async def register(organizer: Organizer, **body: Any) -> httpx.Response:
    person = {"full_name": "Ada", "email": "ada@example.com"}
    path = f"/api/events/{organizer.event}/register"
    return await organizer.call("POST", path, json=person | body)


def wrong(answer: httpx.Response) -> dict[str, str]:
    assert refusal(answer) == (422, "validation")
    return {error["field"]: error["messages"][0] for error in answer.json()["errors"]}


async def test_anyone_reads_the_questions_that_an_organizer_asks(api: Api) -> None:
    organizer = await organizer_of(api)
    path = f"/api/events/{organizer.event}/questions"
    none = await organizer.call("GET", path)
    assert none.json()["data"] == []
    changed = await ask(organizer, MEAL, {"id": "age", "type": "number", "label": AGE["label"]})
    assert changed.json()["data"] == [MEAL, AGE]
    at_least = {"Min-Event-Position": changed.headers["Event-Position"]}
    read = await api.http.get(path, headers=at_least)
    assert read.json() == changed.json()
    assert read.json()["pagination"]["total"] == 2
    known = {"If-None-Match": read.headers["ETag"]}
    assert (await api.http.get(path, headers=known)).status_code == 304


async def test_a_change_that_others_changed_meanwhile_is_refused(api: Api) -> None:
    organizer = await organizer_of(api)
    first = await ask(organizer, MEAL)
    assert (await ask(organizer, AGE, **{"If-Match": first.headers["ETag"]})).status_code == 200
    late = await ask(organizer, MEAL, **{"If-Match": first.headers["ETag"]})
    assert refusal(late) == (412, "changed-meanwhile")


async def test_wrong_questions_are_named_by_their_place(api: Api) -> None:
    organizer = await organizer_of(api)
    answer = await ask(
        organizer,
        {"id": "No", "type": "poem", "label": " "},
        {"id": "meal", "type": "choice", "label": "Meal?\x00", "sort": 1},
        {"type": "text", "label": "?", "options": ["A", "a"], "max_length": 0},
    )
    assert list(wrong(answer)) == [
        "questions.0.id",
        "questions.0.type",
        "questions.0.label",
        "questions.1.label",
        "questions.1.options",
        "questions.1.sort",
        "questions.2.id",
        "questions.2.options",
        "questions.2.max_length",
    ]
    assert list(wrong(await ask(organizer, MEAL, MEAL))) == ["questions.1.id"]


async def test_the_questions_of_no_event_are_not_found(api: Api) -> None:
    organizer = await asking(api, MEAL)
    await organizer.call("DELETE", f"/api/events/{organizer.event}")
    path = f"/api/events/{organizer.event}/questions"
    assert refusal(await organizer.call("GET", path)) == (404, "not-found")
    assert refusal(await ask(organizer, AGE)) == (404, "not-found")


async def test_a_visitor_answers_and_the_organizer_reads_it(api: Api) -> None:
    organizer = await asking(api, MEAL, AGE)
    registered = await register(organizer, answers={"meal": "Vegan", "age": 36.5})
    assert registered.status_code == 201
    ada = registered.json()["data"]["id"]
    expected = {"meal": "Vegan", "age": 36.5}
    assert (await organizer.read(ada))["answers"] == expected
    listed = await organizer.listed("visitors")
    assert [visitor["answers"] for visitor in listed.json()["data"]] == [expected]
    assert "answers" not in registered.json()["data"]


async def test_wrong_answers_are_named_together_with_all_other_fields(api: Api) -> None:
    organizer = await asking(api, MEAL, AGE)
    body = {"email": "nobody", "answers": {"age": "old", "nope": 1}}
    assert list(wrong(await register(organizer, **body))) == [
        "email",
        "answers.meal",
        "answers.age",
        "answers.nope",
    ]
    assert wrong(await register(organizer)) == {"answers.meal": "is required"}
    assert list(wrong(await register(organizer, answers="Vegan"))) == ["answers"]
    added = await organizer.add("ada", email="nobody", answers={"age": "old"})
    assert list(wrong(added)) == ["email", "answers.age"]


async def test_a_correction_keeps_what_it_does_not_name(api: Api) -> None:
    organizer = await asking(api, MEAL, AGE, capacity=None)
    ada = (await organizer.add("ada", answers={"age": 36})).json()["data"]["id"]
    await ask(organizer, MEAL)
    renamed = await organizer.correct(ada, full_name="Ada King")
    assert renamed.json()["data"]["answers"] == {"age": 36}
    same = await organizer.correct(ada, answers={"age": 36})
    assert same.headers["ETag"] == renamed.headers["ETag"]
    assert list(wrong(await organizer.correct(ada, answers={"age": 37, "meal": "x"}))) == [
        "answers.meal",
        "answers.age",
    ]
    both = await organizer.correct(ada, full_name="", answers={"meal": "x"})
    assert list(wrong(both)) == ["full_name", "answers.meal"]
    moved = await organizer.correct(ada, email="countess@example.com", answers={"meal": "Vegan"})
    data = moved.json()["data"]
    assert data["id"] != ada
    assert data["answers"] == {"meal": "Vegan", "age": 36}


async def test_answers_stay_when_a_visitor_is_promoted(api: Api) -> None:
    organizer = await asking(api, AGE)
    (first,) = await organizer.join("grace")
    waiting = await register(organizer, join_waiting_list=True, answers={"age": 36})
    ada = waiting.json()["data"]["id"]
    await organizer.do(first, "cancel")
    promoted = await organizer.read(ada)
    assert (promoted["status"], promoted["answers"]) == ("registered", {"age": 36})
