"""Where things are on a page of the panel."""

from __future__ import annotations

from playwright.async_api import Locator, Page


def field(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True)


def notice(page: Page) -> Locator:
    return page.locator(".notice")
