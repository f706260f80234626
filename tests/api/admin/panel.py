"""The admin panel as a browser without scripts meets it: pages, links, and forms that are sent.

page = await panel.open("/admin/areas/new")
page = await panel.submit(name="Great Hall")        # the page that the redirect leads to
assert page.notice == "The area “Great Hall” was created."
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from tests.api.serving import PASSWORD
from tests.support.html import Element

TYPED = {
    "name": "PyCon",
    "event_datetime": "2099-05-17T09:00",
    "registration_deadline": "2099-05-16T09:00",
}
"""Into the form of a new event, at least."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Typed = str | Sequence[str]
"""What goes into a field; a sequence has the values of the boxes to tick."""


class Page:
    """What one answer shows."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.headers
        self.answer = answer
        self.status = answer.status_code
        self.address = answer.request.url.raw_path.decode()
        """Path and query, after redirects."""
        self.root = Element.parse(answer.text)

    @property
    def heading(self) -> str:
        return self.root.one("h1").text

    @property
    def text(self) -> str:
        return self.root.one("main").text

    @property
    def notice(self) -> str:
        """What it says of the change before it."""
        return " ".join(found.text for found in self.root.all("p", class_="notice"))

    @property
    def alert(self) -> str:
        """What is wrong with the form as a whole."""
        return " ".join(found.text for found in self.root.all("p", "div", class_="alert"))

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by field."""
        wrong = self.root.all("div", "fieldset", class_="wrong")
        return {
            w.all("input", "select", "textarea")[0].get("name"): w.one("strong").text for w in wrong
        }

    @property
    def rows(self) -> list[list[str]]:
        """The texts of all cells in the bodies of its tables, as a wide screen shows them."""
        rows = [row for body in self.root.all("tbody") for row in body.all("tr")]
        return [[_when_wide(cell) for cell in row.all("td", "th")] for row in rows]

    def column(self, number: int) -> list[str]:
        return [row[number] for row in self.rows]

    @property
    def links(self) -> dict[str, str]:
        """Address by text, of those that lead to pages; of several with one text the first."""
        links = [link for link in self.root.all("a") if not link.has("download")]
        return {link.text: link.get("href") for link in reversed(links)}

    @property
    def buttons(self) -> list[str]:
        """Of the content, without those of the frame."""
        return [button.text for button in self.root.one("main").all("button")]

    def value(self, field: str) -> str:
        """What a field holds."""
        controls = self.root.all("input", "select", "textarea")
        (control,) = [c for c in controls if c.get("name") == field]
        return _value(control)

    def form(self, action: str | None = None, *, button: str | None = None) -> Element:
        """By the path that it is sent to, or else the one of the content that changes something;
        of several the one with this button."""
        if action is None:
            forms = self.root.one("main").all("form", method="post")
        else:
            forms = [form for form in self.root.all("form") if self._target(form) == action]
        if button is not None:
            forms = [form for form in forms if any(b.text == button for b in form.all("button"))]
        assert len(forms) == 1, f"{len(forms)} forms for {action or button or 'a change'}"
        return forms[0]

    def _target(self, form: Element) -> str:
        return urlsplit(form.get("action") or self.address).path


def _when_wide(cell: Element) -> str:
    wide = Element(cell.tag, {})
    slim = cell.all("small", class_="slim")
    wide.content = [part for part in cell.content if part not in slim]
    return wide.text


class Panel:
    """One browser: its cookies, and the page it is on."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.page: Page | None = None

    async def open(self, address: str) -> Page:
        """Redirects are followed."""
        self.page = Page(await self.http.get(address))
        return self.page

    async def follow(self, text: str) -> Page:
        """The link with this text."""
        assert self.page is not None
        link = self.page.links[text]
        here = self.page.address.partition("?")[0] if link == "?" else self.page.address
        return await self.open(urljoin(here, link))  # which takes no query away for `?` alone

    async def submit(
        self, action: str | None = None, *, button: str | None = None, **typed: Typed
    ) -> Page:
        """Type into a form of this page and send it; redirects are followed.

        The form is found as `Page.form` finds it. What is typed must have a field there.
        """
        assert self.page is not None
        form = self.page.form(action, button=button)
        fields = _filled(form, typed)
        pressed = next((b for b in form.all("button") if button in {None, b.text}), None)
        where = form.get("action")
        if pressed is not None:
            assert not pressed.has("disabled"), pressed.text
            where = pressed.get("formaction") or where
            if pressed.get("name"):
                fields[pressed.get("name")] = [pressed.get("value")]
        address = urljoin(self.page.address, where) if where else self.page.address
        if form.get("method") == "post":
            self.page = Page(await self.http.post(address, data=fields))
        else:
            self.page = Page(await self.http.get(address, params=fields))
        return self.page

    async def send(self, address: str, **fields: Any) -> httpx.Response:
        """A form as somebody made it up, with this browser's own token; redirects are not followed.
        `csrf_token=None` leaves the token out."""
        if "csrf_token" not in fields:
            fields["csrf_token"] = await self.token()
        sent = {name: value for name, value in fields.items() if value is not None}
        return await self.http.post(address, data=sent, headers=FORM, follow_redirects=False)

    async def token(self) -> str:
        """What this browser's forms carry."""
        shown = Page(await self.http.get("/admin/sign-in"))
        return shown.form("/admin/sign-in").one("input", name="csrf_token").get("value")

    async def sign_in(self, username: str, password: str = PASSWORD) -> Page:
        await self.open("/admin/sign-in")
        return await self.submit("/admin/sign-in", username=username, password=password)


Browsers = Callable[..., Awaitable[Panel]]
"""`await browsers()`: a new one, signed in to nothing; `await browsers("ada", "organizer")`: signed
in with a new account of that name, with these roles."""


def _filled(form: Element, typed: Mapping[str, Typed]) -> dict[str, list[str]]:
    """The form's values by name, with what is typed in their place."""
    fields: dict[str, list[str]] = {}
    controls = [c for c in form.all("input", "select", "textarea") if c.get("name")]
    for control in controls:
        name = control.get("name")
        if control.get("type") in {"checkbox", "radio"}:
            if control.has("checked"):
                fields.setdefault(name, []).append(
                    control.get("value") if control.has("value") else "on"
                )
        else:
            fields.setdefault(name, []).append(_value(control))
    for name, value in typed.items():
        named = [control for control in controls if control.get("name") == name]
        assert named, f"no field {name} in this form"
        values = [value] if isinstance(value, str) else list(value)
        offered = _offered(named)
        assert offered is None or offered >= set(values), f"{name} offers {offered}"
        fields[name] = values
    return fields


def _offered(controls: Sequence[Element]) -> set[str] | None:
    """The values to choose from; None where anything may be typed."""
    if controls[0].tag == "select":
        return {option.get("value") for option in controls[0].all("option")}
    if controls[0].get("type") in {"checkbox", "radio"}:
        return {control.get("value") if control.has("value") else "on" for control in controls}
    return None


def _value(control: Element) -> str:
    if control.tag == "textarea":
        return "".join(map(str, control.content)).removeprefix("\n")  # as HTML has it
    if control.tag == "select":
        options = control.all("option")
        chosen = [option for option in options if option.has("selected")] or options[:1]
        return chosen[0].get("value") if chosen else ""
    return control.get("value")
