"""History with the eventsourcing library: replayed, saved, and followed by a projection."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as LibraryAggregate
from eventsourcing.persistence import IntegrityError

from domain.core.aggregate import Foreign, Metadata, RecordedEvent
from domain.event_editing import ChangeEvent
from domain.events import Created, Event, Renamed
from domain.history.eventsourcing_view import History
from domain.history.store import open_all
from tests.support.installation import ORIGIN, Installation, an_event, visitor
from tests.support.processes import started
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EXTENDING = Path(__file__).parents[2] / "docs" / "extending.md"


async def test_the_application_of_the_library_replays_appended_events(
    installation: Installation,
) -> None:
    async with installation.writer() as writer:
        created = await writer.execute(an_event(), ORIGIN)
        fair = created.value.event.id
        changed = await writer.execute(ChangeEvent(event_id=fair, status="closed"), ORIGIN)
    with History({"DATABASE_URL": installation.database_url}) as application:
        assert application.recorder.max_notification_id() == changed.position
        assert application.repository.get(fair) == changed.value.event
        assert application.repository.get(fair, version=1) == created.value.event


async def test_it_appends_to_the_history_that_commands_decide_on(
    installation: Installation,
) -> None:
    async with installation.writer() as writer:
        fair = (await writer.execute(an_event(), ORIGIN)).value.event
        with History({"DATABASE_URL": installation.database_url}) as application:
            application.save(_renamed(fair, "Spring Fair"))
            with pytest.raises(IntegrityError):
                application.save(_renamed(fair, "Autumn Fair"))
        closed = await writer.execute(ChangeEvent(event_id=fair.id, status="closed"), ORIGIN)
    assert closed.value.event.details.name == "Spring Fair"
    assert closed.value.event.version == 3


async def test_it_appends_all_events_in_order_or_none(installation: Installation) -> None:
    async with installation.writer() as writer:
        fair = (await writer.execute(an_event(), ORIGIN)).value.event
        created = await installation.history()
    renamed = _renamed(fair, "Spring Fair")
    after_a_gap = msgspec.structs.replace(renamed, originator_version=fair.version + 2)
    with History({"DATABASE_URL": installation.database_url}) as application:
        with pytest.raises(IntegrityError):
            application.save(after_a_gap)
        with pytest.raises(IntegrityError):
            application.save(renamed, renamed)
        assert await installation.history() == created
        application.save(renamed, after_a_gap)
    versions = [e.originator_version for e in await installation.history()]
    assert versions == [*(e.originator_version for e in created), 2, 3]


async def test_personal_data_is_saved_encrypted_or_not_at_all(installation: Installation) -> None:
    async with installation.writer() as writer:
        fair = (await writer.execute(an_event(), ORIGIN)).value.event.id
        await writer.execute(visitor(fair, 1), ORIGIN)
    registered = (await installation.history())[-1]
    (ada,) = await open_all(installation.connection, [registered], installation.keys)
    grace = msgspec.structs.replace(ada, originator_id=uuid4())
    with (
        History({"DATABASE_URL": installation.database_url}) as application,
        pytest.raises(ValueError, match="personal data"),
    ):
        application.save(grace)
    with History({"DATABASE_URL": installation.database_url}, installation.keys) as application:
        application.save(grace)
    stored = (await installation.history())[-1]
    (opened,) = await open_all(installation.connection, [stored], installation.keys)
    assert opened.event == ada.event
    assert stored.sealed is not None


async def test_events_of_other_applications_are_skipped(
    installation: Installation,
) -> None:
    class Shop(Application[UUID]):
        env: ClassVar[dict[str, str]] = History.env

    with Shop({"DATABASE_URL": installation.database_url}) as shop:
        shop.save(Order())
    async with installation.writer() as writer:
        await writer.execute(an_event(), ORIGIN)
    recorded = await installation.history()
    assert [type(r.event) for r in recorded] == [Foreign, Created]


class Order(LibraryAggregate):
    """An aggregate as a user of the library writes it."""


async def test_the_example_of_the_documentation_counts_visitors(
    installation: Installation, tmp_path: Path
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", EXTENDING.read_text("utf-8"), re.DOTALL)
    script = tmp_path / "count_visitors.py"
    script.write_text(example, "utf-8")
    async with installation.writer() as writer:
        fair = (await writer.execute(an_event(), ORIGIN)).value.event.id
        await writer.execute(visitor(fair, 1), ORIGIN)
        with _running(script, installation.database_url):
            await writer.execute(visitor(fair, 2), ORIGIN)
            until(lambda: _counted(installation.database_url, fair) == 2)


@contextmanager
def _running(script: Path, database_url: str) -> Iterator[None]:
    environment = os.environ | History.env | {"DATABASE_URL": database_url}
    with started([sys.executable, script], env=environment):
        yield


def _counted(database_url: str, event_id: UUID) -> int:
    with psycopg.connect(database_url) as connection:
        try:
            row = connection.execute(
                "SELECT visitors FROM visitors_per_event WHERE event_id = %s", [event_id]
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    return row[0] if row else 0


def _renamed(event: Event, name: str) -> RecordedEvent:
    metadata = Metadata(timestamp=datetime.now(UTC), actor="system:test", correlation_id="test")
    return RecordedEvent(
        originator_id=event.id,
        originator_version=event.version + 1,
        event=Renamed(name=name),
        metadata=metadata,
    )
