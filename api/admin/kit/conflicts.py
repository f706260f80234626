"""Edit conflicts: what someone else changed in the meantime, merged with what the sender typed.

A form carries the value that each field had when it was shown. So the sender's changes can be
distinguished from those of others.
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
"""Prefix of the names of those hidden fields."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that someone else has changed since the form was shown."""

    name: str
    before: str | None
    now: str
    typed: str | None
    """None when the sender of the form did not change it."""


async def newest_position(request: Request) -> int:
    """Position of the newest event: a page that shows the conflict must include it."""
    return await read(request, 0, last_position)


async def last_change(request: Request, id: UUID) -> Entry:
    """Who changed it last, and when. There must have been a change."""
    timeline = await read(
        request, seen(request), lambda connection: timeline_of(connection, id, limit=1)
    )
    return timeline.entries[0]


def as_shown(values: Mapping[str, str]) -> dict[str, str]:
    """The values of a form, each with its current value as a hidden field."""
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
    """The next content of the form: what the sender typed, and current values elsewhere."""
    typed = {name: sent[name] for name in names if is_typed(sent, name)}
    return {**as_shown(theirs), **typed}


def is_typed(sent: Mapping[str, str], name: str) -> bool:
    """Whether the sender of the form has changed the field."""
    return name in sent and sent[name] != sent.get(WAS + name)
