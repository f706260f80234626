"""Reads an item of the provider into a command, or into the reason why it is skipped."""

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
from domain.core.values import Invalid, StoredText
from domain.details import Status
from domain.history.codec import to_json
from domain.provider_items import SyncEvent
from domain.syncs import SkippedItem
from workers.provider.page import Item

T = TypeVar("T")

MAX_ITEM_SIZE = 1024 * 1024  # bytes

MAX_ID_LENGTH = 100
"""Characters of the id of a skipped item that the report shows."""


class UsableItem(msgspec.Struct, frozen=True):
    command: SyncEvent
    changed_on: date | None


pack = to_json
"""Encodes a command as bytes: objects may need four times as much memory."""

unpack = msgspec.json.Decoder(SyncEvent, dec_hook=lambda kind, raw: kind(raw)).decode


class _Fields(msgspec.Struct, frozen=True):
    """The known fields of an item; others are ignored."""

    id: Any = None
    name: Any = None
    event_datetime: Any = None
    registration_deadline: Any = None
    status: Any = None
    area: Any = None
    changed_at: Any = None


_decode = msgspec.json.Decoder(_Fields).decode


def read_item(raw: Item, number: int, zone: tzinfo = UTC) -> UsableItem | SkippedItem:
    """`number`, from 1 in the answer, names an item without an id in the report. Times without an
    offset are in `zone`."""
    if memoryview(raw).nbytes > MAX_ITEM_SIZE:
        return SkippedItem(item=f"item {number}", reason="is larger than 1 MiB")
    try:
        item = _decode(raw)
    except RecursionError:
        return SkippedItem(item=f"item {number}", reason="is nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError):
        lenient = _decode_leniently(raw)
        if lenient is None:
            return SkippedItem(item=f"item {number}", reason="is not a JSON object")
        item = lenient
    reading = _Reading(item)
    event_id = reading.field("id", _uuid)
    name = reading.field("name", StoredText.parse)
    starts = reading.field("event_datetime", partial(parse_moment, zone=zone))
    status = reading.field("status", _status)
    ends = reading.field("registration_deadline", partial(parse_deadline, zone=zone), optional=True)
    area_name = reading.field("area", _area_name, optional=True)
    if event_id is None or name is None or starts is None or status is None or reading.wrong:
        return SkippedItem(item=_label(item, number), reason="; ".join(reading.wrong))
    command = SyncEvent(
        event_id=event_id,
        name=name,
        event_datetime=starts,
        registration_deadline=starts if ends is None else min(end_of(ends, starts), starts),
        area_name=area_name,
        status=status,
    )
    return UsableItem(command, _changed_on(item, zone))


def _decode_leniently(raw: Item) -> _Fields | None:
    """Accepts lone surrogates and numbers of any size, which msgspec refuses."""
    try:
        item = json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return None
    if not isinstance(item, dict):
        return None
    return _Fields(**{name: item.get(name) for name in _Fields.__struct_fields__})


class _Reading:
    """Reads the fields of one item, and collects their errors in `wrong`."""

    def __init__(self, item: _Fields) -> None:
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
            self.wrong.append(f"{name} is not valid Unicode text")
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


def _area_name(raw: object) -> StoredText | None:
    """Reads a name, or an object with a name; an empty name means no area."""
    if isinstance(raw, dict):
        raw = raw.get("name")
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    return StoredText.parse(raw)


def _changed_on(item: _Fields, zone: tzinfo) -> date | None:
    """None when it is unreadable: only the cursor of the next run depends on it."""
    try:
        changed = parse_moment(item.changed_at, zone)
    except Invalid:
        return None
    return changed.date()


def _label(item: _Fields, number: int) -> str:
    """The item's id, unless it may be a name or an email: the report is stored in history."""
    id = item.id
    printable = "".join(c for c in id if c.isprintable()).strip() if isinstance(id, str) else ""
    return printable[:MAX_ID_LENGTH] if _LIKE_AN_ID.fullmatch(printable) else f"item {number}"


_LIKE_AN_ID = re.compile(r"[A-Za-z0-9._:/-]+")
