"""The observer of batches: its figures, and that no command waits for it."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain.core.errors import NotFound
from domain.event_editing import ChangeEvent
from domain.history.batch import Batch, CommandFailure, Done
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio


async def test_an_observer_gets_the_outcome_and_the_times_of_each_batch(
    installation: Installation,
) -> None:
    batches = list[Batch]()
    async with installation.writer(batches.append) as one:
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
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


async def test_an_observer_gets_refused_appends_too(installation: Installation) -> None:
    batches = list[Batch]()
    observed = installation.another(observer=batches.append)
    fair = await observed.event()
    await observed.give(visitor(fair, 1))
    await installation.give(ChangeEvent(event_id=fair, status="closed"))
    (refused,) = await observed.decide(visitor(fair, 2))
    assert isinstance(refused, CommandFailure)
    await asyncio.sleep(0)  # the observer's turn
    assert [append.taken for append in batches[-1].appends] == [False]


async def test_a_bug_of_an_observer_affects_no_command(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, met = asyncio.get_running_loop(), list[object]()
    monkeypatch.setattr(loop, "call_exception_handler", met.append)

    def observe(batch: Batch) -> None:
        raise RuntimeError("a bug")

    async with installation.writer(observe) as one:
        for _ in range(2):
            assert isinstance(await one.execute(an_event(), ORIGIN), Done)
    assert len(met) == 2


async def test_a_batch_beside_an_event_of_a_newer_release_is_observed_once(
    installation: Installation,
) -> None:
    batches = list[Batch]()
    fair = await installation.another(observer=batches.append).event()
    await installation.connection.execute(
        """
        UPDATE history_events SET state = convert_to(
            (convert_from(state, 'UTF8')::jsonb || '{"schema_version": 99}')::text, 'UTF8')
        WHERE originator_id = %s
        """,
        [fair],
    )
    newcomer = installation.another(observer=batches.append)
    outcomes = await newcomer.decide(ChangeEvent(event_id=fair, status="closed"), an_event())
    await asyncio.sleep(0)  # the observer's turn
    assert [type(outcome) for outcome in outcomes] == [CommandFailure, Done]
    assert [len(batch.requests) for batch in batches] == [1, 2]
    assert batches[-1].outcomes == outcomes


async def test_two_commands_of_a_transaction_may_change_one_stream(
    installation: Installation,
) -> None:
    fair = await installation.event()
    await installation.give(visitor(fair, 1))  # keeps the stream
    async with installation.connection.transaction():
        closed, opened = await installation.decide(
            ChangeEvent(event_id=fair, status="closed"), ChangeEvent(event_id=fair, status="open")
        )
    assert isinstance(closed, Done)
    assert isinstance(opened, Done)
    assert opened.position == closed.position + 1
