"""What an item of the provider says, or why it cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, tzinfo
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec

from domain.core.times import end_of, parse_deadline, parse_moment
from domain.core.values import Invalid, Text
from domain.following import Status
from domain.history.codec import to_json
from domain.provider_items import SyncEvent
from domain.syncs import SkippedItem
from workers.provider.page import Item

T = TypeVar("T")

LARGEST_ITEM = 1024 * 1024  # bytes

LONGEST_NAME = 100
"""Characters of an unusable id that a report repeats."""


class Usable(msgspec.Struct, frozen=True):
    command: SyncEvent
    changed_on: date | None


pack = to_json
"""A command as bytes: as objects, the texts of all items may take four times as much as they did
when they came."""

unpack = msgspec.json.Decoder(SyncEvent, dec_hook=lambda kind, raw: kind(raw)).decode


class _Members(msgspec.Struct, frozen=True):
    """Those that count; what else there is in an item is passed over."""

    id: Any = None
    name: Any = None
    event_datetime: Any = None
    registration_deadline: Any = None
    status: Any = None
    area: Any = None
    changed_at: Any = None


_decode = msgspec.json.Decoder(_Members).decode


def read_item(raw: Item, place: int, zone: tzinfo = UTC) -> Usable | SkippedItem:
    """`place` names the item in the report when it has no id: its number in the answer, from 1.
    Times without an offset are taken to be in `zone`."""
    if memoryview(raw).nbytes > LARGEST_ITEM:
        return SkippedItem(item=f"item {place}", reason="is larger than 1 MiB")
    try:
        item = _decode(raw)
    except RecursionError:
        return SkippedItem(item=f"item {place}", reason="is nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError):
        lenient = _decode_leniently(raw)
        if lenient is None:
            return SkippedItem(item=f"item {place}", reason="is not a JSON object")
        item = lenient
    reading = _Reading(item)
    event_id = reading.field("id", _uuid)
    name = reading.field("name", Text.parse)
    starts = reading.field("event_datetime", partial(parse_moment, zone=zone))
    status = reading.field("status", _status)
    ends = reading.field("registration_deadline", partial(parse_deadline, zone=zone), optional=True)
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
    return Usable(command, _changed_on(item, zone))


def _decode_leniently(raw: Item) -> _Members | None:
    """Takes half of a surrogate pair, and numbers of any size, for what they are."""
    try:
        item = json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return None
    if not isinstance(item, dict):
        return None
    return _Members(**{name: item.get(name) for name in _Members.__struct_fields__})


class _Reading:
    """Reads the fields of one item, collecting what is wrong with them."""

    def __init__(self, item: _Members) -> None:
        self._item = item
        self.wrong: list[str] = []

    def field(self, name: str, parse: Callable[[object], T], *, optional: bool = False) -> T | None:
        raw = getattr(self._item, name)
        if raw is None:
            if not optional:
                self.wrong.append(f"{name} is missing")
            return None
        try:
            return parse(raw)
        except UnicodeEncodeError:
            self.wrong.append(f"{name} is no text in Unicode")
            return None
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


def _changed_on(item: _Members, zone: tzinfo) -> date | None:
    """Only where the next run begins rests on it: one that cannot be read is passed over."""
    try:
        changed = parse_moment(item.changed_at, zone)
    except Invalid:
        return None
    return changed.date()


def _called(item: _Members, place: int) -> str:
    """Its id, though not one that may be a name or an email: the report goes into history."""
    id = item.id
    printable = "".join(c for c in id if c.isprintable()).strip() if isinstance(id, str) else ""
    return printable[:LONGEST_NAME] if _LIKE_AN_ID.fullmatch(printable) else f"item {place}"


_LIKE_AN_ID = re.compile(r"[A-Za-z0-9._:/-]+")
