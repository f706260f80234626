"""The observer of batches: its figures, and that no command waits for it."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain.application import APPLICATION
from domain.core.errors import NotFound
from domain.events import ChangeEvent
from domain.history.batch import Batch, CommandFailure, CommandRequest, Done
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from tests.domain.writing import ORIGIN, a_fair, visitor

pytestmark = pytest.mark.anyio


async def test_an_observer_is_told_what_became_of_a_batch_and_when(
    database_url: str, keys: InstallationKeys
) -> None:
    batches = list[Batch]()
    async with Writer(database_url, Decider(keys, APPLICATION, observer=batches.append)) as one:
        fair = (await one.execute(a_fair(), ORIGIN)).value.event.id
        known, unknown = await asyncio.gather(
            one.execute(visitor(fair, 1), ORIGIN),
            one.execute(visitor(UUID(int=0), 1), ORIGIN),
            return_exceptions=True,
        )
    assert isinstance(known, Done)
    assert isinstance(unknown, NotFound)
    both = batches[-1]
    assert [type(outcome) for outcome in both.outcomes] == [Done, CommandFailure]
    assert both.outcomes[0] is known
    (append,) = both.appends
    assert append.taken
    assert not both.locked
    since = both.requests[0].waiting_since
    assert since is not None
    assert since <= both.begun <= append.begun <= append.ended <= both.ended


async def test_an_append_that_history_refused_is_told(
    database_url: str, keys: InstallationKeys
) -> None:
    batches = list[Batch]()
    async with await connect(database_url) as connection:

        async def give(decider: Decider, command: object) -> Done | CommandFailure:
            (outcome,) = await decider.execute(connection, [CommandRequest(command, ORIGIN)])
            await asyncio.sleep(0)  # the observer's turn
            return outcome

        observed, other = (
            Decider(keys, APPLICATION, observer=batches.append),
            Decider(keys, APPLICATION),
        )
        created = await give(observed, a_fair())
        assert isinstance(created, Done)
        fair = created.value.event.id
        await give(observed, visitor(fair, 1))
        await give(other, ChangeEvent(event_id=fair, status="closed"))
        assert isinstance(await give(observed, visitor(fair, 2)), CommandFailure)
    assert [append.taken for append in batches[-1].appends] == [False]


async def test_an_observer_with_a_bug_hurts_no_command(
    database_url: str, keys: InstallationKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, met = asyncio.get_running_loop(), list[object]()
    monkeypatch.setattr(loop, "call_exception_handler", met.append)

    def observe(batch: Batch) -> None:
        raise RuntimeError("a bug")

    async with Writer(database_url, Decider(keys, APPLICATION, observer=observe)) as one:
        for _ in range(2):
            assert isinstance(await one.execute(a_fair(), ORIGIN), Done)
    assert len(met) == 2


async def test_a_batch_beside_an_event_of_a_newer_release_is_observed_once(
    database_url: str, keys: InstallationKeys
) -> None:
    batches = list[Batch]()
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION, observer=batches.append)
        (created,) = await decider.execute(connection, [CommandRequest(a_fair(), ORIGIN)])
        assert isinstance(created, Done)
        fair = created.value.event.id
        await connection.execute(
            """
            UPDATE history_events SET state = convert_to(
                (convert_from(state, 'UTF8')::jsonb || '{"schema_version": 99}')::text, 'UTF8')
            WHERE originator_id = %s
            """,
            [fair],
        )
        newcomer = Decider(keys, APPLICATION, observer=batches.append)
        given = [
            CommandRequest(ChangeEvent(event_id=fair, status="closed"), ORIGIN),
            CommandRequest(a_fair(), ORIGIN),
        ]
        outcomes = await newcomer.execute(connection, given)
        await asyncio.sleep(0)  # the observer's turn
    assert [type(outcome) for outcome in outcomes] == [CommandFailure, Done]
    assert [len(batch.requests) for batch in batches] == [1, 2]
    assert batches[-1].outcomes == outcomes


async def test_two_commands_of_a_transaction_may_change_one_stream(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        (created,) = await decider.execute(connection, [CommandRequest(a_fair(), ORIGIN)])
        assert isinstance(created, Done)
        fair = created.value.event.id
        await decider.execute(
            connection, [CommandRequest(visitor(fair, 1), ORIGIN)]
        )  # keeps the stream
        async with connection.transaction():
            closed, opened = await decider.execute(
                connection,
                [
                    CommandRequest(ChangeEvent(event_id=fair, status="closed"), ORIGIN),
                    CommandRequest(ChangeEvent(event_id=fair, status="open"), ORIGIN),
                ],
            )
    assert isinstance(closed, Done)
    assert isinstance(opened, Done)
    assert opened.position == closed.position + 1
