"""The peer: `eventsourcing`'s own `ProjectionRunner`, filling the same two tables from the same
history, event by event, each in the transaction that records its position."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict

from domain.core.aggregate import RecordedEvent
from domain.history.codec import open_personal
from domain.history.eventsourcing_view import EventMapper
from domain.notifications import Failed, Requeued, Sent
from domain.privacy.keys import InstallationKeys, binding_of, unwrap
from domain.visitors import Registered
from projections.lists.word_keys import word_keys
from projections.visitors import NO_KEYS

PATIENCE = 600.0  # seconds


def rate(database_url: str, keys: InstallationKeys, upto: int) -> float:
    """Events a second, over the first ones up to a position. The two tables are there, empty, as
    `library_visitors` and `library_outbox`."""
    Rows.keys = keys
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=ReadHistory,
        projection_class=Registrations,
        view_class=Rows,
        env=_environment(database_url),
    ) as runner:
        runner.wait(upto, timeout=PATIENCE)
        reached = runner.view.max_tracking_id("history") or 0
        return reached / (time.perf_counter() - began)


class ReadHistory(Application[UUID]):
    name = "history"

    def construct_mapper(self) -> EventMapper:
        return EventMapper()


class Rows(PostgresTrackingRecorder):
    """The view: what each event does to the tables."""

    keys: InstallationKeys

    def move(self, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)

    def register(self, recorded: RecordedEvent, tracking: Tracking) -> None:
        id, version = recorded.originator_id, recorded.originator_version
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "SELECT wrapped FROM personal_keys"
                " WHERE originator_id = %s AND originator_version = %s",
                [id, version],
                prepare=True,
            )
            found = cursor.fetchone()
            if found is not None:
                key = unwrap(self.keys, found["wrapped"], binding_of(id, version))
                recorded = open_personal(recorded, key)
            event: Registered = recorded.event  # type: ignore[assignment]
            person, at = event.person, recorded.metadata.timestamp
            found_by = word_keys(self.keys).of_person(person) if person else NO_KEYS
            cursor.execute(
                """
                INSERT INTO library_visitors (id, event_id, status, episode, ticket_issue,
                                              registered_at, version, position, indexed, words)
                VALUES (%s, %s, 'registered', 1, 0, %s, %s, %s, %s, %s)
                ON CONFLICT (id) DO NOTHING -- a visitor who came back
                """,
                [
                    id,
                    event.event_id,
                    at,
                    version,
                    tracking.notification_id,
                    len(found_by.indexed),
                    [*found_by.indexed, *found_by.others],
                ],
                prepare=True,
            )
            cursor.execute(
                """
                INSERT INTO library_outbox (id, visitor_id, event_id, episode, kind, facts,
                                            recipient_key, position, person_position,
                                            correlation_id, created_at, due_at)
                VALUES (%s, %s, %s, 1, 'registered', %s, 0, %s, %s, %s, %s, %s)
                """,
                [
                    event.notification_id,
                    id,
                    event.event_id,
                    f"Your confirmation code is {event.code}",
                    tracking.notification_id,
                    tracking.notification_id,
                    recorded.metadata.correlation_id,
                    at,
                    at,
                ],
                prepare=True,
            )

    def settle(self, recorded: RecordedEvent, state: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "UPDATE library_outbox SET state = %s, concluded_at = %s WHERE id = %s",
                [state, recorded.metadata.timestamp, recorded.originator_id],
                prepare=True,
            )


class Registrations(Projection[Rows]):
    name = "registrations"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        match domain_event.event:
            case Registered():
                self.view.register(domain_event, tracking)
            case Sent():
                self.view.settle(domain_event, "sent", tracking)
            case Failed():
                self.view.settle(domain_event, "failed", tracking)
            case Requeued():
                self.view.settle(domain_event, "waiting", tracking)
            case _:
                self.view.move(tracking)


def _environment(database_url: str) -> dict[str, str]:
    parts = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts["dbname"],
        "POSTGRES_HOST": parts["host"],
        "POSTGRES_PORT": parts.get("port", "5432"),
        "POSTGRES_USER": parts["user"],
        "POSTGRES_PASSWORD": parts.get("password", ""),
    }
