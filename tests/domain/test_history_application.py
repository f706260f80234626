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

from domain.application import APPLICATION
from domain.core.aggregate import Foreign, Metadata, RecordedEvent
from domain.events import ChangeEvent, Created, Event, Renamed
from domain.history.decider import Decider
from domain.history.eventsourcing_view import History
from domain.history.group_commit import Writer
from domain.history.store import connect, open_all
from domain.privacy.keys import InstallationKeys
from tests.domain.writing import ORIGIN, a_fair, history, visitor
from tests.support.processes import started
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EXTENDING = Path(__file__).parents[2] / "docs" / "extending.md"


async def test_the_librarys_application_replays_what_was_appended(
    database_url: str, keys: InstallationKeys
) -> None:
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        created = await writer.execute(a_fair(), ORIGIN)
        fair = created.value.event.id
        changed = await writer.execute(ChangeEvent(event_id=fair, status="closed"), ORIGIN)
    with History({"DATABASE_URL": database_url}) as application:
        assert application.recorder.max_notification_id() == changed.position
        assert application.repository.get(fair) == changed.value.event
        assert application.repository.get(fair, version=1) == created.value.event


async def test_it_appends_to_the_history_that_commands_decide_on(
    database_url: str, keys: InstallationKeys
) -> None:
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        fair = (await writer.execute(a_fair(), ORIGIN)).value.event
        with History({"DATABASE_URL": database_url}) as application:
            application.save(_renamed(fair, "Spring Fair"))
            with pytest.raises(IntegrityError):
                application.save(_renamed(fair, "Autumn Fair"))
        closed = await writer.execute(ChangeEvent(event_id=fair.id, status="closed"), ORIGIN)
    assert closed.value.event.details.name == "Spring Fair"
    assert closed.value.event.version == 3


async def test_it_appends_all_events_in_order_or_none(
    database_url: str, keys: InstallationKeys
) -> None:
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        fair = (await writer.execute(a_fair(), ORIGIN)).value.event
        created = await history(database_url)
    renamed = _renamed(fair, "Spring Fair")
    after_a_gap = msgspec.structs.replace(renamed, originator_version=fair.version + 2)
    with History({"DATABASE_URL": database_url}) as application:
        with pytest.raises(IntegrityError):
            application.save(after_a_gap)
        with pytest.raises(IntegrityError):
            application.save(renamed, renamed)
        assert await history(database_url) == created
        application.save(renamed, after_a_gap)
    versions = [e.originator_version for e in await history(database_url)]
    assert versions == [*(e.originator_version for e in created), 2, 3]


async def test_personal_data_is_saved_encrypted_or_not_at_all(
    database_url: str, keys: InstallationKeys
) -> None:
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        fair = (await writer.execute(a_fair(), ORIGIN)).value.event.id
        await writer.execute(visitor(fair, 1), ORIGIN)
    registered = (await history(database_url))[-1]
    async with await connect(database_url) as connection:
        (ada,) = await open_all(connection, [registered], keys)
    grace = msgspec.structs.replace(ada, originator_id=uuid4())
    with (
        History({"DATABASE_URL": database_url}) as application,
        pytest.raises(ValueError, match="personal data"),
    ):
        application.save(grace)
    with History({"DATABASE_URL": database_url}, keys) as application:
        application.save(grace)
    stored = (await history(database_url))[-1]
    async with await connect(database_url) as connection:
        (opened,) = await open_all(connection, [stored], keys)
    assert opened.event == ada.event
    assert stored.sealed is not None


async def test_events_of_a_users_own_application_are_passed_over(
    database_url: str, keys: InstallationKeys
) -> None:
    class Shop(Application[UUID]):
        env: ClassVar[dict[str, str]] = History.env

    with Shop({"DATABASE_URL": database_url}) as shop:
        shop.save(Order())
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        await writer.execute(a_fair(), ORIGIN)
    recorded = await history(database_url)
    assert [type(r.event) for r in recorded] == [Foreign, Created]


class Order(LibraryAggregate):
    """An aggregate as a user of the library writes it."""


async def test_the_example_of_the_documentation_counts_visitors(
    database_url: str, keys: InstallationKeys, tmp_path: Path
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", EXTENDING.read_text("utf-8"), re.DOTALL)
    script = tmp_path / "count_visitors.py"
    script.write_text(example, "utf-8")
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        fair = (await writer.execute(a_fair(), ORIGIN)).value.event.id
        await writer.execute(visitor(fair, 1), ORIGIN)
        with _running(script, database_url):
            await writer.execute(visitor(fair, 2), ORIGIN)
            until(lambda: _counted(database_url, fair) == 2)


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
