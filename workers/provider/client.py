"""The client of the external events provider: fetches all items, page by page.

Time, bytes, pages and items of a fetch are limited, and only configured hosts are requested, so a
faulty provider does no harm. Error messages contain nothing of its answers.
"""

from __future__ import annotations

import asyncio
from datetime import date

import httpx
import msgspec

from runtime.settings import Settings
from workers.provider.addresses import Address, Addresses, BadAddress
from workers.provider.body import ByteBudget, UnreadableBody, read_body
from workers.provider.page import Item, NotAPage, Page, TooManyItems, read_page

PAGE_TIMEOUT = 30.0  # seconds of silence
FETCH_TIMEOUT = 300.0  # seconds for all pages
MAX_FETCH_SIZE = 64 * 1024 * 1024  # bytes in all pages, as they are sent and unpacked
MAX_PAGES = 10_000
MAX_ITEMS = 200_000
MAX_REDIRECTS = 10  # for one page

HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An events provider."""

    url: str
    other_hosts: tuple[str, ...] = ()
    """Other hosts that pages and redirects may lead to, each as `host` or `host:port`."""
    timezone: str = "UTC"
    """The timezone of times without an offset."""


def configured_source(settings: Settings) -> Source | None:
    """The provider in the settings; None without one."""
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
    except httpx.ConnectError as error:  # its text comes from this host, not from the provider
        raise FetchFailed(f"ConnectError: {error}") from error
    except httpx.HTTPError as error:
        raise FetchFailed(f"the connection failed: {type(error).__name__}") from error
    except NotAPage as error:
        raise FetchFailed("the answer is not a list or a page of items") from error
    except (BadAddress, UnreadableBody) as error:
        raise FetchFailed(str(error)) from error
    except TooManyItems as error:
        raise FetchFailed(f"more than {MAX_ITEMS:,} items") from error


class _Fetch:
    """One fetch, and its remaining limits."""

    def __init__(self, client: httpx.AsyncClient, source: Source) -> None:
        self._client = client
        self._addresses = Addresses(source.url, source.other_hosts)
        self._allowance = ByteBudget(MAX_FETCH_SIZE)

    async def all_items(self, changed_at: date | None) -> list[Item]:
        address = self._addresses.first
        if changed_at is not None:
            address = address.copy_merge_params({"changed_at": changed_at.isoformat()})
        items, seen = list[Item](), set[Address]()
        while True:
            if address in seen:
                raise FetchFailed("the pages link to each other in a circle")
            if len(seen) == MAX_PAGES:
                raise FetchFailed(f"more than {MAX_PAGES:,} pages")
            seen.add(address)
            page, answered_by = await self._page(address, MAX_ITEMS - len(items))
            items += page.results
            if not page.next:
                return items
            address = self._addresses.following(page.next, answered_by)

    async def _page(self, address: Address, max_items: int) -> tuple[Page, Address]:
        """The page, and the address that returned it after all redirects."""
        for _ in range(MAX_REDIRECTS + 1):
            async with self._client.stream(
                "GET", address, headers=HEADERS, auth=self._addresses.auth(address)
            ) as response:
                self._client.cookies.clear()  # otherwise they would accumulate
                if response.status_code == httpx.codes.OK:
                    body = await read_body(response, self._allowance)
                    return read_page(body, max_items), address
                if not response.has_redirect_location:
                    raise FetchFailed(f"the provider answered HTTP {response.status_code}")
                address = self._addresses.following(response.headers["location"], address)
        raise FetchFailed(f"more than {MAX_REDIRECTS} redirects")
