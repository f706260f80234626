"""What an item of the provider says, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec

from domain.events import Status, SyncEvent
from domain.syncs import SkippedItem
from domain.times import end_of, parse_deadline, parse_moment
from domain.values import Invalid, Text

T = TypeVar("T")

LONGEST_NAME = 100
"""Characters of an unusable id that a report repeats."""


class Usable(msgspec.Struct, frozen=True):
    command: SyncEvent
    changed_on: date | None


def read_item(raw: msgspec.Raw, place: int) -> Usable | SkippedItem:
    """`place` names the item in the report when it has no id: its number in the answer, from 1."""
    try:
        item = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return SkippedItem(item=f"item {place}", reason=f"is not JSON: {error}")
    if not isinstance(item, dict):
        return SkippedItem(item=f"item {place}", reason="is not an object")
    reading = _Reading(item)
    event_id = reading.field("id", _uuid)
    name = reading.field("name", Text.parse)
    starts = reading.field("event_datetime", parse_moment)
    status = reading.field("status", _status)
    ends = reading.field("registration_deadline", parse_deadline, optional=True)
    area_name = reading.field("area", _area_name, optional=True)
    if event_id is None or name is None or starts is None or status is None or reading.wrong:
        return SkippedItem(item=_called(item, place), reason="; ".join(reading.wrong))
    command = SyncEvent(
        event_id=event_id,
        name=name,
        event_datetime=starts,
        registration_deadline=starts if ends is None else min(end_of(ends, starts), starts),
        area_name=area_name,
        status=status,
    )
    return Usable(command, _changed_on(item))


class _Reading:
    """Reads the fields of one item, collecting what is wrong with them."""

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item
        self.wrong: list[str] = []

    def field(self, name: str, parse: Callable[[object], T], *, optional: bool = False) -> T | None:
        raw = self._item.get(name)
        if raw is None:
            if not optional:
                self.wrong.append(f"{name} is missing")
            return None
        try:
            return parse(raw)
        except Invalid as error:
            self.wrong.append(f"{name} {error}")
            return None


def _uuid(raw: object) -> UUID:
    try:
        return msgspec.convert(raw, UUID)
    except msgspec.ValidationError:
        raise Invalid("must be a UUID") from None


def _status(raw: object) -> Status:
    status = raw.strip().lower() if isinstance(raw, str) else None
    if status not in ("open", "closed"):
        raise Invalid("must be open or closed")
    return cast("Status", status)


def _area_name(raw: object) -> Text | None:
    """From a name, or an object with one; an empty name is no area."""
    if isinstance(raw, dict):
        raw = raw.get("name")
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    return Text.parse(raw)


def _changed_on(item: dict[str, Any]) -> date | None:
    """Only where the next run begins rests on it: one that cannot be read is passed over."""
    try:
        changed = parse_moment(item.get("changed_at"))
    except Invalid:
        return None
    return changed.date()


def _called(item: dict[str, Any], place: int) -> str:
    """Its id, though not one that may be an email: the report goes into history."""
    id = item.get("id")
    printable = "".join(c for c in id if c.isprintable()).strip() if isinstance(id, str) else ""
    if not printable or "@" in printable:
        return f"item {place}"
    return printable[:LONGEST_NAME]
