"""Splits a page of the provider into items, so that one bad item does not make others unusable."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

Item = msgspec.Raw
"""The JSON of one item as received, unchecked."""

MAX_COMMAS_DECODED = 500_000
"""Commas in a page that is decoded in one step: each may separate two items, of 64 bytes each in
memory."""

MAX_MEMBERS = 100
"""Members of the page object."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAPage(Exception):
    """The answer is not a list or a page of items"""


class TooManyItems(Exception):
    """The page has more items than allowed."""


class Page(msgspec.Struct, frozen=True):
    results: list[Item]
    next: str | None = None
    """Address of the next page as received; None or empty on the last page."""


def read_page(body: bytes, most_items: int) -> Page:
    """A list of items, or an object with `results` and `next`. Raises `NotAPage`, `TooManyItems`.

    msgspec is much faster than `_ItemSplitter`, but it refuses the whole page if one item is nested
    too deeply or is not JSON, and it creates an object for each item before they can be counted.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    if body.count(b",") <= MAX_COMMAS_DECODED:
        try:
            page = _decoded(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            page = _ItemSplitter(body, most_items).page()
    else:
        page = _ItemSplitter(body, most_items).page()
    if len(page.results) > most_items:
        raise TooManyItems
    return page


def _decoded(body: bytes) -> Page:
    if body.lstrip()[:1] == b"[":
        return Page(msgspec.json.decode(body, type=list[Item]))
    return msgspec.json.decode(body, type=Page)


class _ItemSplitter:
    """Finds the start and end of each item, without recursion and without decoding it."""

    _text = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    _space = re.compile(rb"[ \t\n\r]*+")
    _scalar = re.compile(_text + rb'|[^"\[\]{},:\s]++', re.DOTALL)
    _to_brackets = re.compile(
        rb'[^"\[\]{}]*+(?:' + _text + rb'[^"\[\]{}]*+)*+([\[{]++|[\]}]++)', re.DOTALL
    )

    def __init__(self, body: bytes, most_items: int) -> None:
        self._body = body
        self._most_items = most_items
        self._at = 0

    def page(self) -> Page:
        page = self._object() if self._comes(b"{") else Page(self._items())
        if not self._comes(b""):
            raise NotAPage
        return page

    def _object(self) -> Page:
        items: list[Item] | None = None
        link: str | None = None
        for number, _ in enumerate(self._members(b"{", b"}")):
            if number == MAX_MEMBERS:
                raise NotAPage
            name = self._value()
            self._take(b":")
            if name == b'"results"':
                items = self._items()
            elif name == b'"next"':
                link = _link(self._value())
            else:
                self._value()
        if items is None:
            raise NotAPage
        return Page(items, link)

    def _items(self) -> list[Item]:
        items = list[Item]()
        for _ in self._members(b"[", b"]"):
            if len(items) == self._most_items:
                raise TooManyItems
            items.append(Item(self._value()))
        return items

    def _members(self, opening: bytes, closing: bytes) -> Iterator[None]:
        """Yields once for each member, which the caller then reads."""
        self._take(opening)
        more = not self._comes(closing)
        while more:
            yield
            more = not self._comes(closing)
            if more:
                self._take(b",")
        self._take(closing)

    def _value(self) -> bytes:
        nested = self._comes(b"{") or self._comes(b"[")
        start = self._at
        if nested:
            self._pass_brackets()
        elif found := self._scalar.match(self._body, start):
            self._at = found.end()
        else:
            raise NotAPage
        return self._body[start : self._at]

    def _pass_brackets(self) -> None:
        """Skips to the closing bracket. Mismatched kinds of brackets are found when the value is
        decoded."""
        depth = 0
        while True:
            found = self._to_brackets.match(self._body, self._at)
            if found is None:
                raise NotAPage
            self._at = found.end()
            brackets = found[1]
            depth += len(brackets) if brackets[0] in b"[{" else -len(brackets)
            if depth <= 0:
                self._at += depth  # further closing brackets belong to outer values
                return

    def _take(self, sign: bytes) -> None:
        if not self._comes(sign):
            raise NotAPage
        self._at += 1

    def _comes(self, sign: bytes) -> bool:
        """Whether `sign` comes next after white space; `b""` means the end of the body."""
        if found := self._space.match(self._body, self._at):
            self._at = found.end()
        return self._body[self._at : self._at + 1] == sign


def _link(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotAPage from None
