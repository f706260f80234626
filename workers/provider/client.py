"""The external events provider: fetching everything it has to say, page by page.

Whatever it answers, a fetch ends and takes little memory: time, bytes, pages and items are bounded,
and it leads to no host that is not configured. What it answered is in no message.
"""

from __future__ import annotations

import asyncio
from datetime import date

import httpx
import msgspec

from runtime.settings import Settings
from workers.provider.addresses import Address, Addresses, BadAddress
from workers.provider.body import Allowance, NotReadable, read_body
from workers.provider.page import Item, NotAPage, Page, TooManyItems, read_page

PAGE_TIMEOUT = 30.0  # seconds of silence
FETCH_TIMEOUT = 300.0  # seconds for all pages
LARGEST_FETCH = 64 * 1024 * 1024  # bytes in all pages, as they are sent and unpacked
MOST_PAGES = 10_000
MOST_ITEMS = 200_000
MOST_REDIRECTS = 10  # for one page

HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where events come from."""

    url: str
    other_hosts: tuple[str, ...] = ()
    """To which pages and redirects may lead besides, each as `host` or `host:port`."""
    timezone: str = "UTC"
    """Of times that it gives without an offset."""


def configured(settings: Settings) -> Source | None:
    """None when no provider is."""
    if settings.events_provider_url is None:
        return None
    return Source(
        url=settings.events_provider_url,
        other_hosts=settings.events_provider_hosts,
        timezone=settings.events_provider_timezone,
    )


class FetchFailed(Exception):
    """The provider cannot be read; the message says why."""


async def fetch_items(source: Source, changed_at: date | None = None) -> list[Item]:
    """All items, or only those that changed on that day or since. Raises `FetchFailed`."""
    try:
        async with (
            asyncio.timeout(FETCH_TIMEOUT),
            httpx.AsyncClient(timeout=PAGE_TIMEOUT, follow_redirects=False) as client,
        ):
            return await _Fetch(client, source).all_items(changed_at)
    except TimeoutError:
        raise FetchFailed(f"not finished after {FETCH_TIMEOUT:.0f} s") from None
    except httpx.TimeoutException as error:
        raise FetchFailed(f"no answer within {PAGE_TIMEOUT:.0f} s") from error
    except httpx.ConnectError as error:  # in the words of this host
        raise FetchFailed(f"ConnectError: {error}") from error
    except httpx.HTTPError as error:
        raise FetchFailed(f"the connection failed: {type(error).__name__}") from error
    except NotAPage as error:
        raise FetchFailed("the answer is not a list or a page of items") from error
    except (BadAddress, NotReadable) as error:
        raise FetchFailed(str(error)) from error
    except TooManyItems as error:
        raise FetchFailed(f"more than {MOST_ITEMS:,} items") from error


class _Fetch:
    """One, and what is left of its bounds."""

    def __init__(self, client: httpx.AsyncClient, source: Source) -> None:
        self._client = client
        self._addresses = Addresses(source.url, source.other_hosts)
        self._allowance = Allowance(LARGEST_FETCH)

    async def all_items(self, changed_at: date | None) -> list[Item]:
        address = self._addresses.first
        if changed_at is not None:
            address = address.copy_merge_params({"changed_at": changed_at.isoformat()})
        items, seen = list[Item](), set[Address]()
        while True:
            if address in seen:
                raise FetchFailed("the pages go round in a circle")
            if len(seen) == MOST_PAGES:
                raise FetchFailed(f"more than {MOST_PAGES:,} pages")
            seen.add(address)
            page, answered_by = await self._page(address, MOST_ITEMS - len(items))
            items += page.results
            if not page.next:
                return items
            address = self._addresses.following(page.next, answered_by)

    async def _page(self, address: Address, most_items: int) -> tuple[Page, Address]:
        """The page, and the address that gave it after all redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            async with self._client.stream(
                "GET", address, headers=HEADERS, auth=self._addresses.auth(address)
            ) as response:
                self._client.cookies.clear()  # else they would pile up
                if response.status_code == httpx.codes.OK:
                    body = await read_body(response, self._allowance)
                    return read_page(body, most_items), address
                if not response.has_redirect_location:
                    raise FetchFailed(f"the provider answered HTTP {response.status_code}")
                address = self._addresses.following(response.headers["location"], address)
        raise FetchFailed(f"more than {MOST_REDIRECTS} redirects")
