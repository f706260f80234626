"""A visitor with a browser without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from tests.api.admin.panel import Page, Panel
from tests.api.serving import Api
from tests.support.html import Element


@asynccontextmanager
async def a_visitor(api: Api) -> AsyncIterator[Panel]:
    base = api.http.base_url
    async with httpx.AsyncClient(base_url=base, timeout=30, follow_redirects=True) as http:
        yield Panel(http)


async def an_event(api: Api, **fields: Any) -> str:
    """That the pages show."""
    id = await api.event(**fields)
    await api.settled()
    return id


async def visitors_of(api: Api, event: str) -> list[dict[str, Any]]:
    await api.settled("visitors")
    account = await api.account(f"organizer-{uuid4().hex[:8]}", "organizer")
    answer = await api.http.get(f"/api/events/{event}/visitors", headers=account.bearer)
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def shown(api: Api, address: str) -> Page:
    return Page(await api.http.get(address))


def facts(page: Page) -> dict[str, str]:
    """Of the event or the registration, by what they are called."""
    pairs = [found for found in page.root.all("div") if _is_fact(found)]
    return {pair.one("dt").text: pair.one("dd").text for pair in pairs}


def status(page: Page) -> str:
    """What it says of the state of the event or the registration."""
    return " ".join(found.text for found in page.root.all("p", "div", role="status"))


def _is_fact(found: Element) -> bool:
    return any(isinstance(part, Element) and part.tag == "dt" for part in found.content)


PERSON: dict[str, Any] = {"full_name": "Ada Lovelace", "email": "ada@example.com"}
