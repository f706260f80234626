"""Rows that are written with the append: with their events or not at all, whatever fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection

from domain import areas
from domain.accounts import (
    ChangePassword,
    DisableAccount,
    GrantRole,
    LastAdmin,
    PasswordHash,
    RegisterAccount,
)
from domain.application import APPLICATION
from domain.areas import CreateArea, RenameArea
from domain.core.commands import Application, InlineProjection
from domain.core.errors import NotFound
from domain.core.ids import Identity
from domain.core.values import Email, Text, Username
from domain.credentials import CredentialsNotWritten, PasswordReplaced
from domain.departures import EraseVisitor
from domain.history.batch import CommandFailure, Done, OutcomeUnknown
from domain.history.store import connect, open_all
from domain.visitors import Registered
from tests.support.installation import ORIGIN, Installation, an_account, visitor

pytestmark = pytest.mark.anyio


def with_inline(command: type[Any], inline: InlineProjection[Any]) -> Application:
    row = msgspec.structs.replace(APPLICATION.commands[command], inline=inline)
    return msgspec.structs.replace(
        APPLICATION, commands=dict(APPLICATION.commands) | {command: row}
    )


def errors(outcomes: Sequence[Done | CommandFailure]) -> list[type[Exception] | None]:
    return [type(o.error) if isinstance(o, CommandFailure) else None for o in outcomes]


async def names(installation: Installation) -> list[str]:
    """That areas were created with, or renamed to."""
    events = [e.event for e in await installation.history()]
    return [e.name for e in events if isinstance(e, areas.Created | areas.Renamed)]


@pytest.mark.parametrize("broken", [False, True])
async def test_rows_of_an_inline_projection_are_committed_with_the_events_or_neither(
    installation: Installation, broken: bool
) -> None:
    async def write(connection: AsyncConnection[Any], command: CreateArea, work: Any) -> None:
        id = work.recorded[-1].originator_id
        await connection.execute("INSERT INTO area_notes VALUES (%s, %s)", [id, command.name])
        if broken:
            raise ZeroDivisionError

    await installation.connection.execute("CREATE TABLE area_notes (id uuid, note text)")
    installation = installation.another(with_inline(CreateArea, write))
    outcomes = await installation.decide(CreateArea(name=Text("Hall")))
    assert errors(outcomes) == [ZeroDivisionError if broken else None]
    cursor = await installation.connection.execute("SELECT note FROM area_notes")
    notes = [note for (note,) in await cursor.fetchall()]
    assert notes == ([] if broken else ["Hall"])
    assert len(await installation.history()) == (0 if broken else 2)


async def refuse_eve(installation: Installation) -> None:
    await installation.connection.execute("ALTER TABLE credentials ADD CHECK (username <> 'Eve')")


async def test_a_row_that_is_refused_affects_no_other_command_of_the_batch(
    installation: Installation,
) -> None:
    async with installation.writer() as writer:
        await refuse_eve(installation)
        await installation.give(an_account("ada"))
        outcomes = await installation.another().decide(
            CreateArea(name=Text("Hall")),
            an_account("Eve"),
            CreateArea(name=Text("Annex")),
            an_account("Bob"),
        )
        assert errors(outcomes) == [None, CredentialsNotWritten, None, None]
        with pytest.raises(CredentialsNotWritten):
            await writer.execute(an_account("Eve"), ORIGIN)
        assert (await writer.execute(an_account("Grace"), ORIGIN)).value.username == "Grace"
        assert await names(installation) == ["Hall", "Annex"]
        credentials = await installation.rows("credentials")
        assert {row["username"] for row in credentials} == {"Bob", "Grace", "ada"}
        topics = [e.event.topic for e in await installation.history()]
        assert topics.count("Account.Registered") == 3


async def test_commands_that_depend_on_one_with_a_refused_row_are_decided_without_it(
    installation: Installation,
) -> None:
    await refuse_eve(installation)
    id = Identity(installation.keys.identity).account(Username("Eve"))
    outcomes = await installation.decide(an_account("Eve"), GrantRole(account_id=id, role="admin"))
    assert errors(outcomes) == [CredentialsNotWritten, NotFound]
    assert await installation.history() == []


async def test_a_decider_does_not_cache_events_with_failed_rows(
    installation: Installation,
) -> None:
    """It decides the first batch on what it knows, without asking history."""
    broken = True

    async def write(connection: AsyncConnection[Any], command: RenameArea, work: Any) -> None:
        if broken and command.name == "Broken":
            raise ZeroDivisionError

    installation = installation.another(with_inline(RenameArea, write))
    hall, annex = [await installation.area(name) for name in ("Hall", "Annex")]
    await installation.rename(hall, "Great Hall")
    outcomes = await installation.decide(
        RenameArea(area_id=hall, name=Text("Broken")),
        RenameArea(area_id=annex, name=Text("New Annex")),
    )
    assert errors(outcomes) == [ZeroDivisionError, None]
    broken = False
    (renamed,) = await installation.give(
        RenameArea(area_id=hall, name=Text("Broken"), expected_version=2)
    )
    assert renamed.version == 3
    assert await names(installation) == ["Hall", "Annex", "Great Hall", "New Annex", "Broken"]


async def test_a_decider_caches_nothing_of_a_transaction_that_was_rolled_back(
    installation: Installation,
) -> None:
    """Neither of events, nor of whose a visitor's stream was in it."""

    async def register(email: str) -> UUID:
        (id,) = await installation.register(fair, Email.parse(email))
        return id

    fair = await installation.event()
    async with installation.connection.transaction(force_rollback=True):
        shared, other = await register("a@fass.de"), await register("a@faß.de")
        assert shared != other
    assert await register("a@faß.de") == shared
    assert await register("a@fass.de") not in {shared, other}
    registered = [e for e in await installation.history() if isinstance(e.event, Registered)]
    assert [e.originator_version for e in registered] == [1, 1]


async def test_a_row_that_is_refused_leaves_the_transaction_around_it_usable(
    installation: Installation,
) -> None:
    await refuse_eve(installation)
    async with installation.connection.transaction():
        outcomes = await installation.decide(an_account("Eve"), an_account("Ada"))
    assert errors(outcomes) == [CredentialsNotWritten, None]
    cursor = await installation.connection.execute("SELECT username FROM credentials")
    assert await cursor.fetchall() == [("Ada",)]


async def test_a_connection_that_is_lost_while_rows_are_written_leaves_nothing(
    installation: Installation,
) -> None:
    async def lose(connection: AsyncConnection[Any], command: CreateArea, work: Any) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    process = msgspec.structs.replace(
        installation.another(with_inline(CreateArea, lose)),
        connection=await connect(installation.database_url),
    )
    with pytest.raises(OutcomeUnknown):
        await process.decide(CreateArea(name=Text("Hall")))
    assert await installation.history() == []


async def test_a_look_up_that_fails_affects_no_other_command_of_the_batch(
    installation: Installation,
) -> None:
    async def look_up(connection: AsyncConnection[Any], command: DisableAccount) -> DisableAccount:
        await connection.execute("SELECT 1 / 0")
        return command

    row = msgspec.structs.replace(APPLICATION.commands[DisableAccount], completed_by=look_up)
    commands = dict(APPLICATION.commands) | {DisableAccount: row}
    application = msgspec.structs.replace(APPLICATION, commands=commands)
    async with installation.connection.transaction():
        installation = installation.another(application)
        (ada,) = await installation.give(an_account("ada"))
        outcomes = await installation.decide(
            DisableAccount(account_id=ada.id), CreateArea(name=Text("Hall"))
        )
        assert errors(outcomes) == [psycopg.errors.DivisionByZero, None]


async def test_rows_follow_the_order_of_the_batch(installation: Installation) -> None:
    id = Identity(installation.keys.identity).account(Username("Ada"))
    await installation.decide(
        an_account("Ada", "auditor"),
        GrantRole(account_id=id, role="admin"),
        ChangePassword(account_id=id, password_hash=PasswordHash("the last")),
    )
    cursor = await installation.connection.execute(
        "SELECT roles, password_hash, password_version FROM credentials"
    )
    assert await cursor.fetchall() == [(["auditor", "admin"], "the last", 4)]


async def test_a_password_replaces_only_the_one_that_was_verified(
    installation: Installation,
) -> None:
    (ada,) = await installation.give(an_account("ada"))

    def change(text: str) -> ChangePassword:
        hashed = PasswordHash(text)
        return ChangePassword(account_id=ada.id, password_hash=hashed, replaces=ada.version)

    outcomes = await installation.decide(change("first"), change("second"))
    assert errors(outcomes) == [None, PasswordReplaced]
    cursor = await installation.connection.execute(
        "SELECT password_hash, password_version FROM credentials"
    )
    assert await cursor.fetchall() == [("first", ada.version + 1)]


async def test_a_locked_row_refuses_its_command_and_lets_the_others_go_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.history.deciding.ROW_LOCK_TIMEOUT", "50ms")
    (ada,) = await installation.give(an_account("ada"))
    grant = GrantRole(account_id=ada.id, role="admin")
    async with await connect(installation.database_url) as other, other.transaction():
        await other.execute("SELECT FROM credentials FOR UPDATE")
        outcomes = await installation.decide(grant, CreateArea(name=Text("Hall")))
    assert errors(outcomes) == [psycopg.errors.LockNotAvailable, None]
    await installation.give(grant)
    cursor = await installation.connection.execute("SELECT roles FROM credentials")
    assert await cursor.fetchall() == [(["admin"],)]


async def test_of_two_admins_removed_in_one_batch_one_stays(installation: Installation) -> None:
    admins = await installation.give(an_account("ada", "admin"), an_account("bob", "admin"))
    outcomes = await installation.decide(*(DisableAccount(account_id=a.id) for a in admins))
    assert errors(outcomes) == [None, LastAdmin]


async def test_a_person_who_registers_in_the_batch_that_erases_them_stays_readable(
    installation: Installation,
) -> None:
    fair = await installation.event()
    (ada,) = await installation.give(visitor(fair, 1))
    await installation.decide(EraseVisitor(visitor_id=ada.id), visitor(fair, 1))
    events = await installation.history()
    people = [
        e.event.person is not None
        for e in await open_all(installation.connection, events, installation.keys)
        if isinstance(e.event, Registered)
    ]
    assert people == [False, True]


async def test_a_password_hash_is_shown_nowhere(installation: Installation) -> None:
    """Not even by the error of a row that PostgreSQL shows in its message."""
    command = RegisterAccount(username=Username("Eve"), password_hash=PasswordHash("$argon2id$x"))
    shown = [repr(command), str(command), f"{command.password_hash}"]
    with suppress(TypeError):
        shown.append(str(msgspec.json.encode(command)))
    await refuse_eve(installation)
    with pytest.raises(CredentialsNotWritten, match="check constraint") as refused:
        await installation.give(command)
    await installation.connection.execute(
        "ALTER TABLE credentials DROP CONSTRAINT credentials_username_check"
    )
    await installation.give(command)
    cursor = await installation.connection.execute(
        "SELECT convert_from(state, 'UTF8') FROM history_events"
    )
    shown += [state for (state,) in await cursor.fetchall()]
    shown += [str(refused.value), repr(refused.value)]
    assert not [text for text in shown if "argon2id" in text]
