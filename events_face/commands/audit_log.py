"""The commands `audit log`, `audit show` and `audit diff`: history, read by an operator."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from psycopg import AsyncConnection

from domain.audit.entry import LoggedEvent, open_personal_data
from domain.audit.log import Criteria, read_page, sealed_among
from domain.audit.point_in_time import (
    LAST_POSITION,
    difference,
    parse_position_or_time,
    state_as_of,
)
from domain.core.values import Invalid
from domain.history.codec import to_json
from domain.history.store import CHANNEL, connect, last_position
from events_face.commands.audit_options import (
    criteria_from,
    parsed,
    printable,
    record,
    until_nobody_reads,
)
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.installation import installation_keys
from runtime.settings import Settings

T = TypeVar("T")

PAGE = 500
"""Events that are read at once."""

LOOK_AGAIN = 5.0
"""Seconds without news after which history is looked at all the same."""


def log(
    settings: Settings,
    services: Services,
    *,
    after: int | None,
    limit: int,
    follow: bool,
    personal: bool,
    json: bool,
    **asked: Any,
) -> None:
    """Print the last events, or the first ones after a position; the oldest first."""
    criteria = criteria_from(**asked)
    keys = installation_keys(settings, services.database_url)

    async def print_them() -> None:
        async with await connect(services.database_url) as connection:
            if not json:
                _tell(_HEADER)
            async for events in _batches(connection, criteria, after, limit, follow):
                if personal:
                    await record(connection, keys, sealed_among(events).disclosure(criteria))
                    events = await open_personal_data(connection, events, keys)  # noqa: PLW2901
                if json:
                    _say(*map(_json, events))
                else:
                    _tell(*map(_line, events))

    with until_nobody_reads():
        asyncio.run(print_them())


def show(
    settings: Settings, services: Services, *, aggregate_id: UUID, at: str | None, json: bool
) -> None:
    """Print what the aggregate was at that moment."""
    moment = LAST_POSITION if at is None else parsed("--at", parse_position_or_time, at)
    found = _ask(settings, services, lambda c: state_as_of(c, aggregate_id, moment))
    if found is None:
        raise _nothing_happened(aggregate_id, at)
    if json:
        _say(_json(found))
        return
    _tell(f"{found.type} {found.id}, version {found.version}", "")
    _tell(*(f"{name:<24}  {_json(value)}" for name, value in (found.state or {}).items()))
    if found.unreadable:
        _tell(f"its state cannot be told: {found.unreadable}")
    _tell("", _HEADER, _line(found.last_event))


def diff(
    settings: Settings,
    services: Services,
    *,
    aggregate_id: UUID,
    start: str,
    end: str | None,
    json: bool,
) -> None:
    """Print what changed between the two moments, and the events that did it."""
    first = parsed("--from", parse_position_or_time, start)
    last = LAST_POSITION if end is None else parsed("--to", parse_position_or_time, end)
    try:
        found = _ask(settings, services, lambda c: difference(c, aggregate_id, first, last))
    except Invalid as error:
        raise WrongUsage(f"--from {error}") from None
    if found is None:
        raise _nothing_happened(aggregate_id, end)
    if json:
        _say(_json(found))
        return
    _tell(f"{found.type} {found.id}, from version {found.from_version} to {found.to_version}", "")
    _tell(*(f"{c.field:<32}  {_json(c.old)} -> {_json(c.new)}" for c in found.changes))
    if found.unreadable:
        _tell(f"what changed cannot be told: {found.unreadable}")
    _tell("", _HEADER, *map(_line, found.events))
    if left := found.to_version - found.from_version - len(found.events):
        _tell(f"and {left} more, see `events-face audit log --aggregate {aggregate_id}`")


async def _batches(
    connection: AsyncConnection[Any],
    criteria: Criteria,
    after: int | None,
    limit: int,
    follow: bool,
) -> AsyncIterator[list[LoggedEvent]]:
    """The events that were asked for; with `follow` also all that happens from then on."""
    end = await last_position(connection)
    if after is None:
        yield (await _some(connection, criteria, limit=limit, up_to=end, newest_first=True))[::-1]
        after = end
    elif not follow:
        yield await _some(connection, criteria, limit=limit, up_to=end, after=after)
    if follow:
        async for events in _news(connection, criteria, after):
            yield events


async def _some(
    connection: AsyncConnection[Any], criteria: Criteria, *, limit: int, **where: Any
) -> list[LoggedEvent]:
    """The first `limit` events, however far they are."""
    found = list[LoggedEvent]()
    while len(found) < limit:
        left = min(limit - len(found), PAGE)
        page = await read_page(connection, criteria, limit=left, **where)
        found += page.events
        where["after"] = page.next_after
        if page.next_after is None:
            break
    return found


async def _news(
    connection: AsyncConnection[Any], criteria: Criteria, after: int
) -> AsyncIterator[list[LoggedEvent]]:
    """All events after that position, as they happen."""
    await connection.execute(f"LISTEN {CHANNEL}")
    while True:
        end = await last_position(connection)
        place: int | None = after
        while place is not None:
            page = await read_page(connection, criteria, limit=PAGE, after=place, up_to=end)
            yield page.events
            place = page.next_after
        after = max(after, end)
        sys.stdout.flush()
        async for _ in connection.notifies(timeout=LOOK_AGAIN, stop_after=1):
            pass


def _ask(
    settings: Settings,
    services: Services,
    question: Callable[[AsyncConnection[Any]], Awaitable[T]],
) -> T:
    installation_keys(settings, services.database_url)  # says so when the database is not ours

    async def ask() -> T:
        async with await connect(services.database_url) as connection:
            return await question(connection)

    return asyncio.run(ask())


def _nothing_happened(id: UUID, by: str | None) -> CommandFailed:
    return CommandFailed(f"nothing {'had' if by else 'has'} happened to {id} by {by or 'now'}")


_COLUMNS = "{:>9}  {:<20}  {:<27}  {:<36}  {:>4}  {:<36}  {}"

_HEADER = _COLUMNS.format("position", "time", "type", "aggregate", "v", "actor", "data")


def _line(event: LoggedEvent) -> str:
    notes = [f"({event.personal})"] if event.personal else []
    if event.unreadable:
        notes.append(f"(unreadable: {event.unreadable})")
    return _COLUMNS.format(
        event.position,
        f"{event.time:%Y-%m-%dT%H:%M:%SZ}" if event.time else "",
        event.type,
        str(event.aggregate_id),
        event.aggregate_version,
        event.actor or "",
        " ".join([_json(event.data), *notes]),
    )


def _json(value: object) -> str:
    return to_json(value).decode()


def _tell(*lines: str) -> None:
    _say(*map(printable, lines))


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
