"""Commands that are done once, however often they are sent, to whichever process, in whichever
batch."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import pytest
from psycopg import AsyncConnection

from domain import events, visitors
from domain.areas import Area, AreaNameTaken, CreateArea, RenameArea
from domain.core.values import Email, Text
from domain.departures import EraseVisitor
from domain.event_editing import ChangeEvent, EventView
from domain.history import idempotency
from domain.history.batch import CommandFailure, CommandRequest, Done
from domain.history.idempotency import Completion, IdempotencyKeyReused, Once, delete_expired
from domain.history.replays import done_once
from domain.history.store import connect
from domain.registrations import CorrectVisitor
from domain.visitors import DuplicateRegistration, EventClosed
from tests.support.installation import ORIGIN, Installation, a_registration, an_event, visitor
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

HALL = CreateArea(name=Text("Hall"))


def once(key: str, call: object = "a call", complete: Completion | None = None) -> Once:
    """The answer is the id of the aggregate."""
    return Once(key=hashed(key), fingerprint=hashed(call), answer=id_of, complete=complete)


def hashed(text: object) -> bytes:
    return blake2b(repr(text).encode(), digest_size=32).digest()


def id_of(value: Any) -> bytes:
    return str((value.event if isinstance(value, EventView) else value).id).encode()


def keyed(command: object, key: str | Once) -> CommandRequest:
    """Asked once under the key: what is called is the command."""
    asked = key if isinstance(key, Once) else once(key, command)
    return CommandRequest(command, ORIGIN, once=asked)


async def decide(
    installation: Installation, *requests: CommandRequest
) -> Sequence[Done | CommandFailure]:
    return await installation.decider.execute(installation.connection, requests)


def results(outcomes: Sequence[Done | CommandFailure]) -> list[object]:
    """What was answered before, the class of the refusal, or what is new."""
    return [
        type(o.error) if isinstance(o, CommandFailure) else o.replayed or o.value for o in outcomes
    ]


async def test_a_command_is_done_once_in_one_batch_in_the_next_and_in_another_process(
    installation: Installation,
) -> None:
    first, second = await decide(installation, keyed(HALL, "a"), keyed(HALL, "a"))
    assert isinstance(first, Done)
    assert first.stored
    hall = id_of(first.value)
    assert second == Done(None, first.position, replayed=hall)
    assert await decide(installation, keyed(HALL, "a")) == [second]
    assert await decide(installation.another(), keyed(HALL, "a")) == [second]
    assert len(await installation.history()) == 2


async def test_commands_beside_one_that_was_done_before_are_decided_without_it(
    installation: Installation,
) -> None:
    """Were it decided again in memory, the others would see what it does."""
    (hall,) = await decide(installation, keyed(HALL, "a"))
    annex = keyed(RenameArea(area_id=hall.or_raise().value.id, name=Text("Annex")), "b")
    await decide(installation, annex)
    for process in (installation, installation.another()):
        outcomes = await decide(
            process,
            keyed(HALL, "a"),
            CommandRequest(HALL, ORIGIN),
            annex,
            CommandRequest(HALL, ORIGIN),
        )
        replayed, created, renamed, refused = results(outcomes)
        assert replayed == renamed == id_of(hall.or_raise().value)
        assert isinstance(created, Area) if process is installation else created is AreaNameTaken
        assert refused is AreaNameTaken


async def test_another_call_under_the_key_is_refused_in_any_batch(
    installation: Installation,
) -> None:
    other = keyed(CreateArea(name=Text("Annex")), "a")
    outcomes = await decide(installation, keyed(HALL, "a"), other)
    assert results(outcomes)[1] is IdempotencyKeyReused
    assert results(await decide(installation, other)) == [IdempotencyKeyReused]
    assert len(await installation.history()) == 2


async def test_a_refusal_is_not_stored_and_is_the_answer_to_all_of_its_batch(
    installation: Installation,
) -> None:
    fair = await installation.event(status="closed")
    register = keyed(visitor(fair, 1), "a")
    assert results(await decide(installation, register, register)) == [EventClosed] * 2
    await installation.give(ChangeEvent(event_id=fair, status="open"))
    first, second = results(await decide(installation, register, register))
    assert second == id_of(first)
    unkeyed = CommandRequest(visitor(fair, 1), ORIGIN)
    assert results(await decide(installation, register, unkeyed)) == [
        second,
        DuplicateRegistration,
    ]


async def test_what_led_to_no_event_is_decided_again(installation: Installation) -> None:
    fair = await installation.event()
    opened = keyed(ChangeEvent(event_id=fair, status="open"), "a")
    for outcome in await decide(installation, opened, opened):
        assert isinstance(outcome, Done)
        assert not outcome.stored
        assert outcome.replayed is None
    await installation.give(ChangeEvent(event_id=fair, status="closed"))
    (outcome,) = await decide(installation, opened)
    assert isinstance(outcome, Done)
    assert outcome.stored


async def test_an_answer_is_completed_in_the_transaction(installation: Installation) -> None:
    async def count(connection: AsyncConnection[Any], value: Area) -> Area:
        cursor = await connection.execute("SELECT count(*) FROM history_events")
        assert await cursor.fetchone() == (2,)
        return value

    (done,) = await decide(installation, keyed(HALL, once("a", complete=count)))
    (again,) = await decide(installation, keyed(HALL, once("a", complete=count)))
    assert isinstance(again, Done)
    assert again.replayed == id_of(done.or_raise().value)


async def test_if_an_answer_cannot_be_made_nothing_of_its_command_is_committed(
    installation: Installation,
) -> None:
    def broken(_: object) -> bytes:
        raise ZeroDivisionError

    async def incomplete(*_: object) -> None:
        raise ZeroDivisionError

    fails = Once(key=b"a" * 32, fingerprint=b"a" * 32, answer=broken)
    for asked in (fails, once("b", complete=incomplete)):
        outcomes = await decide(
            installation,
            keyed(an_event("Fair"), asked),
            CommandRequest(an_event("Congress"), ORIGIN),
        )
        assert results(outcomes)[0] is ZeroDivisionError
        assert isinstance(outcomes[1], Done)
    history = [e.event for e in await installation.history()]
    names = [event.name for event in history if isinstance(event, events.Created)]
    assert names == ["Congress", "Congress"]


async def test_an_erasure_deletes_the_answers_about_the_visitor(
    installation: Installation,
) -> None:
    fair = await installation.event()
    ada, grace = (a_registration(fair, f"{name}@example.com") for name in ("ada", "grace"))
    await decide(installation, keyed(ada, "a"), keyed(grace, "g"))
    id = installation.visitor(fair, "ada@example.com")
    await installation.give(EraseVisitor(visitor_id=id))
    rows = await installation.rows("idempotency_keys")
    assert [row["about"] for row in rows] == [str(installation.visitor(fair, "grace@example.com"))]


async def test_an_erasure_of_a_corrected_visitor_deletes_the_answer_that_showed_both_emails(
    installation: Installation,
) -> None:
    fair = await installation.event()
    (ada,) = await installation.register(fair, "ada@example.com")
    correct = CorrectVisitor(
        visitor_id=ada,
        full_name=a_registration(fair, "x@example.com").full_name,
        email=Email("countess@example.com"),
    )
    await decide(installation, keyed(correct, "a"))
    (row,) = await installation.rows("idempotency_keys")
    assert row["about"] == str(installation.visitor(fair, "countess@example.com"))


async def test_expired_answers_count_as_absent_and_are_deleted_in_turns(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "SWEEP_SIZE", 2)
    requests = [keyed(an_event(f"Fair {number}"), str(number)) for number in range(5)]
    await decide(installation, *requests)
    await installation.connection.execute(
        "UPDATE idempotency_keys SET expires_at = now() - interval '1 second'"
    )
    (again,) = await decide(installation, requests[0])
    assert isinstance(again, Done)
    assert again.replayed is None
    assert await delete_expired(installation.connection) == 4
    assert len(await installation.rows("idempotency_keys")) == 1
    assert await delete_expired(installation.connection) == 0


async def test_what_is_no_command_is_done_once_by_transactions_at_the_same_time(
    database_url: str, installation: Installation
) -> None:
    await installation.connection.execute("CREATE TABLE done (number int)")

    async def call() -> Done:
        async with await connect(database_url) as connection, connection.transaction():

            async def write() -> Done:
                await connection.execute("INSERT INTO done VALUES (1)")
                (hall,) = await installation.another().decider.execute(
                    connection, [CommandRequest(an_event(), ORIGIN)]
                )
                return hall.or_raise()

            return await done_once(connection, once("a"), write)

    done = await asyncio.gather(*(call() for _ in range(6)))
    assert sum(each.stored for each in done) == 1
    assert len({each.replayed for each in done}) == 2
    assert len(await installation.rows("done")) == 1


async def test_a_refused_transaction_stores_nothing(installation: Installation) -> None:
    async def write() -> Done | None:
        return None

    async with installation.connection.transaction():
        assert await done_once(installation.connection, once("a"), write) is None
    assert await installation.rows("idempotency_keys") == []


async def test_an_append_that_is_rolled_back_leaves_no_key(installation: Installation) -> None:
    async with installation.connection.transaction(force_rollback=True):
        await decide(installation, keyed(HALL, "a"))
    (done,) = await decide(installation, keyed(HALL, "a"))
    assert isinstance(done, Done)
    assert done.replayed is None


@pytest.mark.parametrize("seed", range(6))
async def test_each_key_has_one_effect_and_one_answer_in_any_mixture_of_batches(
    installation: Installation, seed: int
) -> None:
    """Three processes decide batches in which keys are repeated, between commands without a key
    that move the same streams."""
    chance = random.Random(seed)
    fairs = [await installation.event(f"Fair {number}") for number in range(3)]
    answers = defaultdict[str, set[tuple[bytes, int]]](set)
    new = defaultdict[str, int](int)

    def a_request() -> tuple[str, CommandRequest]:
        fair, number = chance.choice(fairs), chance.randrange(12)
        match chance.randrange(5):
            case 0:
                key = f"create {number}"
                return key, keyed(an_event(key), key)
            case 1:
                key = f"register {number}"
                return key, keyed(visitor(fairs[number % 3], number), key)
            case 2:
                key = f"register at {fair}, maybe closed: {number}"
                return key, keyed(visitor(fair, 100 + number), key)
            case 3:
                status: Any = chance.choice(["open", "closed"])
                change = ChangeEvent(event_id=chance.choice(fairs), status=status)
                return "", CommandRequest(change, ORIGIN)
            case _:
                return "", CommandRequest(visitor(fair, 200 + number), ORIGIN)

    async def process(rounds: int) -> None:
        me = installation.another()
        async with await connect(installation.database_url) as connection:
            for _ in range(rounds):
                batch = [a_request() for _ in range(chance.randint(1, 12))]
                outcomes = await me.decider.execute(connection, [request for _, request in batch])
                for (key, _), outcome in zip(batch, outcomes, strict=True):
                    if not key:
                        continue
                    if isinstance(outcome, CommandFailure):
                        assert isinstance(outcome.error, EventClosed), outcome.error
                        continue
                    new[key] += outcome.stored
                    answer = outcome.replayed or id_of(outcome.value)
                    answers[key].add((answer, outcome.position))

    await asyncio.gather(*(process(25) for _ in range(3)))
    assert dict.fromkeys(answers, 1) == new
    assert {len(each) for each in answers.values()} == {1}
    history = await installation.history()
    created = [e.event.name for e in history if isinstance(e.event, events.Created)]
    assert len(created) == len(set(created))
    registered = [e.originator_id for e in history if isinstance(e.event, visitors.Registered)]
    assert len(registered) == len(set(registered))
    positions = {e.position: str(e.originator_id).encode() for e in history}
    for ((answer, position),) in answers.values():
        assert positions[position] == answer
    rows = await installation.rows("idempotency_keys")
    assert {row["position"] for row in rows} == {p for ((_, p),) in answers.values()}


async def test_a_batch_whose_answers_are_lost_is_answered_by_another_process(
    installation: Installation,
) -> None:
    """As after kill -9 between the commit and the response."""
    fair = await installation.event()
    requests = [keyed(visitor(fair, number), str(number)) for number in range(20)]

    async def lose_the_connection() -> None:
        async with await connect(installation.database_url) as lost:
            deciding = asyncio.ensure_future(installation.another().decider.execute(lost, requests))
            await until_async(lambda: installation.rows("idempotency_keys"))
            deciding.cancel()
            await asyncio.gather(deciding, return_exceptions=True)

    await lose_the_connection()
    outcomes = await decide(installation, *requests)
    assert all(isinstance(outcome, Done) and outcome.replayed for outcome in outcomes)
    assert sum(isinstance(e.event, visitors.Registered) for e in await installation.history()) == 20
