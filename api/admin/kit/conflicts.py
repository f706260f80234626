"""When somebody else was quicker: what they have changed, and what of both is to be kept.

A form carries how each field was when it was shown, so that what its sender has changed can be told
from what somebody else has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import Entry, timeline_of
from api.http.reads import read
from api.http.requests import Request
from domain.history.store import last_position

WAS = "was_"
"""How the names of those hidden fields begin."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that somebody else has changed since the form was shown."""

    name: str
    before: str | None
    now: str
    typed: str | None
    """None when the sender of the form had left it as it was."""


async def newest_position(request: Request) -> int:
    """Of the newest event there is: what a page must include that shows what has changed."""
    return await read(request, 0, last_position)


async def last_change(request: Request, id: UUID) -> Entry:
    """Who has changed it last, and when. It must have been changed."""
    timeline = await read(
        request, seen(request), lambda connection: timeline_of(connection, id, limit=1)
    )
    return timeline.entries[0]


def as_shown(values: Mapping[str, str]) -> dict[str, str]:
    """The values of a form, and how they are now beside them."""
    return {**values, **{WAS + name: value for name, value in values.items()}}


def differences(
    sent: Mapping[str, str], theirs: Mapping[str, str], names: Sequence[str]
) -> list[Difference]:
    return [
        Difference(
            name=name,
            before=sent.get(WAS + name),
            now=theirs[name],
            typed=sent.get(name, "") if is_typed(sent, name) else None,
        )
        for name in names
        if theirs[name] != sent.get(WAS + name)
    ]


def merged(
    sent: Mapping[str, str], theirs: Mapping[str, str], names: Sequence[str]
) -> dict[str, str]:
    """What the form holds next: what was typed, and the others' values where nothing was."""
    typed = {name: sent[name] for name in names if is_typed(sent, name)}
    return {**as_shown(theirs), **typed}


def is_typed(sent: Mapping[str, str], name: str) -> bool:
    """Whether the sender of the form has changed the field."""
    return name in sent and sent[name] != sent.get(WAS + name)
