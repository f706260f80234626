"""What the panel sends to a browser as long as somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.api.admin.panel import Panel
from tests.support.html import Element
from tests.support.waiting import DEADLINE

LIVE = "/admin/live"


class Stream:
    """What a browser is sent, one event after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Element]:
        """Name of the next event, and what it shows."""
        name, data = "", list[str]()
        async with asyncio.timeout(DEADLINE):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif not line and name:
                    return name, Element.parse("\n".join(data))
        raise AssertionError("the stream has ended")

    async def until(self, wanted: str, text: str = "") -> None:
        while True:
            name, shown = await self.next()
            if name == wanted and text in shown.text:
                return


@asynccontextmanager
async def stream(panel: Panel, address: str = LIVE) -> AsyncIterator[Stream]:
    async with panel.http.stream("GET", address) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Stream(answer)
