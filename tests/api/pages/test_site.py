"""Embedding, what search engines are told, and switching the pages off."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.pages.visiting import PERSON, a_visitor
from tests.api.serving import Api, Serving
from tests.support.html import Element

pytestmark = pytest.mark.anyio

AN_HOUR = timedelta(hours=1)


def ancestors(headers: Any) -> str:
    found = re.search("frame-ancestors ([^;]+)", headers["Content-Security-Policy"])
    assert found is not None
    return found[1]


async def test_the_form_alone_may_be_framed_and_works_without_cookies(api: Api) -> None:
    event = await api.event(name="Fair")
    await api.settled()
    async with a_visitor(api) as browser:
        page = await browser.open(f"/events/{event}/embed")
        assert ancestors(page.answer.headers) == "*"
        assert "X-Frame-Options" not in page.answer.headers
        assert page.answer.headers["Cache-Control"] == "no-store", "304 would forbid the frame"
        page = await browser.submit(full_name="Ada", email="nobody")
        assert page.status == 422
        assert ancestors(page.answer.headers) == "*"
        page = await browser.submit(**PERSON)
        assert page.heading == "You are registered"
        assert page.address.startswith(f"/events/{event}/embed/registered")
        assert ancestors(page.answer.headers) == "*"
        assert not browser.http.cookies
        for address in (f"/events/{event}", f"/events/{event}/registered", "/events/", "/"):
            other = await browser.http.get(address)
            assert ancestors(other.headers) == "'none'"
            assert other.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        (("https://a.example", "https://b.example"), "https://a.example https://b.example"),
        ((), "'none'"),
    ],
)
async def test_only_the_configured_sites_may_frame_it(
    serving: Serving, origins: tuple[str, ...], allowed: str
) -> None:
    async with serving(embed_origins=origins) as api:
        answer = await api.http.get("/events/01a21e3d-7f9d-79eb-89c7-92779d041687/embed")
        assert answer.status_code == 404
        assert ancestors(answer.headers) == allowed


async def test_a_sitemap_names_each_upcoming_event_once(
    api: Api, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.sitemap.PART_SIZE", 2)
    ids = {await api.event() for _ in range(5)}
    await api.event(status="closed")
    await api.settled()
    async with serving(public_url="https://tickets.example/a&b") as public:
        index = await public.http.get("/sitemap.xml")
        assert index.headers["Content-Type"] == "application/xml; charset=utf-8"
        parts = re.findall("<loc>https://tickets.example/a&amp;b(.*)</loc>", index.text)
        assert parts == [f"/sitemap.xml?part={number}" for number in (1, 2, 3)]
        texts = [(await public.http.get(part)).text for part in parts]
        listed = re.findall(
            "<loc>https://tickets.example/a&amp;b/events/(.+)</loc>", "".join(texts)
        )
        assert sorted(listed) == sorted(ids)
        changed = re.findall("/events/[^/]+</loc><lastmod>(.*)</lastmod>", "".join(texts))
        assert len(changed) == len(ids)
        assert all(datetime.now(UTC) - datetime.fromisoformat(at) < AN_HOUR for at in changed)
        assert (
            "Sitemap: https://tickets.example/a&b/sitemap.xml"
            in (await public.http.get("/robots.txt")).text
        )


async def test_without_public_pages_only_what_messages_lead_to_is_there(serving: Serving) -> None:
    async with serving(public_pages=False, public_url="https://x.example") as api:
        event = await api.event()
        for address in ("/events/", f"/events/{event}", f"/events/{event}/embed", "/sitemap.xml"):
            assert (await api.http.get(address)).status_code == 404
        assert (await api.http.post(f"/events/{event}", data=PERSON)).status_code == 404
        home = await api.http.get("/")
        assert home.status_code == 200
        assert "/events/" not in re.findall('href="([^"]+)"', home.text)
        assert (await api.http.get("/r/x")).status_code == 404
        assert "Disallow: /events/" in (await api.http.get("/robots.txt")).text
        assert (await api.register(event)).status_code == 201


async def test_the_panel_has_the_lines_that_another_site_needs(api: Api, serving: Serving) -> None:
    event = await api.event(name='"Fair" <b>')
    await api.settled()
    await api.account("ada", "organizer")
    async with (
        serving(public_url="https://x.example") as public,
        a_visitor(public) as browser,
    ):
        await browser.sign_in("ada")
        page = await browser.open(f"/admin/events/{event}")
        assert page.links[f"https://x.example/events/{event}"] == f"/events/{event}"
        lines = Element.parse(page.root.one("pre", class_="code").text)
        frame = lines.one("iframe")
        assert frame.get("src") == f"https://x.example/events/{event}/embed"
        assert frame.get("title") == 'Register: "Fair" <b>'
