"""History: the append-only event store in PostgreSQL, and how it is read and written.

The tables have the schema of the `eventsourcing` library, whose `Application` reads them
(`domain.history.eventsourcing_view.History`). All events are appended by one SQL function,
`append_to_history` (`domain/migrations/`), because the recorder of the library can neither check
the streams that a decision has read, nor append for many commands at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Connection

from domain.core.aggregate import RecordedEvent
from domain.history.codec import decode, decode_personal_data, encode, open_personal
from domain.history.idempotency import NewAnswer
from domain.history.seats import NONE, SeatChanges
from domain.privacy.encryption import CannotOpen, new_key, rewrap
from domain.privacy.keys import (
    INSTALLATION,
    InstallationKeys,
    UnknownGeneration,
    binding_of,
    unwrap,
    wrap,
)

BY_KEY = (
    "-c plan_cache_mode=force_custom_plan"
    " -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off"
)
"""PostgreSQL options for statements that must never scan a whole table, even without statistics:
only index scans are allowed, and each statement is planned for its parameters."""

CHANNEL = "history"
"""The channel of the NOTIFY with the last position of each append."""

SESSION = (
    "-c TimeZone=UTC -c idle_in_transaction_session_timeout=10s"
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=12s"
)
"""Options of every session: times are in UTC, and locks are released soon after a client stops
within a transaction or loses its network; without them, PostgreSQL needs two hours to notice the
latter."""

CONNECTION_TIMEOUTS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Timeouts for a server that does not answer: in seconds, the last one in milliseconds."""


def create_keys(connection: Connection[Any], secret_keys: tuple[str, ...]) -> None:
    """Create the keys of the installation unless they exist, and wrap them with the first of
    `secret_keys`.

    Raises `encryption.CannotOpen` when the keys exist but none of `secret_keys` decrypts them, or
    when they are missing although history has events, which need them.
    """
    connection.execute(
        """
        INSERT INTO installation_keys (wrapped)
        SELECT %s WHERE NOT EXISTS (SELECT FROM history_events)
        ON CONFLICT DO NOTHING
        """,
        [InstallationKeys.generate().wrap(*secret_keys)],
    )
    row = connection.execute("SELECT wrapped FROM installation_keys FOR UPDATE").fetchone()
    if row is None:
        raise CannotOpen(
            "the installation's keys are missing, and history has events that need them: restore"
            " the table installation_keys from a backup"
        )
    (wrapped,) = row
    if rewrapped := rewrap(wrapped, secret_keys, INSTALLATION):
        connection.execute("UPDATE installation_keys SET wrapped = %s", [rewrapped])


def load_keys(connection: Connection[Any], secret_keys: tuple[str, ...]) -> InstallationKeys:
    """The installation's keys. Raises `encryption.CannotOpen`, and LookupError without any."""
    row = connection.execute("SELECT wrapped FROM installation_keys").fetchone()
    if row is None:
        raise LookupError("the database has no installation keys: run `events-face migrate`")
    return InstallationKeys.unwrap(row[0], secret_keys)


async def refresh_keys(connection: AsyncConnection[Any], keys: InstallationKeys) -> None:
    """Add the generations of data keys that are newer than `keys`."""
    cursor = await connection.execute("SELECT wrapped FROM installation_keys", binary=True)
    (wrapped,) = cast("tuple[bytes]", await cursor.fetchone())
    keys.learn(wrapped)


async def connect(
    database_url: str, kind: type[AsyncConnection[Any]] = AsyncConnection
) -> AsyncConnection[Any]:
    """A connection in autocommit mode, for statements that read by key or in index order."""
    return await kind.connect(
        database_url,
        autocommit=True,
        prepare_threshold=1,
        options=f"{SESSION} {BY_KEY}",
        **CONNECTION_TIMEOUTS,
    )


LOCK_HISTORY = "SELECT pg_advisory_xact_lock(hashtext('append_to_history'))"
"""Prevents all other appends until the end of the transaction."""

_ARGUMENTS: LiteralString = """
    %b, %b, %b, %b, %b, %b, %b,
    %b::uuid[], %b::int[], %b::int[], %b::int[], %b::int[], %b::int[], %b::int[],
    %b::uuid[], %b::uuid[], %b::uuid[], %b::int[], %b::uuid[]"""
_OF_ANSWERS: LiteralString = ", %b::bytea[], %b::bytea[], %b::bytea[], %b::int[], %b::uuid[]"

_CALL: LiteralString = "SELECT positions, now_taken, now_waiting FROM append_to_history"
_APPEND: LiteralString = f"{_CALL}({_ARGUMENTS})"
_APPEND_WITH_ANSWERS: LiteralString = f"{_CALL}({_ARGUMENTS}{_OF_ANSWERS})"

KEY_TRIES = 5
"""Attempts to append with the newest data key, which may be rotated in between."""


class Appended(msgspec.Struct, frozen=True):
    """The answer to an append."""

    positions: Sequence[int] | None
    """Of the events; None when nothing was appended, because a stream or a counter of seats is not
    as the decision has read it, or one of the calls was done before."""
    seats: Sequence[tuple[int, int]]
    """The counters, taken and waiting, of each event in the `SeatChanges`; empty if a call was done
    before."""


async def append(
    connection: AsyncConnection[Any],
    events: Sequence[RecordedEvent],
    read: Mapping[UUID, int],
    keys: InstallationKeys,
    seats: SeatChanges = NONE,
    answers: Sequence[NewAnswer] = (),
) -> Appended:
    """Append the events, all or none, and the answers with them.

    `read` has the streams that the decision has read, each with its version at that time.

    Raises `encryption.CannotOpen` when the keys of the installation are inconsistent.
    """
    personal_keys = [new_key() if e.event.personal_field else None for e in events]
    states = [encode(e, key) for e, key in zip(events, personal_keys, strict=True)]
    for _ in range(KEY_TRIES):
        cursor = await connection.execute(
            _APPEND_WITH_ANSWERS if answers else _APPEND,
            [
                list(read),
                list(read.values()),
                [e.originator_id for e in events],
                [e.originator_version for e in events],
                [e.event.topic for e in events],
                states,
                [
                    key and wrap(keys, key, binding_of(e.originator_id, e.originator_version))
                    for e, key in zip(events, personal_keys, strict=True)
                ],
                [change.event_id for change in seats.events],
                [change.taken for change in seats.events],
                [change.waiting for change in seats.events],
                [change.bounds.taken_min for change in seats.events],
                [change.bounds.taken_max for change in seats.events],
                [change.bounds.waiting_min for change in seats.events],
                [change.bounds.waiting_max for change in seats.events],
                list(seats.left),
                [joined.visitor_id for joined in seats.joined],
                [joined.event_id for joined in seats.joined],
                [joined.place.index + 1 for joined in seats.joined],
                [joined.place.of for joined in seats.joined],
                *(_columns(answers) if answers else ()),
            ],
            binary=True,
        )
        positions, taken, waiting = cast(
            "tuple[list[int] | None, list[int], list[int]]", await cursor.fetchone()
        )
        if positions != []:
            return Appended(positions, list(zip(taken or (), waiting or (), strict=True)))
        await refresh_keys(connection, keys)  # the data key was rotated
    raise CannotOpen(
        "the data key of the installation does not match the mark of new personal keys"
    )


def _columns(answers: Sequence[NewAnswer]) -> list[list[Any]]:
    return [
        [new.once.key for new in answers],
        [new.once.fingerprint for new in answers],
        [new.answer for new in answers],
        [new.index + 1 for new in answers],
        [new.about for new in answers],
    ]


async def lock_history(connection: AsyncConnection[Any]) -> None:
    """Prevent all other appends until the transaction of the connection ends."""
    await connection.execute(LOCK_HISTORY)


async def read_events(
    connection: AsyncConnection[Any], *, after: int, limit: int, skipped: Sequence[str] = ()
) -> list[RecordedEvent]:
    """The next events in the order of history, with personal data still encrypted. Events of
    `skipped` topics are left out, except the last event of history: its position shows the reader
    how far it has read."""
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM history_events
        WHERE notification_id > %(after)s
          AND (topic = ANY(%(skipped)s) IS NOT TRUE
               OR notification_id = (SELECT max(notification_id) FROM history_events))
        ORDER BY notification_id
        LIMIT %(limit)s
        """,
        {"after": after, "limit": limit, "skipped": list(skipped)},
        binary=True,
    )
    return [decode(*row) for row in await cursor.fetchall()]


async def read_stream(connection: AsyncConnection[Any], id: UUID) -> list[RecordedEvent]:
    """All events of one aggregate, with personal data still encrypted."""
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM history_events WHERE originator_id = %b ORDER BY originator_version
        """,
        [id],
        binary=True,
    )
    return [decode(*row) for row in await cursor.fetchall()]


async def last_position(connection: AsyncConnection[Any]) -> int:
    """Position of the newest event; 0 when there is none."""
    cursor = await connection.execute("SELECT max(notification_id) FROM history_events")
    row = await cursor.fetchone()
    return (row and row[0]) or 0


async def skip_positions(connection: AsyncConnection[Any], positions: int) -> None:
    """Skip this number of positions: another event must not get a position that was lost, because
    other systems may remember it."""
    await connection.execute(
        """
        SELECT setval(sequence, nextval(sequence) + %s)
        FROM CAST(pg_get_serial_sequence('history_events', 'notification_id') AS regclass)
             AS of (sequence)
        """,
        [positions],
    )


async def open_all(
    connection: AsyncConnection[Any], events: Sequence[RecordedEvent], keys: InstallationKeys
) -> list[RecordedEvent]:
    """The events with decrypted personal data, unless the key was deleted."""
    sealed = [e for e in events if e.sealed is not None]
    if not sealed:
        return list(events)
    found = await _personal_keys(connection, sealed)
    try:
        return _opened(events, found, keys)
    except UnknownGeneration:
        await refresh_keys(connection, keys)
        return _opened(events, await _personal_keys(connection, sealed), keys)


async def read_personal_data(
    connection: AsyncConnection[Any], positions: Collection[int], keys: InstallationKeys
) -> dict[int, Any]:
    """The decrypted personal data of the events at these positions, by position; without those
    whose key was deleted. Faster than `open_all`, as it reads nothing else of the events."""
    try:
        return await _personal_data(connection, positions, keys)
    except UnknownGeneration:
        await refresh_keys(connection, keys)
        return await _personal_data(connection, positions, keys)


async def _personal_data(
    connection: AsyncConnection[Any], positions: Collection[int], keys: InstallationKeys
) -> dict[int, Any]:
    cursor = await connection.execute(
        """
        SELECT e.notification_id, e.topic, e.state, k.wrapped,
               uuid_send(e.originator_id) || int8send(e.originator_version) -- as `binding_of`
        FROM history_events e JOIN personal_keys k USING (originator_id, originator_version)
        WHERE e.notification_id = ANY(%b::bigint[])
        """,
        [list(positions)],
        binary=True,
    )
    found = dict[int, Any]()
    for position, topic, state, wrapped, bound_to in await cursor.fetchall():
        personal_key = unwrap(keys, wrapped, bound_to)
        found[position] = decode_personal_data(topic, state, personal_key, bound_to)
    return found


async def read_personal_keys(
    connection: AsyncConnection[Any], positions: Collection[int], keys: InstallationKeys
) -> dict[int, bytes]:
    """The keys of the personal data of the events at these positions, by position, without deleted
    ones: for other data about the same person, which an erasure is to make unreadable, too."""
    try:
        return await _keys_at(connection, positions, keys)
    except UnknownGeneration:
        await refresh_keys(connection, keys)
        return await _keys_at(connection, positions, keys)


async def _keys_at(
    connection: AsyncConnection[Any], positions: Collection[int], keys: InstallationKeys
) -> dict[int, bytes]:
    if not positions:
        return {}
    cursor = await connection.execute(
        """
        SELECT e.notification_id, e.originator_id, e.originator_version, k.wrapped
        FROM history_events e JOIN personal_keys k USING (originator_id, originator_version)
        WHERE e.notification_id = ANY(%b::bigint[])
        """,
        [list(positions)],
        binary=True,
    )
    return {
        position: unwrap(keys, wrapped, binding_of(id, version))
        for position, id, version, wrapped in await cursor.fetchall()
    }


async def read_last_personal_data(
    connection: AsyncConnection[Any], originator_ids: Collection[UUID], keys: InstallationKeys
) -> dict[UUID, Any]:
    """The decrypted personal data of each stream's last event that has some; without the streams
    that have none, and those whose key was deleted."""
    try:
        return await _last_personal_data(connection, originator_ids, keys)
    except UnknownGeneration:
        await refresh_keys(connection, keys)
        return await _last_personal_data(connection, originator_ids, keys)


async def _last_personal_data(
    connection: AsyncConnection[Any], ids: Collection[UUID], keys: InstallationKeys
) -> dict[UUID, Any]:
    cursor = await connection.execute(
        """
        SELECT wanted.id, last.version, last.wrapped, e.topic, e.state
        FROM unnest(%b::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT k.originator_version AS version, k.wrapped FROM personal_keys k
            WHERE k.originator_id = wanted.id ORDER BY k.originator_version DESC LIMIT 1
        ) AS last
        JOIN history_events e ON e.originator_id = wanted.id AND e.originator_version = last.version
        """,
        [list(ids)],
        binary=True,
    )
    found = dict[UUID, Any]()
    for id, version, wrapped, topic, state in await cursor.fetchall():
        bound_to = binding_of(id, version)
        personal_key = unwrap(keys, wrapped, bound_to)
        found[id] = decode_personal_data(topic, state, personal_key, bound_to)
    return found


async def delete_personal_keys(
    connection: AsyncConnection[Any], before: Mapping[UUID, int]
) -> None:
    """Those of each stream's events before the version: what they opened is unreadable from now
    on, in history and in every copy of it."""
    await connection.execute(
        """
        DELETE FROM personal_keys USING unnest(%b::uuid[], %b::bigint[]) AS erased (id, version)
        WHERE originator_id = id AND originator_version < version
        """,
        [list(before), list(before.values())],
    )


_Wrapped = Mapping[tuple[UUID, int], bytes]


async def _personal_keys(
    connection: AsyncConnection[Any], events: Sequence[RecordedEvent]
) -> _Wrapped:
    """The wrapped keys that still exist, by stream and version."""
    cursor = await connection.execute(
        """
        SELECT k.originator_id, k.originator_version, k.wrapped
        FROM unnest(%b::uuid[], %b::bigint[]) AS wanted (id, version)
        JOIN personal_keys k ON k.originator_id = id AND k.originator_version = version
        """,
        [[e.originator_id for e in events], [e.originator_version for e in events]],
        binary=True,
    )
    return {(id, version): wrapped for id, version, wrapped in await cursor.fetchall()}


def _opened(
    events: Sequence[RecordedEvent], found: _Wrapped, keys: InstallationKeys
) -> list[RecordedEvent]:
    opened = list[RecordedEvent]()
    for event in events:
        wrapped = found.get((event.originator_id, event.originator_version))
        if wrapped is not None:
            bound_to = binding_of(event.originator_id, event.originator_version)
            event = open_personal(event, unwrap(keys, wrapped, bound_to))  # noqa: PLW2901
        opened.append(event)
    return opened
