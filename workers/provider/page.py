"""A provider's page taken apart into its items, of which none can make the others unusable."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

Item = msgspec.Raw
"""One item's JSON as it came; nothing in it was checked."""

QUICK_COMMAS = 500_000
"""In a page that is decoded at once: each may separate two items, which take 64 bytes."""

MOST_MEMBERS = 100
"""Of a page, besides its items."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAPage(Exception):
    """The answer is not a list or a page of items"""


class TooManyItems(Exception):
    """There are more items than the caller takes."""


class Page(msgspec.Struct, frozen=True):
    results: list[Item]
    next: str | None = None
    """The next page's address as the provider gives it; None or empty on the last page."""


def read_page(body: bytes, most_items: int) -> Page:
    """A list of items, or an object with `results` and `next`. Raises `NotAPage`, `TooManyItems`.

    The library is much quicker than `_Cut`, but refuses the whole page for one item that is nested
    too deep or not JSON, and makes an object for each item before they can be counted.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    if body.count(b",") <= QUICK_COMMAS:
        try:
            page = _decoded(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            page = _Cut(body, most_items).page()
    else:
        page = _Cut(body, most_items).page()
    if len(page.results) > most_items:
        raise TooManyItems
    return page


def _decoded(body: bytes) -> Page:
    if body.lstrip()[:1] == b"[":
        return Page(msgspec.json.decode(body, type=list[Item]))
    return msgspec.json.decode(body, type=Page)


class _Cut:
    """Finds where each item begins and ends; needs no recursion, and decodes none."""

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
            if number == MOST_MEMBERS:
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
        """A turn for each, in which the caller reads it."""
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
        """Whether each kind is closed by its own is seen when the value is decoded."""
        depth = 0
        while True:
            found = self._to_brackets.match(self._body, self._at)
            if found is None:
                raise NotAPage
            self._at = found.end()
            brackets = found[1]
            depth += len(brackets) if brackets[0] in b"[{" else -len(brackets)
            if depth <= 0:
                self._at += depth  # the others are not this value's
                return

    def _take(self, sign: bytes) -> None:
        if not self._comes(sign):
            raise NotAPage
        self._at += 1

    def _comes(self, sign: bytes) -> bool:
        """Whether it is the next one that is no space; nothing is next at the end."""
        if found := self._space.match(self._body, self._at):
            self._at = found.end()
        return self._body[self._at : self._at + 1] == sign


def _link(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotAPage from None
