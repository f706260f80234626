"""A day's work of an organizer, step by step. `pytest -s` shows what each step costs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from anyio import Path
from playwright.async_api import Locator, Page, expect

from domain.notifications import RecordDelivery
from tests.api.serving import OPERATOR, PASSWORD, Api
from tests.browser.content import notifications
from tests.browser.looking import People, field, notice

pytestmark = pytest.mark.anyio

FOUND = "Evening of the Day"


class Hand:
    """Counts what it does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = self.fields = 0

    async def click(self, wanted: Locator) -> None:
        self.clicks += 1
        await wanted.first.click()

    async def follow(self, name: str) -> None:
        await self.click(self.page.get_by_role("link", name=name, exact=True))

    async def press(self, name: str) -> None:
        await self.click(self.page.get_by_role("button", name=name, exact=True))

    async def choose(self, wanted: Locator, label: str) -> None:
        self.clicks += 1
        await wanted.select_option(label=label)

    async def type(self, label: str, text: str) -> None:
        self.fields += 1
        await field(self.page, label).fill(text)

    async def on(self, heading: str) -> None:
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    async def find(self, fragment: str) -> None:
        await self.follow("Events")
        await self.on("Events")
        await self.type("Name", fragment)
        await self.press("Search")
        await expect(self.page).to_have_url(re.compile("name="))

    async def select(self, *names: str, change: str) -> None:
        for name in names:
            await self.click(field(self.page, f"Select {name}"))
        await self.press(change)

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        self.clicks = self.fields = 0
        yield
        print(f"{name}: {self.clicks} clicks, {self.fields} fields")  # noqa: T201


async def test_an_organizers_day(site: Api, people: People) -> None:
    await site.area("Hall of the Day")
    names = [f"Day {n}" for n in "abc"]
    events = [await site.event(name=name) for name in names]
    await site.register(events[0], "zoe@example.org")
    failed = (await notifications(site))[-1]
    refused = RecordDelivery(notification_id=failed, failure="no such mailbox")
    await site.connections.writer.execute(refused, OPERATOR)
    await site.settled()
    page = await people(timezone_id="Europe/Berlin", accept_downloads=True)
    hand = Hand(page)
    await page.goto("/admin/")
    async with hand.step("sign in"):
        await hand.type("Username", "admin")
        await hand.type("Password", PASSWORD)
        await hand.press("Sign in")
        await hand.on("Dashboard")
    async with hand.step("create an event at 19:00 in Berlin"):
        await hand.follow("New event")
        await hand.on("New event")
        await expect(field(page, "Time zone")).to_have_value("Europe/Berlin")
        await hand.type("Name", FOUND)
        await hand.type("Area", "Hall of the Day")
        await hand.type("Begins", "2098-05-17T19:00")
        await hand.type("Registration ends", "2098-05-16T19:00")
        await hand.type("Seats", "100")
        await hand.press("Create")
        await hand.on(FOUND)
        await expect(page.locator("time").first).to_have_text("17 May 2098, 19:00 Europe/Berlin")
    async with hand.step("copy it to next year"):
        await hand.follow("Copy")
        await hand.on("New event")
        await hand.type("Begins", "2099-05-17T19:00")
        await hand.type("Registration ends", "2099-05-16T19:00")
        await hand.press("Create")
        await expect(page.locator("time").first).to_have_text("17 May 2099, 19:00 Europe/Berlin")
    async with hand.step("find it by a fragment"):
        await hand.find("ning of the da")
        await expect(page.get_by_role("link", name=FOUND, exact=True)).to_have_count(2)
    for change, heading, button, done in (
        ("Close registration", "Close registration of 2 events", "Close registration", "closed"),
        ("Cancel", "Cancel 2 events", "Cancel 2 events", "cancelled"),
    ):
        async with hand.step(change):
            await hand.find("day ")
            await hand.select(*names[1:], change=change)
            await hand.on(heading)
            if done == "cancelled":
                await hand.type("Reason", "The hall is flooded.")
            await hand.press(button)
            await expect(notice(page)).to_have_text(f"2 events were {done}.")
    async with hand.step("delete by mistake, and undo"):
        await hand.find("day a")
        await hand.select("Day a", change="Delete")
        await hand.press("Delete")
        await expect(notice(page)).to_have_text("1 event was deleted.")
        await hand.press("Undo")
        await expect(notice(page)).to_have_text("1 event was restored.")
    async with hand.step("send a failed message of an event again"):
        await hand.find("day a")
        await hand.follow("Day a")
        await hand.on("Day a")
        await hand.click(page.get_by_role("navigation", name="Event").get_by_text("Messages"))
        await expect(page.get_by_role("cell", name="no such mailbox").first).to_be_visible()
        await hand.click(page.get_by_role("button", name="Send again to"))
        await expect(notice(page)).to_have_text("The message will be sent again.")
        assert f"/admin/events/{events[0]}/messages" in page.url
    async with hand.step("export a person"):
        await hand.click(page.locator("tbody td a[href*='/visitors/']"))
        async with page.expect_download() as download:
            await hand.press("Export all about this person")
        exported = json.loads(await Path(await (await download.value).path()).read_text())
        assert exported["email"] == "zoe@example.org"
