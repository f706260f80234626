"""gzip for long answers."""

from __future__ import annotations

import gzip

import httpx
import pytest

from api.http import responses
from api.http.compression import MIN_SIZE, accepts_gzip
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

LIST = "/api/events/list"


@pytest.mark.parametrize(
    ("accepted", "is_accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("deflate, gzip ; q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzip;q=0.1, identity;q=0.9", False),
        ("gzip;q=high", False),
        ("gzip;level=9", False),
    ],
)
def test_gzip_is_accepted_as_the_weights_say(accepted: str, is_accepted: bool) -> None:
    assert accepts_gzip([(b"accept-encoding", accepted.encode())]) is is_accepted


def test_several_lines_count_as_one_list_and_none_accepts_nothing() -> None:
    lines = [(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]
    assert accepts_gzip(lines)
    assert not accepts_gzip([(b"accept", b"gzip")])


async def raw(api: Api, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it was sent."""
    async with api.http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


async def test_a_long_answer_is_compressed_for_who_accepts_it(api: Api) -> None:
    for number in range(10):
        created = await api.created_event(name=f"Event {number}")
    await api.get(LIST, after=created)
    plain, body = await raw(api, LIST, **{"Accept-Encoding": "identity"})
    packed, sent = await raw(api, LIST, **{"Accept-Encoding": "gzip"})
    assert len(sent) < len(body) / 2
    assert gzip.decompress(sent) == body
    assert int(packed.headers["Content-Length"]) == len(sent)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    for answer in (plain, packed):
        assert answer.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]


async def test_each_form_of_an_answer_is_known_by_its_own_tag(api: Api) -> None:
    created = await api.created_event(description="x" * MIN_SIZE)
    path = f"/api/events/{created.json()['data']['id']}"
    await api.get(path, after=created)
    for accepted, other in (("gzip", "identity"), ("identity", "gzip")):
        encoding = {"Accept-Encoding": accepted}
        tag = (await api.http.get(path, headers=encoding)).headers["ETag"]
        known = {"If-None-Match": tag}
        again = await api.http.get(path, headers=encoding | known)
        assert (again.status_code, again.headers["ETag"]) == (304, tag)
        assert again.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in again.headers
        in_other_form = await api.http.get(path, headers={"Accept-Encoding": other} | known)
        assert in_other_form.status_code == 200


async def test_the_tag_of_a_compressed_answer_permits_a_change(api: Api) -> None:
    created = await api.created_event(description="x" * MIN_SIZE)
    path = f"/api/events/{created.json()['data']['id']}"
    seen = await api.get(path, after=created)
    assert seen.headers["Content-Encoding"] == "gzip"
    if_match = {"If-Match": seen.headers["ETag"]}
    assert (await api.http.patch(path, json={"name": "A"}, headers=if_match)).status_code == 200
    assert (await api.http.patch(path, json={"name": "B"}, headers=if_match)).status_code == 412


async def test_short_answers_and_those_for_one_reader_are_sent_as_they_are(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await lone_api.http.get("/health/live")
    monkeypatch.setattr(responses, "MIN_SIZE", 1)
    me = await lone_api.http.get("/api/auth/me", headers=(await lone_api.account("ada")).bearer)
    for answer in (live, me):
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers
        assert "Vary" not in answer.headers


async def test_a_cached_answer_is_compressed_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await api.created_event(description="x" * MIN_SIZE)
    packed: list[bytes] = []

    async def noted(body: bytes) -> bytes:
        packed.append(body)
        return gzip.compress(body)

    monkeypatch.setattr(responses, "gzipped", noted)
    await api.get(LIST, after=created)
    for _ in range(3):
        answer = await api.http.get(LIST, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) <= 2  # one for each cached query


async def test_a_head_request_names_the_size_that_get_would_send(api: Api) -> None:
    created = await api.created_event(description="x" * MIN_SIZE)
    got = await api.get(LIST, after=created)
    head = await api.http.head(LIST)
    assert (head.content, head.headers["Content-Length"]) == (b"", got.headers["Content-Length"])
    assert head.headers["Content-Encoding"] == "gzip"


async def test_the_document_and_long_pages_are_compressed_too(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await lone_api.http.get("/api/schema")
    assert document.headers["Content-Encoding"] == "gzip"
    monkeypatch.setattr(responses, "MIN_SIZE", 500)
    page = await lone_api.http.get("/problems/not-found", headers={"Accept": "text/html"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert page.headers["Vary"] == "Accept, Accept-Encoding"
