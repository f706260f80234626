"""The commands `audit show` and `audit diff`: an aggregate at a moment, and between two.

They replay with the `eventsourcing` library. No other command loads it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import PersistenceError
from psycopg import AsyncConnection

from domain.audit.entry import DECODE_ERRORS
from domain.audit.point_in_time import (
    LAST_POSITION,
    Replay,
    difference,
    parse_position_or_time,
    state_as_of,
)
from domain.audit.replay import Unreadable
from domain.core.aggregate import Aggregate
from domain.core.values import Invalid
from domain.history.eventsourcing_view import History
from domain.history.store import connect
from events_face.commands.audit_options import parsed
from events_face.commands.audit_output import HEADER, as_json, line, print_lines, print_text
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.installation import installation_keys
from runtime.settings import Settings

T = TypeVar("T")


def show(
    settings: Settings, services: Services, *, aggregate_id: UUID, at: str | None, json: bool
) -> None:
    """Print the aggregate as it was at that moment."""
    moment = LAST_POSITION if at is None else parsed("--at", parse_position_or_time, at)
    found = _ask(
        settings,
        services,
        lambda connection, replay: state_as_of(connection, aggregate_id, moment, replay=replay),
    )
    if found is None:
        raise _nothing_happened(aggregate_id, at)
    if json:
        print_lines(as_json(found))
        return
    print_text(f"{found.type} {found.id}, version {found.version}", "")
    print_text(*(f"{name:<24}  {as_json(value)}" for name, value in (found.state or {}).items()))
    if found.unreadable:
        print_text(f"its state cannot be read: {found.unreadable}")
    print_text("", HEADER, line(found.last_event))


def diff(
    settings: Settings,
    services: Services,
    *,
    aggregate_id: UUID,
    start: str,
    end: str | None,
    json: bool,
) -> None:
    """Print what changed between the two moments, and the events that changed it."""
    first = parsed("--from", parse_position_or_time, start)
    last = LAST_POSITION if end is None else parsed("--to", parse_position_or_time, end)
    try:
        found = _ask(
            settings,
            services,
            lambda connection, replay: difference(
                connection, aggregate_id, first, last, replay=replay
            ),
        )
    except Invalid as error:
        raise WrongUsage(f"--from {error}") from None
    if found is None:
        raise _nothing_happened(aggregate_id, end)
    if json:
        print_lines(as_json(found))
        return
    print_text(
        f"{found.type} {found.id}, from version {found.from_version} to {found.to_version}", ""
    )
    print_text(*(f"{c.field:<32}  {as_json(c.old)} -> {as_json(c.new)}" for c in found.changes))
    if found.unreadable:
        print_text(f"the changes cannot be read: {found.unreadable}")
    print_text("", HEADER, *map(line, found.events))
    if left := found.to_version - found.from_version - len(found.events):
        print_text(f"and {left} more, see `events-face audit log --aggregate {aggregate_id}`")


def _ask(
    settings: Settings,
    services: Services,
    question: Callable[[AsyncConnection[Any], Replay], Awaitable[T]],
) -> T:
    installation_keys(settings, services.database_url)  # fails if the database is another's

    async def ask() -> T:
        async with await connect(services.database_url) as connection:
            with History({"DATABASE_URL": services.database_url}) as history:
                return await question(connection, _replay_by(history, connection))

    try:
        return asyncio.run(ask())
    except PersistenceError as error:
        raise CommandFailed(f"the database cannot be used: {error}") from error


def _replay_by(history: History, connection: AsyncConnection[Any]) -> Replay:
    async def replay(id: UUID, version: int) -> Aggregate:
        try:
            aggregate: Aggregate = history.repository.get(id, version=version)
        except DECODE_ERRORS:
            raise await _first_unreadable(history, connection, id, version) from None
        return aggregate

    return replay


async def _first_unreadable(
    history: History, connection: AsyncConnection[Any], id: UUID, version: int
) -> Unreadable:
    """About the first event of the stream without which it could be replayed."""

    def failure(version: int) -> Exception | None:
        try:
            history.repository.get(id, version=version)
        except AggregateNotFoundError:  # the first events were deleted
            return None
        except DECODE_ERRORS as error:
            return error
        return None

    version = 1 + bisect_left(range(1, version), True, key=lambda v: failure(v) is not None)
    cursor = await connection.execute(
        """
        SELECT notification_id FROM history_events
        WHERE originator_id = %b AND originator_version = %b
        """,
        [id, version],
    )
    (position,) = cast("tuple[int]", await cursor.fetchone())
    return Unreadable(position, failure(version) or LookupError(id))


def _nothing_happened(id: UUID, by: str | None) -> CommandFailed:
    return CommandFailed(f"nothing {'had' if by else 'has'} happened to {id} by {by or 'now'}")
