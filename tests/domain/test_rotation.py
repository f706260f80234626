"""A new data key while the system runs, and a new SECRET_KEY."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import Connection

from domain.feed.reading import read_feed
from domain.feed.visitor_data import VisitorRegisteredData
from domain.history.store import create_keys, load_keys, open_all, read_events
from domain.privacy import key_rotation
from domain.privacy.encryption import CannotOpen
from domain.privacy.key_rotation import RotationUnderWay, StillInUse, rotate
from domain.privacy.keys import InstallationKeys, UnknownGeneration
from domain.visitors import Registered
from projections.people import people_at
from runtime.settings import Settings
from tests.support.installation import Installation, installation_on
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


def unreported(done: int, total: int) -> None:
    pass


class Interrupted(Exception):
    pass


def operator(installation: Installation) -> Connection[tuple[object, ...]]:
    return psycopg.connect(installation.database_url, autocommit=True)


def rotate_now(installation: Installation, settings: Settings) -> int:
    with operator(installation) as connection:
        return rotate(connection, settings.secret_keys, unreported)


def known(installation: Installation, settings: Settings) -> InstallationKeys:
    """The keys as a process that starts now loads them."""
    with operator(installation) as connection:
        return load_keys(connection, settings.secret_keys)


async def emails(installation: Installation, keys: InstallationKeys) -> list[str | None]:
    """The people of all registrations that these keys can decrypt."""
    events = await read_events(installation.connection, after=0, limit=100_000)
    opened = await open_all(installation.connection, events, keys)
    people = [e.event.person for e in opened if isinstance(e.event, Registered)]
    return [person.email if person else None for person in people]


async def marks(installation: Installation) -> dict[bytes, int]:
    """How many keys are of which generation."""
    cursor = await installation.connection.execute(
        "SELECT substr(wrapped, 61), count(*) FROM personal_keys GROUP BY 1"
    )
    return dict(await cursor.fetchall())


async def test_history_stays_as_it_is_and_only_the_new_key_opens_it(
    installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 2)
    people = [f"visitor{number}@example.org" for number in range(5)]
    await installation.register(await installation.event(), *people)
    history = "SELECT array_agg(h ORDER BY notification_id)::text FROM history_events h"
    before = await (await installation.connection.execute(history)).fetchone()
    first = known(installation, settings)

    for generation in (b"\0\1", b"\0\2"):
        assert rotate_now(installation, settings) == len(people)
        assert await marks(installation) == {generation: len(people)}
        latest = known(installation, settings)
        assert latest.data.keys() == {generation}
        assert latest.identity == first.identity
        assert await emails(installation, latest) == people
    assert await (await installation.connection.execute(history)).fetchone() == before

    stolen = InstallationKeys(identity=first.identity, data=first.data)
    with pytest.raises(CannotOpen):
        await emails(installation, stolen)


async def test_a_process_with_the_old_key_loads_the_new_one_when_it_reads(
    installation: Installation, settings: Settings
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    rotate_now(installation, settings)
    assert await emails(installation, installation.keys) == ["ada@example.org"]


async def test_a_follower_of_the_feed_reads_names_across_a_rotation(
    installation: Installation, settings: Settings
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    rotate_now(installation, settings)
    page = await read_feed(
        installation.connection, installation.keys, after=0, limit=9, personal=True
    )
    (data,) = [i.data for i in page.items if isinstance(i.data, VisitorRegisteredData)]
    assert data.email == "ada@example.org"


async def test_a_process_with_the_old_key_loads_the_new_one_when_it_appends(
    installation: Installation, settings: Settings
) -> None:
    event = await installation.event()
    rotate_now(installation, settings)
    await installation.register(event, "ada@example.org")
    assert await marks(installation) == {b"\0\1": 1}
    assert await emails(installation, known(installation, settings)) == ["ada@example.org"]


async def test_projections_go_on_across_a_rotation(
    installation: Installation, settings: Settings
) -> None:
    event = await installation.event()
    await installation.register(event, "ada@example.org")
    rotate_now(installation, settings)
    await installation.register(event, "bob@example.org")
    await installation.project()
    positions = [row["position"] for row in await installation.rows("visitors")]
    people = await people_at(installation.connection, installation.keys, positions)
    assert {person.email for person in people.values()} == {"ada@example.org", "bob@example.org"}


async def test_registrations_go_on_while_keys_are_rotated_and_none_is_lost(
    installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 10)
    event = await installation.event()
    people = [f"visitor{number}@example.org" for number in range(600)]
    await installation.register(event, *people[:100])

    async def register(some: list[str]) -> None:
        keys = known(installation, settings)
        async with installation_on(installation.database_url, keys) as process:
            for email in some:
                await process.register(event, email)

    async def rotate_over_and_over() -> None:
        while not registering.done():
            await asyncio.to_thread(rotate_now, installation, settings)

    registering = asyncio.gather(register(people[100:350]), register(people[350:]))
    await asyncio.gather(registering, rotate_over_and_over())
    rotate_now(installation, settings)
    latest = known(installation, settings)
    assert await marks(installation) == {latest.mark: len(people)}
    assert latest.mark > b"\0\2"
    assert sorted(filter(None, await emails(installation, latest))) == sorted(people)


async def test_a_rotation_waits_for_appends_with_the_old_key(
    installation: Installation, settings: Settings
) -> None:
    event = await installation.event()
    async with installation.connection.transaction():
        await installation.register(event, "ada@example.org")
        rotating = asyncio.create_task(asyncio.to_thread(rotate_now, installation, settings))
        await until_async(lambda: somebody_waits(installation))
    assert await rotating == 1
    assert await emails(installation, known(installation, settings)) == ["ada@example.org"]


async def somebody_waits(installation: Installation) -> bool:
    cursor = await installation.connection.execute(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
    )
    return await cursor.fetchone() == (True,)


async def test_an_interrupted_rotation_can_be_continued(
    installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 2)
    event = await installation.event()
    people = [f"visitor{number}@example.org" for number in range(5)]
    await installation.register(event, *people)

    def interrupt(done: int, total: int) -> None:
        raise Interrupted

    with operator(installation) as connection, pytest.raises(Interrupted):
        rotate(connection, settings.secret_keys, interrupt)
    assert await marks(installation) == {b"": 3, b"\0\1": 2}
    assert await emails(installation, known(installation, settings)) == people
    await installation.register(event, "late@example.org")

    assert rotate_now(installation, settings) == 3
    assert await marks(installation) == {b"\0\1": 6}
    assert known(installation, settings).data.keys() == {b"\0\1"}


async def test_an_old_key_is_kept_while_anything_is_wrapped_by_it(
    installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    monkeypatch.setattr(key_rotation, "_wrap_again", lambda *_: 0)
    with pytest.raises(StillInUse):
        rotate_now(installation, settings)
    assert await emails(installation, known(installation, settings)) == ["ada@example.org"]


async def test_one_rotation_at_a_time(installation: Installation, settings: Settings) -> None:
    await installation.connection.execute("SELECT pg_advisory_lock(hashtext('rotate_keys'))")
    with pytest.raises(RotationUnderWay):
        rotate_now(installation, settings)


async def test_an_unknown_key_generation_is_distinguished_from_a_wrong_key(
    installation: Installation,
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    await installation.connection.execute("UPDATE personal_keys SET wrapped = wrapped || '??'")
    with pytest.raises(UnknownGeneration):
        await emails(installation, installation.keys)


async def test_contradictory_keys_make_an_append_fail_instead_of_retrying_forever(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.connection.execute(r"UPDATE installation_keys SET mark = '\x99'")
    with pytest.raises(CannotOpen):
        await installation.register(event, "ada@example.org")


@pytest.mark.parametrize("through_rotation", [False, True])
async def test_a_new_secret_key_takes_over_and_the_old_one_may_be_dropped(
    installation: Installation, settings: Settings, *, through_rotation: bool
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    old, new = settings.secret_keys[0], "a-secret-key-that-is-new-" * 2
    with operator(installation) as connection:
        with pytest.raises(CannotOpen):
            create_keys(connection, (new,))
        if through_rotation:
            rotate(connection, (new, old), unreported)
        else:
            create_keys(connection, (new, old))
        keys = load_keys(connection, (new,))
        with pytest.raises(CannotOpen):
            load_keys(connection, (old,))
        create_keys(connection, (new,))
        assert load_keys(connection, (new,)) == keys
    assert await emails(installation, keys) == ["ada@example.org"]
