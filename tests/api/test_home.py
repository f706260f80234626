"""The first page that somebody opens."""

from __future__ import annotations

import re

import pytest

from runtime.release import release
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def test_a_browser_gets_a_page_whose_links_all_lead_somewhere(
    lone_api: Api,
) -> None:
    accepted = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
    page = await lone_api.http.get("/", headers={"Accept": accepted})
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
    assert {"/admin/", "/api/swagger/", "/api/redoc/", "/api/schema/", "/health/ready"} <= set(
        links
    )
    for link in links:
        assert link.startswith(("/", "?lang="))
        assert (await lone_api.http.get(link)).status_code in {200, 303, 503}


async def test_a_program_gets_the_same_as_json(lone_api: Api) -> None:
    for accepted in ("application/json", "application/json, */*;q=0.1"):
        answer = await lone_api.http.get("/", headers={"Accept": accepted})
        assert answer.headers["Vary"] == "Accept"
        assert answer.json()["data"]["openapi"] == "/api/schema/"


async def test_an_unchanged_home_page_is_not_sent_again(lone_api: Api) -> None:
    page = await lone_api.http.get("/")
    again = await lone_api.http.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    assert (await lone_api.http.head("/")).status_code == 200
    assert (await lone_api.http.post("/")).status_code == 405


async def test_one_release_is_named_everywhere(lone_api: Api) -> None:
    assert (await lone_api.http.get("/")).text.count(f"Release {release()}") == 1
    assert (await lone_api.http.get("/api/schema")).json()["info"]["version"] == release()
