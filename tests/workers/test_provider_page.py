"""Splitting a provider's page: a bad item does not affect the others."""

from __future__ import annotations

import pytest

from workers.provider.page import MAX_COMMAS_DECODED, NotAPage, TooManyItems, read_page

DEEP = b"[" * 5_000 + b"]" * 5_000


def items(body: bytes, most: int = 100) -> list[bytes]:
    return [bytes(item) for item in read_page(body, most).results]


@pytest.mark.parametrize(
    "bad",
    [DEEP, b'{"a": ' + DEEP + b"}", b'{"a": 1 "b"}', b'{"a": 1]', b"nul", b'{"a": "\\x"}', b"{1}"],
)
@pytest.mark.parametrize("page", [b"[%s]", b'{"count": 3, "results": [%s], "next": null}'])
def test_a_bad_item_leaves_the_others_as_they_are(page: bytes, bad: bytes) -> None:
    good, other = b'{"a": "]}\\",{["}', b'{"b": [{"c": []}, {}]}'
    assert items(page % b" , ".join([good, bad, other])) == [good, bad, other]


def test_a_page_may_begin_with_a_byte_order_mark() -> None:
    assert items(b"\xef\xbb\xbf[1, 2]") == [b"1", b"2"]
    assert items(b"\xef\xbb\xbf \n[1, " + DEEP + b"]\r\n") == [b"1", DEEP]


@pytest.mark.parametrize("bad", [b"1", DEEP])
def test_the_next_pages_address_is_found_before_and_behind_the_items(bad: bytes) -> None:
    for page in (b'{"next": "/2", "results": [%s]}', b'{"results": [%s], "next": "\\/2"}'):
        assert read_page(page % bad, 100).next == "/2"


@pytest.mark.parametrize("bad", [b"", DEEP + b","])
@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"[%s1,]",
        b"[%s1 2]",
        b"[%s1",
        b"[%s1]]",
        b'[%s"a]',
        b'{"results": [%s1]',
        b'{"results": [%s1]} {}',
        b'{"results": {"a": [%s1]}}',
        b'{"a": {"results": [%s1]}}',
        b'{"results": [%s1], "next": 5}',
        b'{"results": [%s1], "next": "\\ud83d"}',
        b"{%s}",
        b"5",
        b"<html>",
    ],
)
def test_a_body_that_is_not_a_page_is_reported(page: bytes, bad: bytes) -> None:
    with pytest.raises(NotAPage):
        read_page(page.replace(b"%s", bad), 100)


@pytest.mark.parametrize("bad", [b"1", DEEP])
def test_more_items_than_are_wanted_are_too_many(bad: bytes) -> None:
    assert len(items(b"[" + b", ".join([bad] * 3) + b"]", most=3)) == 3
    with pytest.raises(TooManyItems):
        items(b"[" + b", ".join([bad] * 4) + b"]", most=3)


def test_millions_of_items_are_too_many() -> None:
    with pytest.raises(TooManyItems):
        items(b"[" + b"1," * (2 * MAX_COMMAS_DECODED) + b"1]")
