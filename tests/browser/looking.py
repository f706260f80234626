"""Where things are on a page of the panel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

People = Callable[..., Awaitable[Page]]
"""`await people("organizer")`: the page of somebody who is signed in with that account;
`await people()`: of somebody who is not. What else is given is for `Browser.new_context`."""


def field(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True)


def notice(page: Page) -> Locator:
    return page.locator(".notice")


MOST_TABS = 80
"""More than any page has things to tab to."""


async def tab_to(page: Page, wanted: Locator) -> None:
    """By the keyboard alone."""
    handle = await wanted.element_handle()
    for _ in range(MOST_TABS):
        if await page.evaluate("(wanted) => document.activeElement === wanted", handle):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to {wanted} by Tab")


async def press(page: Page, wanted: Locator) -> None:
    await tab_to(page, wanted)
    await page.keyboard.press("Enter")


async def follow(page: Page, link: str, *, to: str) -> None:
    """Returns on the page of this heading. A click does not wait for it, and the page before may
    have a field of the same name."""
    await page.get_by_role("link", name=link, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(to)
