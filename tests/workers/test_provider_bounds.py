"""A hostile provider: whatever it answers, a fetch ends, takes little memory, and stays where it is
allowed to be."""

from __future__ import annotations

import base64
import gzip
import sys
import zlib
from collections.abc import Callable

import pytest

from tests.support.http_server import Answer, HttpServer, Request
from tests.support.processes import run
from tests.support.provider import Provider, provider
from workers.provider import client as fetching
from workers.provider.client import FetchFailed, Source, fetch_items

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024
MOST_MEMORY = 300 * MEBIBYTE


def answers(server: HttpServer, respond: Callable[[Request], Answer]) -> list[Request]:
    """Has the server answer so; gives what it is asked, as it comes."""
    asked = list[Request]()

    def record(request: Request) -> Answer:
        asked.append(request)
        return respond(request)

    server._respond = record
    return asked


def packed(body: bytes, times: int = 1) -> Answer:
    for _ in range(times):
        body = gzip.compress(body)
    return Answer(body=body, headers={"Content-Encoding": ", ".join(["gzip"] * times)})


def redirect(target: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": target})


NESTED = b"[" * MEBIBYTE + b"]" * MEBIBYTE

ATTACKS: dict[str, Callable[[], Answer]] = {
    "gzip, gzip": lambda: packed(b"[" + b" " * (200 * MEBIBYTE) + b"]", times=2),
    "gzip of space": lambda: packed(b"[" + b" " * (200 * MEBIBYTE) + b"]"),
    "gzip of one text": lambda: packed(b'["' + b"x" * (60 * MEBIBYTE) + b'"]'),
    "a redirect with a gzip bomb": lambda: Answer(
        status=302,
        headers={"Location": "/again", "Content-Encoding": "gzip"},
        body=gzip.compress(bytes(200 * MEBIBYTE)),
    ),
    "[1,1,1": lambda: Answer(body=b"[" + b"1," * (4 * MEBIBYTE) + b"1]"),
    "[{},{},{}": lambda: Answer(body=b"[" + b"{}," * 190_000 + b"{}]"),
    "one item of many": lambda: Answer(body=b'[{"area": [' + b"[]," * (MEBIBYTE // 2) + b"1]}]"),
    "deep": lambda: Answer(body=b"[1, " + NESTED + b"]"),
    "one deep page": lambda: Answer(body=NESTED),
    "a long next": lambda: Answer(
        body=b'{"results": [], "next": "' + b"/x" * (5 * MEBIBYTE) + b'"}'
    ),
    "many members": lambda: Answer(body=b'{"a": 1' + b', "a": 1' * MEBIBYTE + b', "results": []}'),
}

FETCH = """
import asyncio, re, sys
from workers.provider.client import FetchFailed, Source, fetch_items
try:
    outcome = len(asyncio.run(fetch_items(Source(url=sys.argv[1]))))
except FetchFailed as error:
    outcome = str(error)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(int(peak[1]) * 1024, outcome)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_memory_for_an_answer_is_limited(source: Provider, attack: str) -> None:
    source.instead = ATTACKS[attack]()
    fetched = run([sys.executable, "-c", FETCH, source.url], check=True)
    peak, _, outcome = fetched.stdout.partition(" ")
    assert int(peak) < MOST_MEMORY, outcome
    assert len(outcome) < 200


async def test_items_are_counted_over_all_pages(
    source: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.items, source.page_size = list(range(25)), 10
    monkeypatch.setattr(fetching, "MAX_ITEMS", 24)
    with pytest.raises(FetchFailed, match="more than 24 items"):
        await fetch_items(source.source)


async def test_a_very_slow_answer_is_abandoned(
    source: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FETCH_TIMEOUT", 0.2)
    source.instead = Answer(delay=60)
    with pytest.raises(FetchFailed, match="not finished"):
        await fetch_items(source.source)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)],
)
async def test_an_answer_may_be_compressed(
    source: Provider, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = pack(b'[{"id": 1}, {"id": 2}]')
    asked = answers(
        source.server, lambda _: Answer(body=body, headers={"Content-Encoding": encoding})
    )
    assert len(await fetch_items(source.source)) == 2
    assert asked[0].headers["accept-encoding"] == "gzip"


async def test_it_may_be_compressed_in_parts(source: Provider) -> None:
    body = gzip.compress(b'[{"id": 1}, ') + gzip.compress(b'{"id": 2}]')
    source.instead = Answer(body=body, headers={"Content-Encoding": "gzip"})
    assert len(await fetch_items(source.source)) == 2


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip, identity", "compress"])
async def test_an_encoding_that_was_not_asked_for_is_refused(
    source: Provider, encoding: str
) -> None:
    source.instead = Answer(body=b"[]", headers={"Content-Encoding": encoding})
    with pytest.raises(FetchFailed, match="encoding"):
        await fetch_items(source.source)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_an_incomplete_compressed_answer_is_an_error_even_if_it_can_be_read(
    source: Provider, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = b'[{"id": 1}, {"id": 2}]'
    packed, following = pack(body), pack(b" ")
    cut = [packed[:-length] for length in (1, 4, 7)]
    if encoding == "gzip":
        cut += [packed + following[:length] for length in (1, 9, len(following) - 1)]
    for sent in cut:
        source.instead = Answer(body=sent, headers={"Content-Encoding": encoding})
        with pytest.raises(FetchFailed, match=r"incomplete|decompressed"):
            await fetch_items(source.source)


async def test_a_body_that_cannot_be_decompressed_is_an_error(source: Provider) -> None:
    source.instead = Answer(body=b"[]", headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchFailed, match="decompressed"):
        await fetch_items(source.source)


@pytest.mark.parametrize("leads", ["next", "redirect"])
async def test_another_host_is_requested_only_if_it_is_configured(
    source: Provider, leads: str
) -> None:
    with provider() as elsewhere:
        elsewhere.items = [{"id": 1}]
        page = f'{{"next": "{elsewhere.url}", "results": []}}'.encode()
        source.instead = Answer(body=page) if leads == "next" else redirect(elsewhere.url)
        with pytest.raises(FetchFailed, match="another host"):
            await fetch_items(source.source)
        assert elsewhere.asked == []
        listed = Source(url=source.url, other_hosts=(f"127.0.0.1:{elsewhere.server.port}",))
        assert len(await fetch_items(listed)) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_relative_next_is_relative_to_the_address_that_answered(
    source: Provider, status: int
) -> None:
    def respond(request: Request) -> Answer:
        if request.target == "/api/events":
            return redirect("/v2/events/", status)
        following = '"page2"' if request.target == "/v2/events/" else "null"
        return Answer(body=f'{{"next": {following}, "results": [1]}}'.encode())

    asked = answers(source.server, respond)
    assert len(await fetch_items(source.source)) == 2
    assert [request.target for request in asked] == [
        "/api/events",
        "/v2/events/",
        "/v2/events/page2",
    ]


async def test_endless_redirects_are_abandoned(source: Provider) -> None:
    asked = answers(source.server, lambda request: redirect(f"{request.target}x"))
    with pytest.raises(FetchFailed, match="redirects"):
        await fetch_items(source.source)
    assert len(asked) < 20


async def test_credentials_are_sent_to_each_page_of_the_same_origin_and_to_no_other(
    source: Provider,
) -> None:
    with HttpServer(lambda _: Answer(), "127.0.0.2") as other:

        def respond(request: Request) -> Answer:
            following = {"/api/events": f"{source.server.origin}/2", "/2": f"{other.origin}/3"}
            return Answer(
                body=f'{{"next": "{following[request.target]}", "results": [1]}}'.encode()
            )

        asked = answers(source.server, respond)
        given = answers(other, lambda _: Answer(body=b"[1]"))
        url = source.url.replace("//", "//ada:s%40cret@")
        listed = Source(url=url, other_hosts=(other.origin.removeprefix("http://"),))
        assert len(await fetch_items(listed)) == 3
    credentials = base64.b64encode(b"ada:s@cret").decode()
    assert [request.headers.get("authorization") for request in asked] == [
        f"Basic {credentials}"
    ] * 2
    assert [request.headers.get("authorization") for request in given] == [None]


async def test_no_cookie_is_kept(source: Provider) -> None:
    source.items, source.page_size = list(range(3)), 1
    respond = source._respond
    asked = answers(
        source.server,
        lambda request: Answer(body=respond(request).body, headers={"Set-Cookie": "a=b; Path=/"}),
    )
    await fetch_items(source.source)
    assert [request.headers.get("cookie") for request in asked] == [None] * 3


@pytest.mark.parametrize("url", ["http://xn--ls8h.invalid/", "http://127.0.0.1:99999/"])
async def test_an_invalid_configured_address_is_reported(url: str) -> None:
    with pytest.raises(FetchFailed, match="provider's address is not a valid"):
        await fetch_items(Source(url=url))
