"""`/problems/{slug}`: the type of each problem leads to what it means."""

from __future__ import annotations

import pytest

from api.http.problems import problem_types
from api.pages.problem_types import WHAT_TO_DO_ABOUT
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def test_each_type_has_a_page_and_the_same_as_json(lone_api: Api) -> None:
    for slug, (kind, *_) in problem_types().items():
        page = await lone_api.http.get(f"/problems/{slug}", headers={"Accept": "text/html"})
        assert (slug, page.status_code) == (slug, 200)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<h1>{kind.title}</h1>" in page.text
        as_json = {"Accept": "application/json"}
        answer = await lone_api.http.get(f"/problems/{slug}/", headers=as_json)
        shown = answer.json()["data"]
        assert (shown["type"], shown["status"]) == (f"/problems/{slug}", kind.status)
        assert shown["happens_when"]
        assert shown["what_to_do"]


def test_the_message_of_each_problem_is_whole() -> None:
    """A reader gets the first line of the docstring."""
    cut = [
        kind.__name__
        for kinds in problem_types().values()
        for kind in kinds
        if (kind.__doc__ or "").partition("\n")[2].partition("\n")[0].strip()
    ]
    assert cut == []


def test_advice_about_a_type_is_about_one_that_exists() -> None:
    assert problem_types().keys() >= WHAT_TO_DO_ABOUT.keys()


async def test_a_type_leads_to_its_page(lone_api: Api) -> None:
    problem = (await lone_api.http.get("/nowhere")).json()
    assert "There is nothing at this address." in (await lone_api.http.get(problem["type"])).text


async def test_an_unknown_problem_type_is_not_found(lone_api: Api) -> None:
    answer = await lone_api.http.get("/problems/nonsense")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
