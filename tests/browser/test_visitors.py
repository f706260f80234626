"""What visitors do on the public pages, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from domain.links import manage_token
from runtime.settings import Settings
from tests.api.serving import Api
from tests.browser.accessibility import violations
from tests.browser.looking import People, field, press, tab_to
from tests.support.http_server import Answer, HttpServer
from tests.support.processes import accepts
from tests.support.waiting import until
from tests.system.running import up
from workers.sink.access import page_url, token
from workers.sink.announcement import running_at

pytestmark = pytest.mark.anyio

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))


async def an_event(site: Api, name: str, **fields: Any) -> str:
    id = await site.event(name=name, **fields)
    await site.settled()
    return id


async def heading_is(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


async def fill_in(page: Page, email: str) -> None:
    await field(page, "Full name").fill("Ada Lovelace")
    await field(page, "Email").fill(email)


async def test_from_the_page_of_an_event_to_the_ticket_and_away_again(
    browser: Browser, folder: Path
) -> None:
    """With the link from the message in the sink, and without scripts."""
    with up(folder / "data") as system:
        async with system.client() as http:
            body = {
                "name": "Winter concert",
                "event_datetime": "2099-05-17T09:00:00Z",
                "registration_deadline": "2099-05-16T09:00:00Z",
                "confirm_within": "P2D",
            }
            assert (await http.post("/api/events/", json=body)).status_code == 201
        context = await browser.new_context(
            base_url=system.origin, java_script_enabled=False, **PHONE
        )
        async with context:
            page = await context.new_page()
            for _ in range(100):
                await page.goto("/")
                if await page.get_by_role("link", name="Winter concert").count():
                    break
            await page.get_by_role("link", name="Winter concert").click()
            await fill_in(page, "ada@example.com")
            await page.get_by_role("button", name="Register").click()
            await heading_is(page, "Confirm your address")
            until(lambda: (url := running_at(folder / "data")) and accepts(urlsplit(url).port or 0))
            port = urlsplit(running_at(folder / "data") or "").port or 0
            sink = page_url(port, token(Settings(data_dir=folder / "data")))
            link = page.get_by_text(f"{system.origin}/r/").first
            for _ in range(100):
                await page.goto(sink)
                if await link.count():
                    break
                await page.wait_for_timeout(100)
            words = (await link.inner_text()).split()
            (address,) = {word for word in words if word.startswith(f"{system.origin}/r/")}
            await page.goto(address)
            await heading_is(page, "Winter concert")
            await expect(page.get_by_role("status")).to_contain_text("Your seat is held")
            await expect(page.get_by_role("img", name="QR code of your ticket")).to_have_count(0)
            await page.get_by_role("button", name="Confirm my address").click()
            await expect(page.get_by_role("status")).to_contain_text("You are registered.")
            await expect(page.get_by_role("img", name="QR code of your ticket")).to_be_visible()
            await expect(page.get_by_role("button", name="Print the ticket")).to_be_hidden()
            await page.get_by_role("link", name="Cancel my registration").click()
            await page.get_by_role("button", name="Cancel my registration").click()
            await expect(page.get_by_role("status")).to_contain_text("not registered any more")
            await page.goto(address)
            await heading_is(page, "This registration is over")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_each_page_fits_and_axe_finds_nothing(
    site: Api, people: People, size: dict[str, Any]
) -> None:
    long = {
        "description": ("An-address-without-any-space-in-it-at-all-" * 3 + " and words.\n\n") * 60,
        "timezone": "America/Argentina/ComodRivadavia",
        "ends_at": "2099-05-19T16:00:00Z",
    }
    event = await an_event(site, "مهرجان 🎉 " + "x" * 60 + " long" * 30, **long)
    full = await an_event(site, "Full", capacity=0)
    waiting = await an_event(site, "Waiting", capacity=0, waiting_list="automatic")
    cancelled = await an_event(site, "Cancelled")
    await site.http.post(f"/api/events/{cancelled}/cancel", json={"reason": "Flooded.\n" * 50})
    await site.settled()
    page = await people(**size)
    for address in (
        "/",
        "/events/",
        "/events/?q=nothing+like+this&month=2099-05",
        *(f"/events/{id}" for id in (event, full, waiting, cancelled, uuid4())),
        *(f"/events/{id}/embed" for id in (event, cancelled, uuid4())),
        *(
            f"/events/{event}/registered?as={outcome}"
            for outcome in ("registered", "unconfirmed", "waiting", "already")
        ),
    ):
        await page.goto(address)
        assert await fits(page), address
        assert await violations(page) == []
    await page.goto(f"/events/{event}")
    await page.evaluate("document.forms[0].noValidate = true")
    await page.get_by_role("button", name="Register").click()
    await expect(page.locator(".wrong")).to_have_count(2)
    assert await violations(page) == []


async def test_a_visitor_registers_by_keyboard_alone(site: Api, people: People) -> None:
    event = await an_event(site, "By hand")
    page = await people()
    await page.goto(f"/events/{event}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await tab_to(page, field(page, "Full name"))
    await page.keyboard.type("Ada Lovelace")
    await tab_to(page, field(page, "Email"))
    await page.keyboard.type("by.hand@example.com")
    await press(page, page.get_by_role("button", name="Register"))
    await heading_is(page, "You are registered")


async def test_a_script_adds_the_readers_own_time_where_it_differs(
    site: Api, people: People
) -> None:
    event = await an_event(site, "Far away", timezone="Europe/Berlin")
    there = await people(timezone_id="Asia/Tokyo", locale="en-GB")
    await there.goto(f"/events/{event}")
    when = there.locator("dl time").first
    await expect(when).to_contain_text("11:00 (Europe/Berlin)")
    await expect(when).to_contain_text("Your time (Asia/Tokyo): 18:00")
    the_day_before = await people(timezone_id="Pacific/Honolulu", locale="en-GB")
    await the_day_before.goto(f"/events/{event}")
    when = the_day_before.locator("dl time").first
    await expect(when).to_contain_text("(Pacific/Honolulu): Saturday, 16 May 2099 at 23:00")
    here = await people(timezone_id="Europe/Paris", locale="en-GB")
    await here.goto(f"/events/{event}")
    await expect(here.locator("dl time").first).not_to_contain_text("Your time")


async def test_the_form_works_in_a_frame_of_another_site(site: Api, browser: Browser) -> None:
    """`localhost` and `127.0.0.1` are two sites for a browser."""
    event = await an_event(site, "Framed")
    origin = str(site.http.base_url).rstrip("/")
    html = f'<iframe title="Register" src="{origin}/events/{event}/embed" height="700"></iframe>'
    answer = Answer(headers={"Content-Type": "text/html"}, body=html.encode())
    with HttpServer(lambda _: answer) as other:
        context = await browser.new_context()
        async with context:
            page = await context.new_page()
            await page.goto(f"http://localhost:{other.port}/")
            frame = page.frame_locator("iframe")
            await frame.get_by_label("Full name").fill("Ada Lovelace")
            await frame.get_by_label("Email").fill("framed@example.com")
            await frame.get_by_role("button", name="Register").click()
            await expect(frame.get_by_role("heading", level=1)).to_have_text("You are registered")
            assert await context.cookies() == []
            await page.evaluate(f"document.querySelector('iframe').src = '{origin}/events/{event}'")
            await expect(frame.get_by_role("heading", level=1)).to_have_count(0)


async def test_a_ticket_is_printed_on_one_page(site: Api, people: People) -> None:
    event = await an_event(site, "To print", description="Line.\n" * 400)
    answer = await site.register(event, "printed@example.com")
    page = await people()
    await page.goto(_link(site, answer.json()["data"]["id"]))
    await expect(page.get_by_role("button", name="Print the ticket")).to_be_visible()
    await page.emulate_media(media="print")
    await expect(page.get_by_role("img", name="QR code of your ticket")).to_be_visible()
    await expect(page.get_by_text("Line.")).to_be_hidden()
    printed = await page.pdf(format="A4")
    assert printed.count(b"/Type /Page\n") == 1


def _link(site: Api, visitor: str) -> str:
    return f"/r/{manage_token(site.connections.keys, UUID(visitor), 1)}"
