"""What axe, a checker of accessibility, finds on a page."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

Scheme = Literal["light", "dark"]


async def violations(page: Page) -> list[str]:
    """The serious ones: all in the light, and in the dark those that it brings. `pytest -s` shows
    the mild ones too."""
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
