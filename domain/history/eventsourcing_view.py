"""History as the `eventsourcing` library sees it: its `Application` reads our tables.

Nothing of ours rests on it, so no process loads the library unless somebody asks for this.
"""

from __future__ import annotations

from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, StoredEvent
from psycopg.conninfo import conninfo_to_dict

from domain.core.aggregate import RecordedEvent
from domain.history.codec import decode, encode


class History(Application[UUID]):
    """The library's view of our history, for reading: its repository and notification log."""

    name = "history"

    def __init__(self, database_url: str) -> None:
        super().__init__(_library_settings(database_url))

    def construct_mapper(self) -> EventMapper:
        return EventMapper()


class EventMapper(Mapper[UUID]):
    """The library's way to this codec."""

    def __init__(self) -> None:
        """Needs none of the library's transcoder, compressor or cipher."""

    def to_stored_event(self, domain_event: RecordedEvent) -> StoredEvent:  # type: ignore[override]
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.event.topic,
            state=encode(domain_event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        return decode(
            UUID(str(stored_event.originator_id)),
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )


def _library_settings(database_url: str) -> dict[str, str]:
    parts = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.get("dbname", "postgres"),
        "POSTGRES_HOST": parts.get("host", "localhost"),
        "POSTGRES_PORT": parts.get("port", "5432"),
        "POSTGRES_USER": parts.get("user", "postgres"),
        "POSTGRES_PASSWORD": parts.get("password", ""),
        "POSTGRES_POOL_SIZE": "1",
        "CREATE_TABLE": "no",
    }
