"""Schemathesis as a client that reads its own writes, and does not saw off its own branch."""

from __future__ import annotations

import os
import unicodedata
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response

from domain.core.characters import INVISIBLE

POSITION = "Min-Event-Position"

UNKNOWN_HEADER = "x-schemathesis-unknown-property"

LONG = {str(seconds) for seconds in range(2, 21)}
"""Waits of the feed."""

_latest = 0
"""The highest position of an answer."""


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out what a schema cannot express: unknown headers, which HTTP allows; space around a
    text, which is removed before its length counts; invisible texts; a combining mark at the
    beginning; and the client's own account, which it needs."""
    its_own = (case.path_parameters or {}).get("account_id") == os.environ["ADMIN_ID"]
    return (
        not its_own and UNKNOWN_HEADER not in (case.headers or {}) and not _has_odd_text(case.body)
    )


def _has_odd_text(body: object) -> bool:
    texts = (
        [value for value in body.values() if isinstance(value, str)]
        if isinstance(body, dict)
        else []
    )
    return any(
        text != text.strip() or _is_invisible(text) or _begins_with_mark(text) for text in texts
    )


def _is_invisible(text: str) -> bool:
    return bool(text) and not any(character.isprintable() for character in text)


def _begins_with_mark(text: str) -> bool:
    visible = INVISIBLE.sub("", text).lstrip()
    return unicodedata.category(visible[:1] or " ").startswith("M")


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    asked = case.headers.get(POSITION)
    if case.method == "GET" and (asked is None or (asked.isdigit() and int(asked) > _latest)):
        case.headers[POSITION] = str(_latest)
    query = case.query or {}
    if str(query.get("wait")) in LONG:  # nothing happens while this client, who is alone, waits
        query["wait"] = 1


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    global _latest  # noqa: PLW0603  one client, one memory
    for position in response.headers.get("event-position", []):
        _latest = max(_latest, int(position))
