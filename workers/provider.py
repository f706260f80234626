"""The external events provider: fetching everything it has to say, page by page."""

from __future__ import annotations

import asyncio
from datetime import date
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

PAGE_TIMEOUT = 30.0  # seconds of silence
FETCH_TIMEOUT = 600.0  # seconds for all pages
LARGEST_FETCH = 256 * 1024 * 1024  # bytes in all pages
MOST_PAGES = 10_000


class FetchFailed(Exception):
    """The provider cannot be read; the message says why."""


class _Page(msgspec.Struct):
    results: list[msgspec.Raw]
    next: str | None = None


Item = msgspec.Raw
"""One item's JSON, as it came."""


async def fetch_items(url: str, changed_at: date | None = None) -> list[Item]:
    """All items, or only those that changed on that day or since. Raises `FetchFailed`."""
    try:
        async with (
            asyncio.timeout(FETCH_TIMEOUT),
            httpx.AsyncClient(timeout=PAGE_TIMEOUT, follow_redirects=True) as client,
        ):
            return await _fetch_pages(client, url, changed_at)
    except TimeoutError:
        raise FetchFailed(f"not finished after {FETCH_TIMEOUT:.0f} s") from None
    except httpx.TimeoutException as error:
        raise FetchFailed(f"no answer within {PAGE_TIMEOUT:.0f} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchFailed(f"{type(error).__name__}: {error}") from error


async def _fetch_pages(client: httpx.AsyncClient, url: str, changed_at: date | None) -> list[Item]:
    first = httpx.URL(url)
    if changed_at is not None:
        first = first.copy_merge_params({"changed_at": changed_at.isoformat()})
    items, seen, budget = list[Item](), set[str](), LARGEST_FETCH
    following: str | None = str(first)
    while following is not None:
        if following in seen:
            raise FetchFailed("the pages go round in a circle")
        if len(seen) == MOST_PAGES:
            raise FetchFailed(f"more than {MOST_PAGES:,} pages")
        seen.add(following)
        body = await _read(client, following, budget)
        budget -= len(body)
        page = _decode(body)
        items += page.results
        following = _absolute(page.next, following) if page.next else None
    return items


async def _read(client: httpx.AsyncClient, url: str, limit: int) -> bytes:
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        if response.status_code != httpx.codes.OK:
            raise FetchFailed(f"the provider answered HTTP {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > limit:
                raise FetchFailed(f"more than {LARGEST_FETCH // 1024**2} MiB")
        return bytes(body)


def _decode(body: bytes) -> _Page:
    try:
        if body.lstrip()[:1] == b"[":
            return _Page(msgspec.json.decode(body, type=list[msgspec.Raw]))
        return msgspec.json.decode(body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FetchFailed(f"the answer is not a list or a page of items: {error}") from error


def _absolute(link: str, page_url: str) -> str:
    """The next page's address; providers give it in full, or relative to the page."""
    try:
        url = urljoin(page_url, link)
        on_the_web = urlsplit(url).scheme in ("http", "https")
    except ValueError as error:
        raise FetchFailed(f"the next page has no address: {link!r}") from error
    if not on_the_web:
        raise FetchFailed(f"the next page is not on the web: {link!r}")
    return url
