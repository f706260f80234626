"""A form that was sent after its session had ended: it is kept in the page to sign in, and in no
other place, so that the person can go on with what was typed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from api.admin.kit import csrf
from api.html.same_site import is_from_here
from api.http.requests import BODY_LIMIT, Request

FIELD = "kept"
"""In the form to sign in."""

SHOWN_AT = "shown_at"
"""In every form: the path and query of its page, since browsers send no referrer."""

NEVER_KEPT = {csrf.FIELD, SHOWN_AT, FIELD, "password", "again", "current"}
"""Neither are files."""

MAX_SIZE = 200_000
"""Bytes of JSON. Three times as many, as a browser may send them, are a body within its limit."""

OF_THE_PANEL = re.compile(r"/admin(/[\w/-]*)?(\?[^\s\\]*)?", re.ASCII)
"""Addresses without dots, which could lead out of the panel."""


class KeptForm(msgspec.Struct, frozen=True):
    shown_at: str
    sent_to: str
    """A path."""
    fields: list[tuple[str, str]]

    @property
    def encoded(self) -> str:
        return msgspec.json.encode(self).decode()


async def kept_form(request: Request) -> KeptForm | None:
    """What the request has sent, if it is from a page of this panel and not too long."""
    length = request.headers.get("Content-Length", "")
    if request.method != "POST" or not length.isdigit() or int(length) > BODY_LIMIT:
        return None
    if not (csrf.is_form(request) and is_from_here(request)):
        return None
    form = await request.form()
    if FIELD in form:
        return read_kept(str(form[FIELD]))
    shown_at = form.get(SHOWN_AT)
    if not isinstance(shown_at, str) or not OF_THE_PANEL.fullmatch(shown_at):
        return None
    fields = [
        (name, value.replace("\r\n", "\n"))
        for name, value in form.items()
        if isinstance(value, str) and name not in NEVER_KEPT
    ]
    kept = KeptForm(shown_at, request.scope["path"].rstrip("/"), fields)
    return kept if len(kept.encoded) <= MAX_SIZE else None


def read_kept(text: str) -> KeptForm | None:
    """None for anything that is not a form of the panel."""
    try:
        kept = msgspec.json.decode(text, type=KeptForm)
    except msgspec.DecodeError:
        return None
    of_panel = all(OF_THE_PANEL.fullmatch(address) for address in (kept.shown_at, kept.sent_to))
    return kept if of_panel and not urlsplit(kept.sent_to).query else None
