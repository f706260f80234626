"""A page of HTML as a tree, for asking what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Self

VOID = {"meta", "link", "input", "br", "hr", "img", "col", "wbr"}
"""Elements that never have an end tag."""


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None = None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.content: list[Element | str] = []

    @classmethod
    def parse(cls, html: str) -> Self:
        """Raises ValueError when its tags do not match."""
        root = cls("", {})
        parser = _TreeParser(root)
        parser.feed(html)
        parser.close()
        if parser.inside is not root:
            raise ValueError(f"<{parser.inside.tag}> has no end")
        return root

    @property
    def text(self) -> str:
        """As it reads, whatever its line breaks."""
        parts = [part if isinstance(part, str) else part.text for part in self.content]
        return " ".join("".join(parts).split())

    def get(self, attribute: str) -> str:
        """Empty when there is none, or when it has no value."""
        return self.attributes.get(attribute, "")

    def has(self, attribute: str) -> bool:
        return attribute in self.attributes

    def all(self, *tags: str, **attributes: str) -> list[Element]:
        """In their order, at any depth; `class_` is one of the element's classes."""
        return [e for e in self._below() if e.tag in tags and e._is(attributes)]

    def one(self, *tags: str, **attributes: str) -> Element:
        """The only one of them."""
        found = self.all(*tags, **attributes)
        assert len(found) == 1, f"{len(found)} of {tags} {attributes}"
        return found[0]

    def _below(self) -> Iterator[Element]:
        for part in self.content:
            if isinstance(part, Element):
                yield part
                yield from part._below()

    def _is(self, wanted: dict[str, str]) -> bool:
        return all(
            value in self.get("class").split()
            if name == "class_"
            else self.attributes.get(name) == value
            for name, value in wanted.items()
        )


class _TreeParser(HTMLParser):
    def __init__(self, root: Element) -> None:
        super().__init__()
        self.inside = root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.inside)
        self.inside.content.append(element)
        if tag not in VOID:
            self.inside = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<path/>`, as SVG writes it."""
        values = {name: value or "" for name, value in attrs}
        self.inside.content.append(Element(tag, values, self.inside))

    def handle_endtag(self, tag: str) -> None:
        if self.inside.tag != tag or self.inside.parent is None:
            raise ValueError(f"</{tag}> ends <{self.inside.tag}>")
        self.inside = self.inside.parent

    def handle_data(self, data: str) -> None:
        self.inside.content.append(data)
