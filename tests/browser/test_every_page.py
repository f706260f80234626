"""What holds for every page of the panel, found by following its links."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

from tests.browser.crawling import ID
from tests.browser.looking import People

pytestmark = pytest.mark.anyio

Scheme = Literal["light", "dark"]


async def test_links_lead_to_every_kind_of_page(pages: list[str]) -> None:
    kinds = {ID.sub("ID", page) for page in pages}
    assert kinds >= {
        "/admin/",
        "/admin/events/",
        "/admin/events/new/",
        "/admin/events/ID/",
        "/admin/events/ID/edit/",
        "/admin/events/ID/cancel/",
        "/admin/events/ID/delete/",
        "/admin/areas/",
        "/admin/areas/new/",
        "/admin/areas/ID/",
        "/admin/areas/ID/delete/",
        "/admin/visitors/ID/",
        "/admin/visitors/ID/erase/",
        "/admin/rebuilds/accounts/",
        "/admin/seals/",
    }


async def test_axe_finds_nothing_serious_on_any_page(pages: list[str], people: People) -> None:
    page = await people("admin")
    serious = []
    for address in pages:
        await page.goto(address)
        serious += await _violations(page)
    stranger = await people()
    await stranger.goto("/admin/sign-in")
    await stranger.get_by_label("Username").fill("nobody")
    await stranger.get_by_label("Password").fill("not this one")
    await stranger.get_by_role("button", name="Sign in").click()
    await stranger.get_by_role("alert").wait_for()
    serious += await _violations(stranger)
    assert serious == []


async def _violations(page: Page) -> list[str]:
    """All in the light; in the dark those that it brings. `pytest -s` shows the mild ones too."""
    serious = []
    await page.evaluate(AXE_SCRIPT)
    for scheme, options in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme)
        found = (await page.evaluate("(options) => axe.run(options)", options))["violations"]
        rules = [f"{rule['id']} ({rule['impact']}) {rule['nodes'][0]['html']}" for rule in found]
        print(f"axe, {scheme}: {urlsplit(page.url).path}: {'; '.join(rules) or 'nothing'}")  # noqa: T201
        serious += [
            f"{page.url}, {scheme}: {described}"
            for described, rule in zip(rules, found, strict=True)
            if rule["impact"] in {"serious", "critical"}
        ]
    return serious


SCHEMES: dict[Scheme, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}


async def test_every_page_fits_a_phone_and_has_one_heading_and_a_title_of_its_own(
    pages: list[str], people: People
) -> None:
    page = await people("admin", viewport={"width": 390, "height": 844}, has_touch=True)
    wide = {}
    for address in pages:
        await page.goto(address)
        width = await page.evaluate("document.scrollingElement.scrollWidth")
        if width > 390:
            wide[address] = (width, await page.evaluate(WIDEST))
        assert await page.locator("h1").count() == 1, address
        assert re.fullmatch(r"(?!Events-Face).+ · Events-Face", await page.title()), address
    assert wide == {}


WIDEST = """
    [...document.querySelectorAll("main *, header *")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 100)).slice(0, 5)
"""
