"""What holds for every page of the panel, found by following its links."""

from __future__ import annotations

import re

import pytest

from tests.browser.accessibility import violations
from tests.browser.crawling import ID
from tests.browser.looking import People

pytestmark = pytest.mark.anyio


async def test_every_kind_of_page_is_reached_by_links(pages: list[str]) -> None:
    kinds = {ID.sub("ID", page) for page in pages}
    assert kinds >= {
        "/admin/",
        "/admin/events/",
        "/admin/events/new/",
        "/admin/events/ID/",
        "/admin/events/ID/edit/",
        "/admin/events/ID/cancel/",
        "/admin/events/ID/door/",
        "/admin/events/ID/messages/",
        "/admin/events/ID/waiting-list/",
        "/admin/events/ID/delete/",
        "/admin/areas/",
        "/admin/areas/new/",
        "/admin/areas/ID/",
        "/admin/areas/ID/delete/",
        "/admin/visitors/ID/",
        "/admin/visitors/ID/cancel/",
        "/admin/visitors/ID/correct/",
        "/admin/visitors/ID/erase/",
        "/admin/visitors/new/ID/",
        "/admin/visitors/import/ID/",
        "/admin/notifications/ID/",
        "/admin/keys/",
        "/admin/keys/new/",
        "/admin/keys/ID/",
        "/admin/keys/ID/revoke/",
        "/admin/webhooks/",
        "/admin/webhooks/new/",
        "/admin/webhooks/ID/",
        "/admin/webhooks/ID/edit/",
        "/admin/webhooks/ID/delete/",
        "/admin/rebuilds/accounts/",
        "/admin/seals/",
        "/admin/system/",
        "/admin/system/retention/",
    }


async def test_axe_finds_nothing_serious_on_any_page(pages: list[str], people: People) -> None:
    page = await people("admin")
    serious = []
    for address in pages:
        await page.goto(address)
        serious += await violations(page)
    stranger = await people()
    await stranger.goto("/admin/sign-in")
    await stranger.get_by_label("Username").fill("nobody")
    await stranger.get_by_label("Password").fill("not this one")
    await stranger.get_by_role("button", name="Sign in").click()
    await stranger.get_by_role("alert").wait_for()
    serious += await violations(stranger)
    assert serious == []


async def test_every_page_fits_a_phone_and_has_one_heading_and_a_title_of_its_own(
    pages: list[str], people: People
) -> None:
    page = await people("admin", viewport={"width": 390, "height": 844}, has_touch=True)
    wide = {}
    unreachable = {}
    for address in pages:
        await page.goto(address)
        width = await page.evaluate("document.scrollingElement.scrollWidth")
        if width > 390:
            wide[address] = (width, await page.evaluate(WIDEST))
        if rows := await page.evaluate(ROWS_WITH_HIDDEN_LINKS):
            unreachable[address] = rows
        assert await page.locator("h1").count() == 1, address
        assert re.fullmatch(r"(?!Events-Face).+ · Events-Face", await page.title()), address
    assert wide == {}
    assert unreachable == {}


WIDEST = """
    [...document.querySelectorAll("main *, header *")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 100)).slice(0, 5)
"""

ROWS_WITH_HIDDEN_LINKS = """
    [...document.querySelectorAll("main tbody tr")]
        .filter((row) => row.querySelector("a") && row.checkVisibility())
        .filter((row) => ![...row.querySelectorAll("a")].some((link) => link.checkVisibility()))
        .map((row) => row.innerText).slice(0, 5)
"""
"""Rows of tables that lead somewhere on a wide screen only."""
