"""Fetching from the provider: lists, pages, and all failures."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from tests.support.http_server import Answer
from tests.support.provider import Item, Provider
from workers.provider import client as fetching
from workers.provider.client import FetchFailed, Source, fetch_items

pytestmark = pytest.mark.anyio

ITEMS: list[Item] = [{"id": number} for number in range(25)]


async def fetched(source: Provider) -> list[int]:
    return [msgspec.json.decode(item)["id"] for item in await fetch_items(source.source)]


async def test_a_plain_list_is_accepted(source: Provider) -> None:
    source.items = ITEMS
    assert await fetched(source) == list(range(25))


@pytest.mark.parametrize("relative", [False, True])
async def test_pages_are_followed_to_the_last(source: Provider, relative: bool) -> None:
    source.items = ITEMS
    source.page_size, source.links_are_relative = 10, relative
    assert await fetched(source) == list(range(25))
    assert len(source.asked) == 3


async def test_an_incremental_fetch_keeps_the_parameters_of_the_address(source: Provider) -> None:
    source.items = ITEMS
    await fetch_items(Source(url=f"{source.url}?city=Rome"), date(2030, 5, 17))
    assert source.asked == ["/api/events?city=Rome&changed_at=2030-05-17"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=503), "HTTP 503"),
        (Answer(status=404), "HTTP 404"),
        (Answer(hang_up=True), "RemoteProtocolError"),
        (Answer(body=b'[{"id": 1}, {"id"'), "not a list or a page"),
        (Answer(body=b"<html>"), "not a list or a page"),
        (Answer(body=b'"text"'), "not a list or a page"),
        (Answer(body=b'{"results": 5}'), "not a list or a page"),
        (Answer(body=b"[" * 100_000), "not a list or a page"),
        (
            Answer(body=b'{"next": "file:///etc/passwd", "results": []}'),
            "not a valid http",
        ),
        (Answer(body=b'{"next": "?page=1", "results": []}'), "circle"),
        (Answer(body=b'{"next": "http://[", "results": []}'), "not a valid http"),
    ],
)
async def test_a_failed_fetch_gives_the_reason(
    source: Provider, answer: Answer, reason: str
) -> None:
    source.instead = answer
    with pytest.raises(FetchFailed, match=reason):
        await fetch_items(source.source)


async def test_a_provider_that_does_not_answer_is_abandoned(
    source: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAGE_TIMEOUT", 0.1)
    source.instead = Answer(delay=60)
    with pytest.raises(FetchFailed, match="no answer"):
        await fetch_items(source.source)


async def test_a_provider_with_endless_pages_is_abandoned(
    source: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.items = ITEMS
    source.page_size = 1
    monkeypatch.setattr(fetching, "MAX_PAGES", 5)
    with pytest.raises(FetchFailed, match="more than 5 pages"):
        await fetch_items(source.source)
    monkeypatch.setattr(fetching, "MAX_FETCH_SIZE", 100)
    source.page_size = None
    with pytest.raises(FetchFailed, match="MiB"):
        await fetch_items(source.source)


async def test_an_unreachable_provider_is_reported() -> None:
    with pytest.raises(FetchFailed, match="ConnectError"):
        await fetch_items(Source(url="http://127.0.0.1:9/"))
