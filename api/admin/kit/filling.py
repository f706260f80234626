"""Fills what was typed before into the forms of a page, whatever they are made of.

The page is changed only where a field gets a value, a box is ticked, or an address would be read as
relative to another page than the one that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import msgspec

Fields = Sequence[tuple[str, str]]
"""Names and values, in the order in which a browser sends them."""

FILLED = "data-typed"
"""Attribute of a form that was filled: its text was not saved (`panel.js`)."""

NEVER_FILLED = {"password", "file", "submit", "button", "image", "reset"}
"""Types of inputs."""


class _Control(msgspec.Struct):
    """A field, or a button with a value."""

    tag: str
    attributes: dict[str, str | None]
    begin: int
    end: int
    """Of its start tag, in the page."""
    content_end: int = 0
    """Of a textarea."""
    options: list[_Control] = []

    @property
    def name(self) -> str:
        return self.attributes.get("name") or ""

    @property
    def type(self) -> str:
        return (self.attributes.get("type") or "").lower()

    @property
    def is_box(self) -> bool:
        return self.tag == "input" and self.type in {"checkbox", "radio"}

    @property
    def is_filled(self) -> bool:
        if self.tag == "input":
            return self.type not in NEVER_FILLED
        return self.tag in {"select", "textarea"}


class _Form(msgspec.Struct):
    start: _Control
    targets: set[str]
    """The paths that its buttons send it to."""
    controls: list[_Control] = []


class _Edit(msgspec.Struct, order=True):
    begin: int
    end: int
    text: str


def filled(html: str, address: str, sent_to: str, fields: Fields) -> str | None:
    """The page of this address, with the fields in the form that is sent to the path `sent_to`.

    None if it has no such form, or if the form has no place for some of what was typed.
    """
    page = _Page(html, address)
    for form in page.forms:
        if sent_to in form.targets:
            values = _Values(fields)
            edits = [edit for control in form.controls for edit in _edits(control, values)]
            form.start.attributes[FILLED] = None
            return page.changed(edits) if values.have_places(form.controls) else None
    return None


class _Values:
    """What was typed, given to the controls of each name in their order."""

    def __init__(self, fields: Fields) -> None:
        self.all: dict[str, list[str]] = {}
        for name, value in fields:
            self.all.setdefault(name, []).append(value)
        self._next = {name: iter(values) for name, values in self.all.items()}

    def next(self, name: str) -> str | None:
        return next(self._next.get(name, iter(())), None)

    def have_places(self, controls: Sequence[_Control]) -> bool:
        """Whether nothing is left; what only says that a button was pressed has a place."""
        several = {c.name for c in controls if c.is_box or not c.is_filled or c.tag == "select"}
        left = {name for name, rest in self._next.items() if any(rest)}
        return left <= several


def _edits(control: _Control, values: _Values) -> Iterator[_Edit]:
    if not control.is_filled or "disabled" in control.attributes:
        return
    if control.is_box:
        value = control.attributes.get("value")
        ticked = ("on" if value is None else value) in values.all.get(control.name, ())
        yield _with(control, "checked", "" if ticked else None)
    elif control.tag == "select":
        if control.name in values.all:
            for option in control.options:
                ticked = option.attributes.get("value") in values.all[control.name]
                yield _with(option, "selected", "" if ticked else None)
    elif (text := values.next(control.name)) is not None:
        if control.tag == "textarea":
            yield _Edit(control.end, control.content_end, "\n" + escape(text))
        else:
            yield _with(control, "value", text)


def _with(control: _Control, attribute: str, value: str | None) -> _Edit:
    """The start tag with another value of the attribute, or without it."""
    others = {name: v for name, v in control.attributes.items() if name != attribute}
    return _start_tag(control, others if value is None else {**others, attribute: value})


def _start_tag(control: _Control, attributes: Mapping[str, str | None]) -> _Edit:
    written = [name if v is None else f'{name}="{escape(v)}"' for name, v in attributes.items()]
    return _Edit(control.begin, control.end, f"<{' '.join([control.tag, *written])}>")


class _Page(HTMLParser):
    """The forms of a page, and where their controls are."""

    def __init__(self, html: str, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[_Form] = []
        self._html = html
        self._address = address
        self._absolute: list[_Edit] = []
        self._lines = [0]
        for line in html.split("\n"):  # the only end of a line that HTMLParser counts
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._form: _Form | None = None
        self._last: _Control | None = None
        self.feed(html)
        self.close()

    def changed(self, edits: Sequence[_Edit]) -> str:
        parts, at = [], 0
        starts = [_start_tag(form.start, form.start.attributes) for form in self.forms]
        for edit in sorted([*edits, *starts, *self._absolute]):
            parts += [self._html[at : edit.begin], edit.text]
            at = edit.end
        return "".join([*parts, self._html[at:]])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        begin = self._offset()
        attributes = dict(attrs)
        found = _Control(tag, attributes, begin, begin + len(self.get_starttag_text() or ""))
        if tag == "form":
            self._form = _Form(found, {self._path(attributes.get("action"))})
            self.forms.append(self._form)
            found.attributes = {"action": self._address, **attributes}
        elif tag == "a" and (attributes.get("href") or "").startswith("?"):
            target = urljoin(self._address, attributes["href"])
            self._absolute.append(_with(found, "href", target))
        elif tag == "option" and self._last is not None:
            self._last.options = [*self._last.options, found]
        elif tag in {"input", "select", "textarea", "button"} and self._form is not None:
            if where := attributes.get("formaction"):
                self._form.targets.add(self._path(where))
            if found.name:
                self._form.controls = [*self._form.controls, found]
            self._last = found

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._last is not None:
            self._last.content_end = self._offset()

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _path(self, address: str | None) -> str:
        return urlsplit(urljoin(self._address, address or "")).path.rstrip("/")
