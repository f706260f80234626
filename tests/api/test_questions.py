"""Questions of an event and the answers of its visitors, through HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.keyed import Keyed
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


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["A", "a"], 'option 2, "a", is there already'),
        ([""], "option 1 must not be empty"),
        ([str(number) for number in range(101)], "must be at most 100"),
        ([], "must be at least one"),
    ],
)
async def test_wrong_options_of_a_choice_are_told_as_what_they_are(
    api: Api, options: list[str], reason: str
) -> None:
    answer = await ask(await organizer_of(api), MEAL | {"options": options})
    assert wrong(answer) == {"questions.0.options": reason}


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


DAYS: dict[str, Any] = {
    "id": "days",
    "type": "choices",
    "label": "Which days?",
    "options": ["=Fri", "Sat; late", "Sun"],
}
NOTE: dict[str, Any] = {"id": "note", "type": "long_text", "label": "Anything else?"}
BUS: dict[str, Any] = {"id": "bus", "type": "yes_no", "label": "By bus?"}
BORN: dict[str, Any] = {"id": "born", "type": "date", "label": "Born?"}


async def test_an_exported_file_has_all_answers_and_is_imported_with_them(api: Api) -> None:
    asked = (MEAL, AGE, DAYS, NOTE, BUS, BORN)
    organizer = await asking(api, *asked, capacity=None)
    answers = {
        "meal": "Vegan",
        "age": -1.5,
        "days": ["=Fri", "Sat; late"],
        "note": "=1+1\n-2,3",
        "bus": False,
        "born": "1815-12-10",
    }
    assert (await organizer.add("ada", answers=answers)).status_code == 201
    await organizer.add("bob")
    await ask(organizer, AGE)
    file = (await organizer.listed("visitors.csv")).content
    header = file.decode().partition("\r\n")[0]
    assert header.endswith(
        "checked_in_at,answers.age,answers.meal,answers.days,answers.note,answers.bus,answers.born"
    )
    again = await organizer.call(
        "POST",
        f"/api/events/{organizer.event}/visitors/import",
        content=file,
        headers={"Content-Type": "text/csv"},
    )
    assert again.json()["data"]["already"] == 2

    other = Organizer(api, organizer.headers, await api.event())
    await ask(other, *asked)
    imported = await other.call(
        "POST",
        f"/api/events/{other.event}/visitors/import",
        content=file,
        headers={"Content-Type": "text/csv"},
    )
    assert imported.json()["data"]["registered"] == 2, imported.text
    listed = (await other.listed("visitors")).json()["data"]
    assert {visitor["full_name"]: visitor["answers"] for visitor in listed} == {
        "Ada": answers,
        "Bob": {},
    }


async def test_a_line_with_a_wrong_answer_is_refused_by_name(api: Api) -> None:
    organizer = await asking(api, AGE, DAYS, capacity=None)
    file = (
        "full_name,email,answers.age,answers.days,answers.gone\n"
        "Ada,ada@example.com,old,Mon,\n"
        "Bob,bob@example.com,,,here\n"
        "Cy,cy@example.com,7,Sun;=Fri,\n"
    )
    answer = await organizer.call(
        "POST",
        f"/api/events/{organizer.event}/visitors/import",
        content=file.encode(),
        headers={"Content-Type": "text/csv"},
    )
    assert [line["reason"] for line in answer.json()["meta"]["lines"]] == [
        "answers.age must be a number; answers.days must be one of the options",
        "answers.gone is not a question of this event",
        None,
    ]
    (cy,) = (await organizer.listed("visitors")).json()["data"]
    assert cy["answers"] == {"age": 7, "days": ["=Fri", "Sun"]}


async def test_an_erased_persons_answers_are_gone(api: Api) -> None:
    organizer = await asking(api, NOTE, capacity=None)
    secret = "peanuts would be the end of me"
    ada = (await organizer.add("ada", answers={"note": secret})).json()["data"]["id"]
    admin = await api.account("root", "admin")
    await api.http.post(
        "/api/visitors/erase", json={"email": "ada@example.com"}, headers=admin.bearer
    )
    await api.settled()
    assert (await organizer.read(ada))["answers"] is None
    assert secret not in (await organizer.listed("visitors.csv")).text
    assert secret not in (await api.http.get("/api/feed", headers=admin.bearer)).text


async def test_without_the_scope_personal_answers_are_null(keyed: Keyed) -> None:
    organizer = await asking(keyed.api, AGE, capacity=None)
    ada = (await organizer.add("ada", answers={"age": 36})).json()["data"]["id"]
    await keyed.api.settled()
    for scopes, expected in ((["personal"], {"age": 36}), ([], None)):
        key = await keyed.key("visitors:read", "feed", *scopes)
        read = await keyed.api.http.get(f"/api/visitors/{ada}", headers=key)
        assert read.json()["data"]["answers"] == expected
        feed = await keyed.api.http.get(
            "/api/feed", params={"types": "visitor.registered"}, headers=key
        )
        assert feed.json()["data"][0]["data"]["answers"] == expected
