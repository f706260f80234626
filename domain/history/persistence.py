"""History as a persistence module of the `eventsourcing` library.

With `PERSISTENCE_MODULE=domain.history.persistence` the library's applications, projections and
runners work on this history. The database is `DATABASE_URL`, or the library's own `POSTGRES_*`.

- Events are appended by `append_to_history` (an SQL function, `domain/migrations/`), like those of
  every command: in one total order, and only if no stream has changed since it was read
  (`IntegrityError`).
- Tracking recorders keep positions in tables of their own, as the library's do.
- Process recorders write to tables of their own too: a projection that records events must not
  read them as history.

Only processes that use the library load this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventsourcing import postgres
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    StoredEvent,
)
from eventsourcing.utils import Environment, EnvType, retry
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from domain.history.store import CHANNEL, SESSION

EVENTS_TABLE = "history_events"


@dataclass(frozen=True)
class SealedEvent(StoredEvent):
    """A stored event whose personal data is encrypted."""

    wrapped_key: bytes | None = None
    """The key of that data, itself encrypted, as `personal_keys` holds it."""


class HistoryRecorder(postgres.PostgresApplicationRecorder):
    """The library's application recorder, on this history's table and append function."""

    def __init__(self, datastore: postgres.PostgresDatastore, **_: Any) -> None:
        super().__init__(datastore, events_table_name=EVENTS_TABLE)
        self.channel_name = CHANNEL

    def create_table(self) -> None:
        """Does nothing: `events-face migrate` creates history's tables."""

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append the events, all or none, and return their positions; None for no events.

        Raises `IntegrityError` when another event has taken a version of one of the streams, or
        when a stream ends before the version that its first new event follows.
        """
        if not stored_events:
            return None
        read: dict[Any, int] = {}
        for event in stored_events:
            read.setdefault(event.originator_id, max(0, event.originator_version - 1))
        with self.datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT append_to_history(%s, %s, %s, %s, %s, %s, %s) AS positions",
                [
                    list(read),
                    list(read.values()),
                    [event.originator_id for event in stored_events],
                    [event.originator_version for event in stored_events],
                    [event.topic for event in stored_events],
                    [event.state for event in stored_events],
                    [getattr(event, "wrapped_key", None) for event in stored_events],
                ],
            ).fetchone()
        positions: list[int] | None = row["positions"] if row else None
        if positions is None:
            raise IntegrityError("a stream has changed since it was read")
        if not positions:
            raise IntegrityError("the installation's data key was rotated: load the keys again")
        return positions


class Factory(postgres.PostgresFactory):
    """Constructs the recorders of an application, by its environment.

    It is the only factory in this module's namespace: the library looks for one there.
    """

    application_recorder_class = HistoryRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        environment = env if isinstance(env, Environment) else Environment(env=env)
        url = environment.get("DATABASE_URL")
        if not url:
            super().__init__(environment)
            return
        super().__init__(Environment(environment.name, {**environment, **_postgres_settings(url)}))
        # The library passes on five parts of the address. Others matter too: TLS, several hosts.
        self.datastore.pool.conninfo = url
        self.datastore.pool.kwargs = {"row_factory": dict_row, "options": SESSION}


def _postgres_settings(database_url: str) -> dict[str, str]:
    """What the library requires, from a PostgreSQL address."""
    parts = conninfo_to_dict(database_url)
    return {
        "POSTGRES_DBNAME": str(parts.get("dbname", "")),
        "POSTGRES_HOST": str(parts.get("host", "")),
        "POSTGRES_USER": str(parts.get("user", "")),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
    }
