"""The steps after a database was set back to an earlier moment, by `restore` or by point-in-time
recovery of PostgreSQL; on their own they are the command `recovered`.

Changes after that moment are lost, but other systems may have seen them. So new positions of
history start far after the lost ones, all sessions and leases end, and the command prints what it
cannot know.
"""

import asyncio
import sys
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from api.identity.sessions import end_all_sessions
from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.history.store import connect, last_position, skip_positions
from domain.privacy.keys import InstallationKeys
from events_face.commands.backup import End, end_of_history
from events_face.commands.migrate import create_tables, rebuild_outdated
from events_face.commands.schema import refuse_newer
from projections.outbox import OUTBOX
from projections.projector.tail import PositionMoved, Tail
from projections.status import projection_statuses
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.delivery.holds import hold_all, release_all_leases
from workers.delivery.leases import count_waiting

HELD_REASON = "held: the database was restored, and it may have been sent since the backup"
"""The reason of a held notification."""

POSITION_GAP = 10_000_000
"""Positions that are skipped: more than can have been lost."""


class RecoveryResult(msgspec.Struct, frozen=True):
    sessions: int
    waiting: int
    held: int


def recover(settings: Settings, services: Services, hold: bool) -> None:
    """Prepare the database before any role runs, and print what is known and what is not.

    With `hold`, waiting notifications fail until an operator queues them again. Raises
    `CommandFailed`, for example while a projector runs.
    """
    refuse_newer(services.database_url)
    if create_tables(settings, services):
        rebuild_outdated(settings, services)
    keys = installation_keys(settings, services.database_url)
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        end = end_of_history(connection)
        result = asyncio.run(_recover(services.database_url, keys, hold))
        connection.execute("ANALYZE")
    sys.stdout.write(_summary(end, result))


async def _recover(database_url: str, keys: InstallationKeys, hold: bool) -> RecoveryResult:
    async with await connect(database_url) as connection:
        if any(status.led for status in await projection_statuses(connection)):
            raise CommandFailed("a projector runs on this database: stop every role first")
        sessions = await end_all_sessions(connection)
        await _bring_outbox_up_to_date(connection, keys)
        await release_all_leases(connection)
        await skip_positions(connection, POSITION_GAP)
        waiting = await count_waiting(connection)
        held = await hold_all(connection, Decider(keys, APPLICATION), HELD_REASON) if hold else 0
        return RecoveryResult(sessions, waiting - held, held)


async def _bring_outbox_up_to_date(
    connection: AsyncConnection[Any], keys: InstallationKeys
) -> None:
    """Add the missing registrations, so that they wait like the others."""
    tail = Tail(connection, keys)
    await tail.follow([OUTBOX])
    target = await last_position(connection)
    while (reached := tail.positions[OUTBOX]) < target:
        try:
            await tail.step()
        except PositionMoved:
            raise CommandFailed("a projector has started: stop every role first") from None
        if tail.positions[OUTBOX] == reached:
            raise CommandFailed("the outbox cannot follow history: see `projections status`")


def _summary(end: End, result: RecoveryResult) -> str:
    later = f"after {end.at:%Y-%m-%dT%H:%M:%SZ}" if end.at else "ever"
    return (
        f"restored: {end}\n"
        f"lost: every change {later}; `audit verify --checkpoint FILE` shows whether a pinned"
        " checkpoint had more events\n"
        f"undone: every erasure {later}: names and emails are back, erase those people again; and"
        " every account disabled, role revoked and password changed; and every API key revoked or"
        " rolled: see `events-face keys list`\n"
        f"sessions: {result.sessions} ended; users must sign in again\n"
        f"notifications: {_notifications(result)}\n"
    )


def _notifications(result: RecoveryResult) -> str:
    if result.held:
        return (
            f"{result.held} that waited are held as failed, because they may have been sent since;"
            " /admin/notifications/again queues them again"
        )
    if result.waiting:
        return (
            f"{result.waiting} wait, and may have been sent since: they will be sent with the same"
            " id and Idempotency-Key"
        )
    return "none is waiting"
