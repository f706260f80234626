"""The library's own test cases, with this persistence module."""

from __future__ import annotations

from typing import ClassVar

import pytest
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    TrackingRecorderTestCase,
)
from eventsourcing.tests.projection import (
    AggregateEventCountersProjectionTestCase,
    EventCountersView,
    EventCountersViewTestCase,
    EventSourcedProjectionTestCase,
)

from domain.history.persistence import Factory, HistoryRecorder

pytestmark = pytest.mark.usefixtures("library_case")


class TestApplicationRecorder(ApplicationRecorderTestCase[HistoryRecorder]):
    factory: Factory

    def create_recorder(self) -> HistoryRecorder:
        recorder = self.factory.application_recorder()
        assert isinstance(recorder, HistoryRecorder)
        return recorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleavingNotificationIDs(NonInterleavingNotificationIDsBaseCase):
    factory: Factory

    def create_recorder(self) -> HistoryRecorder:
        recorder = self.factory.application_recorder()
        assert isinstance(recorder, HistoryRecorder)
        return recorder


class TestTrackingRecorder(TrackingRecorderTestCase):
    factory: Factory

    def create_recorder(self) -> PostgresTrackingRecorder:
        return self.factory.tracking_recorder()


class EventCounters(PostgresTrackingRecorder, EventCountersView):
    """The view of the library's projection test case: two rows of counts."""

    def get_created_event_counter(self) -> int:
        return self._count("created")

    def get_subsequent_event_counter(self) -> int:
        return self._count("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    def create_table(self) -> None:
        super().create_table()
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS counts (name text PRIMARY KEY, count int NOT NULL)"
            )

    def _count(self, name: str) -> int:
        with self.datastore.cursor() as cursor:
            row = cursor.execute("SELECT count FROM counts WHERE name = %s", [name]).fetchone()
            return int(row["count"]) if row else 0

    def _increment(self, name: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                """
                INSERT INTO counts AS c VALUES (%s, 1)
                ON CONFLICT (name) DO UPDATE SET count = c.count + 1
                """,
                [name],
            )


class TestEventCountersView(EventCountersViewTestCase):
    factory: Factory

    def construct_event_counters_view(self) -> EventCountersView:
        return self.factory.tracking_recorder(EventCounters)


class TestAggregateEventCountersProjection(AggregateEventCountersProjectionTestCase):
    view_class = EventCounters
    env: ClassVar[dict[str, str]] = {}


class TestEventSourcedProjection(EventSourcedProjectionTestCase):
    env: ClassVar[dict[str, str]] = {}


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase, TrackingRecorderTestCase
del EventCountersViewTestCase, AggregateEventCountersProjectionTestCase
del EventSourcedProjectionTestCase
