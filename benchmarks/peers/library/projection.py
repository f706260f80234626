"""The library's `ProjectionRunner` keeps a table of visitors and an outbox, until it is ended."""

from __future__ import annotations

from typing import Any

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.sql import SQL

from benchmarks.peers.library.registrations import Registrations, Visitor, environment

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS visitors (
        id uuid PRIMARY KEY, event_id uuid, full_name text, email text, registered_at timestamptz
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS outbox (
        visitor_id uuid PRIMARY KEY, email text, message text, sent_at timestamptz
    )
    """,
)


class Rows(PostgresTrackingRecorder):
    def __init__(self, datastore: PostgresDatastore, **more: Any) -> None:
        super().__init__(datastore, **more)
        self.sql_create_statements.extend(SQL(table).format() for table in TABLES)

    def register(self, event: Any, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO visitors VALUES (%s, %s, %s, %s, %s)",
                [event.originator_id, event.fair_id, event.full_name, event.email, event.timestamp],
                prepare=True,
            )
            cursor.execute(
                "INSERT INTO outbox VALUES (%s, %s, %s)",
                [event.originator_id, event.email, f"Your confirmation code is {event.code}"],
                prepare=True,
            )


class Tables(Projection[Rows]):
    name = "tables"
    topics = (get_topic(Visitor.Registered),)  # type: ignore[attr-defined]

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.register(domain_event, tracking)


def main() -> None:
    with ProjectionRunner(
        application_class=Registrations,
        projection_class=Tables,
        view_class=Rows,
        env=environment(),
    ) as runner:
        runner.run_forever()


if __name__ == "__main__":
    main()
