"""What German and French visitors see, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from domain.links import manage_token
from runtime.settings import Settings
from tests.api.serving import Api
from tests.browser.accessibility import violations
from tests.browser.looking import People, field
from tests.support.processes import accepts
from tests.support.waiting import until
from tests.system.running import up
from workers.sink.access import page_url, token
from workers.sink.announcement import running_at

pytestmark = pytest.mark.anyio

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}

PICTURES = os.environ.get("PICTURES")
"""A folder; None without pictures."""

EVENT = {
    "name": "Donaudampfschifffahrtsgesellschaftskapitänsmützenausstellung",
    "event_datetime": "2099-05-17T09:00:00Z",
    "ends_at": "2099-05-19T16:00:00Z",
    "registration_deadline": "2099-05-16T09:00:00Z",
    "timezone": "Europe/Berlin",
}


async def heading_is(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


async def test_a_german_registers_and_gets_a_german_message(browser: Browser, folder: Path) -> None:
    with up(folder / "data") as system:
        async with system.client() as http:
            assert (await http.post("/api/events/", json=EVENT)).status_code == 201
        context = await browser.new_context(base_url=system.origin, locale="de-DE", **PHONE)
        async with context:
            page = await context.new_page()
            for _ in range(100):
                await page.goto("/")
                if await page.get_by_role("link", name=EVENT["name"]).count():
                    break
            await page.get_by_role("link", name=EVENT["name"]).click()
            await field(page, "Vor- und Nachname").fill("Ada Lovelace")
            await field(page, "E-Mail").fill("ada@example.com")
            await page.get_by_role("button", name="Anmelden").click()
            await heading_is(page, "Sie sind angemeldet")
            until(lambda: (url := running_at(folder / "data")) and accepts(urlsplit(url).port or 0))
            port = urlsplit(running_at(folder / "data") or "").port or 0
            sink = page_url(port, token(Settings(data_dir=folder / "data")))
            message = page.get_by_text("Ihr Bestätigungscode ist").first
            for _ in range(100):
                await page.goto(sink)
                if await message.count():
                    break
            await expect(message).to_contain_text("Sonntag, 17. Mai 2099, 11:00 Uhr bis")
            link = await page.get_by_text(f"{system.origin}/r/").first.inner_text()
            await page.goto(link[link.index(f"{system.origin}/r/") :].split()[0])
            await expect(page.get_by_text("Sie sind angemeldet.")).to_be_visible()


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_long_words_fit_and_pages_are_accessible(
    site: Api, people: People, language: str, size: dict[str, Any]
) -> None:
    event = await site.event(**EVENT)
    full = await site.event(**EVENT | {"capacity": 0, "waiting_list": "automatic"})
    visitor = (await site.register(event)).json()["data"]["id"]
    await site.settled()
    link = manage_token(site.connections.keys, UUID(visitor), 1)
    page = await people(locale=language, **size)
    for name, address in {
        "home": "/",
        "list": "/events/?q=Donau&month=2099-05",
        "event": f"/events/{event}",
        "waiting": f"/events/{full}",
        "after": f"/events/{event}/registered?as=unconfirmed",
        "embed": f"/events/{event}/embed",
        "own": f"/r/{link}",
        "cancel": f"/r/{link}/cancel",
    }.items():
        await page.goto(address)
        assert await page.locator("html").get_attribute("lang") == language
        assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), address
        if PICTURES:
            width = size["viewport"]["width"]
            path = Path(PICTURES) / f"{language}-{width}-{name}.png"
            await page.screenshot(path=path, full_page=True)
        assert await violations(page) == [], address
