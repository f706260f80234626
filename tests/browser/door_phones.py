"""Phones at a door: each a browser of its own, with its own database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from playwright.async_api import BrowserContext, Page, expect

from domain.api_keys import CreateKey, Scope
from domain.core.values import Text
from domain.key_secrets import KeySecret
from domain.tickets import ticket_of
from tests.api.serving import OPERATOR, PASSWORD, Api
from tests.browser.watching import Watch

SIZE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}

WITH_NAMES: tuple[Scope, ...] = ("check_in", "personal")


class Phone:
    """With the door page open."""

    def __init__(self, context: BrowserContext, page: Page, link: str, origin: str) -> None:
        self.context = context
        self.page = page
        self.watch = Watch(page, origin, may_be_offline=True)
        self._link = link

    async def open(self, *, fragment: bool = True) -> None:
        """Returns when the page can scan."""
        await self.page.goto(self._link if fragment else self._link.partition("#")[0])
        await expect(self.page.locator("#door")).to_be_visible()

    async def ready(self) -> None:
        """Online, with the list, and kept for when the network is away."""
        await expect(self.page.locator("#connection")).to_contain_text("Online · list is")
        await expect(self.page.locator("html")).to_have_attribute("data-kept", "true")

    async def reopened(self) -> Phone:
        """The page closed, and opened once more without the key in its address."""
        await self.page.close()
        origin = self.watch.origin
        phone = Phone(self.context, await self.context.new_page(), self._link, origin)
        await phone.open(fragment=False)
        return phone

    async def scan(self, text: str) -> None:
        """As a USB scanner does: it types, wherever the focus is, and presses Enter."""
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")

    async def sees(self, word: str, detail: str = "") -> None:
        """The verdict, in words."""
        await expect(self.page.locator("#word")).to_have_text(word)
        await expect(self.page.locator("#verdict")).to_contain_text(detail)

    async def counts(self, *, inside: str, waiting: int) -> None:
        counts = self.page.locator("#counts")
        await expect(counts).to_contain_text(f"Inside{inside}", use_inner_text=False)
        await expect(self.page.locator("#waiting")).to_have_text(str(waiting))

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()


Phones = Callable[..., Awaitable[Phone]]
"""`await phones(link)`: another phone, with this link of the door open."""

Run = Callable[..., Awaitable[Any]]
"""`await run("tickets.js", "canonical", " a ")`: what the function of that script returns."""


async def door_link(site: Api, event: str, scopes: tuple[Scope, ...] = WITH_NAMES) -> str:
    """As the panel makes them."""
    link, _ = await door_link_and_key(site, event, scopes)
    return link


async def door_link_and_key(
    site: Api, event: str, scopes: tuple[Scope, ...] = WITH_NAMES
) -> tuple[str, UUID]:
    secret = KeySecret.new()
    command = CreateKey(
        name=Text("Gate"), scopes=scopes, event_ids=(UUID(event),), secret_hash=secret.hash
    )
    done = await site.connections.writer.execute(command, OPERATOR)
    return f"/door/{event}#{secret.reveal()}", done.value.id


async def visitors_of(site: Api, event: str, *names: str) -> dict[str, str]:
    """Registers them; returns their tickets, by name."""
    tickets = {}
    for name in names:
        body = {"full_name": name, "email": f"{name.replace(' ', '.')}@example.org"}
        answer = await site.http.post(f"/api/events/{event}/register", json=body)
        assert answer.status_code == 201, answer.text
        id = UUID(answer.json()["data"]["id"])
        tickets[name] = ticket_of(site.connections.keys, UUID(event), id, 1, 0)
    await site.settled()
    return tickets


async def organizer_of(site: Api) -> dict[str, str]:
    """Signed in to the API."""
    body = {"username": "organizer", "password": PASSWORD}
    answer = await site.http.post("/api/auth/login", json=body)
    return {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}
