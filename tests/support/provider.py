"""A local events provider: serves a test's items as a list or in pages, or misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import msgspec

from tests.support.http_server import Answer, HttpServer, Request
from workers.provider.client import Source

Item = dict[str, Any]

CONFERENCES = Path(__file__).parent / "conferences.json"


class Provider:
    """Answers with `items`, those with a `changed_at` filtered as asked."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.page_size: int | None = None
        """None: everything in one list."""
        self.links_are_relative = False
        self.instead: Answer | None = None
        """The answer to everything, when set."""
        self.asked: list[str] = []
        """Targets of all requests, in their order."""
        self.server = HttpServer(self._respond)

    @property
    def url(self) -> str:
        return f"{self.server.origin}/api/events"

    @property
    def source(self) -> Source:
        return Source(url=self.url)

    def _respond(self, request: Request) -> Answer:
        self.asked.append(request.target)
        if self.instead is not None:
            return self.instead
        asked = {k: v[-1] for k, v in parse_qs(urlsplit(request.target).query).items()}
        since = asked.get("changed_at", "")
        found = [item for item in self.items if _changed_at(item) >= since]
        return Answer(body=msgspec.json.encode(self._page(found, asked)))

    def _page(self, found: list[Any], asked: dict[str, str]) -> Any:
        if self.page_size is None:
            return found
        start = int(asked.get("start", 0))
        end = start + self.page_size
        link = None
        if end < len(found):
            query = urlencode({**asked, "start": end})
            link = f"?{query}" if self.links_are_relative else f"{self.url}?{query}"
        return {"next": link, "results": found[start:end]}


def _changed_at(item: Any) -> str:
    return str(item.get("changed_at", "")) if isinstance(item, dict) else ""


def an_item(**changes: Any) -> Item:
    return {
        "id": str(uuid4()),
        "name": "Fair",
        "event_datetime": "2040-05-17T09:00:00Z",
        "status": "open",
        **changes,
    }


def conferences() -> list[Item]:
    items: list[Item] = msgspec.json.decode(CONFERENCES.read_bytes())
    return items


@contextmanager
def provider() -> Iterator[Provider]:
    provider = Provider()
    with provider.server:
        yield provider
