"""Questions on the pages for visitors: asked by the form to register, also in a frame, and shown to
who has answered them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.links import manage_token
from tests.api.pages.visiting import PERSON, a_visitor, an_event, facts, shown, visitors_of
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "meal",
        "type": "choice",
        "label": "What do you eat?",
        "required": True,
        "options": ["Everything", "Vegan"],
    },
    {"id": "days", "type": "choices", "label": "Which days?", "options": ["Fri", "<Sat>"]},
    {"id": "bus", "type": "yes_no", "label": "By bus?", "required": True},
    {"id": "age", "type": "number", "label": "Age?"},
    {"id": "born", "type": "date", "label": "Born?"},
    {"id": "note", "type": "long_text", "label": "Anything else?", "max_length": 20},
    {"id": "nick", "type": "text", "label": "Nickname?"},
    {
        "id": "from",
        "type": "choice",
        "label": "Where from?",
        "options": [f"Town {number}" for number in range(7)],
    },
]

TYPED = {
    "answers.meal": "Vegan",
    "answers.days.<Sat>": "on",
    "answers.bus": "no",
    "answers.age": "36.5",
    "answers.born": "1815-12-10",
    "answers.note": "Two\nlines",
    "answers.nick": "Addy",
    "answers.from": "Town 3",
}

ANSWERS = {
    "meal": "Vegan",
    "days": ["<Sat>"],
    "bus": False,
    "age": 36.5,
    "born": "1815-12-10",
    "note": "Two\nlines",
    "nick": "Addy",
    "from": "Town 3",
}


async def asking(api: Api) -> str:
    event = await an_event(api)
    path = f"/api/events/{event}/questions"
    assert (await api.http.put(path, json={"questions": QUESTIONS})).status_code == 200
    await api.settled()
    return event


@pytest.mark.parametrize("where", ["", "/embed"])
async def test_the_form_asks_the_questions_and_keeps_what_was_typed(api: Api, where: str) -> None:
    event = await asking(api)
    async with a_visitor(api) as browser:
        page = await browser.open(f"/events/{event}{where}")
        legends = [legend.text for legend in page.root.all("legend")]
        assert legends == ["What do you eat?", "Which days? (optional)", "By bus?"]
        page = await browser.submit(
            **PERSON | TYPED | {"email": "nobody", "answers.age": "old", "answers.note": "x" * 21}
        )
        assert page.status == 422
        assert list(page.errors) == ["email", "answers.age", "answers.note"]
        assert page.value("answers.nick") == "Addy"
        page = await browser.submit(
            email=PERSON["email"], **{"answers.age": "36.5", "answers.note": "Two\nlines"}
        )
        assert page.heading == "You are registered"
    (visitor,) = await visitors_of(api, event)
    assert visitor["answers"] == ANSWERS


async def test_required_questions_must_be_answered(api: Api) -> None:
    event = await asking(api)
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        page = await browser.submit(**PERSON)
        assert page.errors == {"answers.meal": "is required", "answers.bus": "is required"}
        page = await browser.submit(**{"answers.meal": "Vegan", "answers.bus": "yes"})
        assert page.heading == "You are registered"


async def test_errors_are_in_the_language_of_the_reader(api: Api) -> None:
    event = await asking(api)
    async with a_visitor(api) as browser:
        browser.http.headers["Accept-Language"] = "de"
        await browser.open(f"/events/{event}")
        page = await browser.submit(**PERSON | {"answers.age": "alt"})
        assert page.errors["answers.age"] == "muss eine Zahl sein"
        assert "Which days? (freiwillig)" in page.text


async def test_a_question_that_went_while_one_typed_is_no_error(api: Api) -> None:
    event = await asking(api)
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        path = f"/api/events/{event}/questions"
        await api.http.put(path, json={"questions": QUESTIONS[:1]})
        await api.settled()
        page = await browser.submit(**PERSON | TYPED)
        assert page.heading == "You are registered"
    (visitor,) = await visitors_of(api, event)
    assert visitor["answers"] == {"meal": "Vegan"}


async def test_visitors_see_their_answers(api: Api) -> None:
    event = await asking(api)
    registered = await api.http.post(
        f"/api/events/{event}/register", json=PERSON | {"answers": ANSWERS}
    )
    token = manage_token(api.connections.keys, UUID(registered.json()["data"]["id"]), 1)
    found = facts(await shown(api, f"/r/{token}"))
    assert found["What do you eat?"] == "Vegan"
    assert found["Which days?"] == "<Sat>"
    assert found["By bus?"] == "No"
    assert found["Anything else?"] == "Two lines"
    own = await api.http.get(f"/api/manage/{token}")
    assert own.json()["data"]["visitor"]["answers"] == ANSWERS


async def test_an_answer_to_a_question_that_has_gone_is_shown_with_its_question(api: Api) -> None:
    event = await asking(api)
    registered = await api.http.post(
        f"/api/events/{event}/register", json=PERSON | {"answers": ANSWERS}
    )
    await api.http.put(f"/api/events/{event}/questions", json={"questions": QUESTIONS[:1]})
    token = manage_token(api.connections.keys, UUID(registered.json()["data"]["id"]), 1)
    found = facts(await shown(api, f"/r/{token}"))
    assert found["What do you eat?"] == "Vegan"
    assert found["Nickname?"] == "Addy"
    assert "nick" not in found
