"""A writer with a full queue, a lost database, or an unknown event."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import psycopg
import pytest

from domain import visitors
from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.core.values import Text
from domain.event_editing import ChangeEvent
from domain.history import group_commit
from domain.history.batch import CommandFailure, Done
from domain.history.codec import UnknownEvent
from domain.history.decider import Decider
from domain.history.group_commit import HistoryUnavailable, Overloaded, Writer
from domain.history.store import last_position
from domain.history.streams import Streams
from domain.privacy.keys import InstallationKeys
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio


async def test_a_full_queue_is_reported_at_once_and_loses_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "QUEUE_LIMIT", 20)
    async with installation.writer() as one:
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        outcomes = await asyncio.gather(
            *(one.execute(visitor(fair, number), ORIGIN) for number in range(50)),
            return_exceptions=True,
        )
    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Done: 20, Overloaded: 30}
    stored = await installation.history()
    assert sum(isinstance(e.event, visitors.Registered) for e in stored) == 20


async def test_changes_that_were_rolled_back_are_not_cached(installation: Installation) -> None:
    fair = await installation.event()
    await installation.give(visitor(fair, 1))
    async with installation.connection.transaction(force_rollback=True):
        await installation.give(ChangeEvent(event_id=fair, status="closed"))
    await installation.give(visitor(fair, 2))
    (changed,) = await installation.give(ChangeEvent(event_id=fair, name=Text("Big Fair")))
    assert changed.event.version == 2


async def test_commands_committed_before_a_loss_of_the_database_get_their_results(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise psycopg.OperationalError("the server went away")

    monkeypatch.setattr(Streams, "load", lost)
    async with installation.writer() as one:
        created, unknown = await asyncio.gather(
            one.execute(an_event(), ORIGIN),
            one.execute(visitor(uuid4(), 1), ORIGIN),
            return_exceptions=True,
        )
    assert isinstance(created, Done)
    assert isinstance(unknown, HistoryUnavailable)


async def test_a_lost_connection_is_replaced_without_a_failed_command(
    installation: Installation,
) -> None:
    async with installation.writer() as one:
        await one.execute(CreateArea(name=Text("Hall")), ORIGIN)
        await installation.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await one.execute(CreateArea(name=Text("Annex")), ORIGIN)


async def test_every_caller_gets_an_error_when_the_database_is_unreachable(
    keys: InstallationKeys,
) -> None:
    async with Writer("postgresql://nobody@127.0.0.1:1/nowhere", Decider(keys, APPLICATION)) as one:
        outcomes = await asyncio.gather(
            *(one.execute(CreateArea(name=Text(f"Hall {n}")), ORIGIN) for n in range(3)),
            return_exceptions=True,
        )
    assert [type(o) for o in outcomes] == [HistoryUnavailable] * 3


async def test_accepted_commands_are_committed_before_the_writer_ends(
    installation: Installation,
) -> None:
    async with installation.writer() as one:
        taken = [
            asyncio.ensure_future(one.execute(CreateArea(name=Text(f"Hall {n}")), ORIGIN))
            for n in range(50)
        ]
        await asyncio.sleep(0)
    assert all(isinstance(task.result(), Done) for task in taken)
    assert await last_position(installation.connection) == 100


async def test_an_event_of_a_newer_release_affects_only_commands_that_read_its_stream(
    installation: Installation,
) -> None:
    fairs = [await installation.event() for _ in range(2)]
    await installation.connection.execute(
        """
        UPDATE history_events SET state = convert_to(
            (convert_from(state, 'UTF8')::jsonb || '{"schema_version": 99}')::text, 'UTF8')
        WHERE originator_id = %s
        """,
        [fairs[0]],
    )
    registrations = [visitor(fair, 1) for fair in fairs]
    newer, known = await installation.another().decide(*registrations)
    assert isinstance(newer, CommandFailure)
    assert isinstance(newer.error, UnknownEvent)
    assert isinstance(known, Done)
