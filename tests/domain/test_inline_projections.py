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
from domain.core.values import Email, FullName, Text, Username
from domain.credentials import CredentialsNotWritten, PasswordReplaced
from domain.departures import EraseVisitor
from domain.history.batch import CommandFailure, CommandRequest, Done, OutcomeUnknown
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, open_all, read_events
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from domain.visitors import Registered
from tests.domain.writing import ORIGIN, a_fair, history, visitor
from tests.support.installation import an_account

pytestmark = pytest.mark.anyio

Outcomes = Sequence[Done | CommandFailure]


def with_inline(command: type[Any], inline: InlineProjection[Any]) -> Application:
    row = msgspec.structs.replace(APPLICATION.commands[command], inline=inline)
    return msgspec.structs.replace(
        APPLICATION, commands=dict(APPLICATION.commands) | {command: row}
    )


async def give(decider: Decider, connection: AsyncConnection[Any], *commands: object) -> Outcomes:
    return await decider.execute(connection, [CommandRequest(c, ORIGIN) for c in commands])


def errors(outcomes: Outcomes) -> list[type[Exception] | None]:
    return [type(o.error) if isinstance(o, CommandFailure) else None for o in outcomes]


async def names(connection: AsyncConnection[Any]) -> list[str]:
    """That areas were created with, or renamed to."""
    events = [e.event for e in await read_events(connection, after=0, limit=100)]
    return [e.name for e in events if isinstance(e, areas.Created | areas.Renamed)]


@pytest.mark.parametrize("broken", [False, True])
async def test_rows_of_an_inline_projection_are_committed_with_the_events_or_neither(
    database_url: str, keys: InstallationKeys, broken: bool
) -> None:
    async def write(connection: AsyncConnection[Any], command: CreateArea, work: Any) -> None:
        id = work.recorded[-1].originator_id
        await connection.execute("INSERT INTO area_notes VALUES (%s, %s)", [id, command.name])
        if broken:
            raise ZeroDivisionError

    async with await connect(database_url) as connection:
        await connection.execute("CREATE TABLE area_notes (id uuid, note text)")
        decider = Decider(keys, with_inline(CreateArea, write))
        outcomes = await give(decider, connection, CreateArea(name=Text("Hall")))
        assert errors(outcomes) == [ZeroDivisionError if broken else None]
        cursor = await connection.execute("SELECT note FROM area_notes")
        notes = [note for (note,) in await cursor.fetchall()]
    assert notes == ([] if broken else ["Hall"])
    assert len(await history(database_url)) == (0 if broken else 2)


async def refuse_eve(connection: AsyncConnection[Any]) -> None:
    await connection.execute("ALTER TABLE credentials ADD CHECK (username <> 'Eve')")


async def test_a_row_that_is_refused_affects_no_other_command_of_the_batch(
    database_url: str, keys: InstallationKeys
) -> None:
    async with (
        await connect(database_url) as connection,
        Writer(database_url, Decider(keys, APPLICATION)) as writer,
    ):
        await refuse_eve(connection)
        eve = (await give(Decider(keys, APPLICATION), connection, an_account("ada")))[0]
        assert isinstance(eve, Done)
        decider = Decider(keys, APPLICATION)
        outcomes = await give(
            decider,
            connection,
            CreateArea(name=Text("Hall")),
            an_account("Eve"),
            CreateArea(name=Text("Annex")),
            an_account("Bob"),
        )
        assert errors(outcomes) == [None, CredentialsNotWritten, None, None]
        with pytest.raises(CredentialsNotWritten):
            await writer.execute(an_account("Eve"), ORIGIN)
        assert (await writer.execute(an_account("Grace"), ORIGIN)).value.username == "Grace"
        assert await names(connection) == ["Hall", "Annex"]
        cursor = await connection.execute("SELECT username FROM credentials ORDER BY 1")
        assert await cursor.fetchall() == [("Bob",), ("Grace",), ("ada",)]
        topics = [e.event.topic for e in await history(database_url)]
        assert topics.count("Account.Registered") == 3


async def test_what_rests_on_a_command_whose_row_is_refused_is_decided_without_it(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        await refuse_eve(connection)
        decider = Decider(keys, APPLICATION)
        (eve,) = [Username("Eve")]
        id = decider._identity.account(eve)
        outcomes = await give(
            decider, connection, an_account("Eve"), GrantRole(account_id=id, role="admin")
        )
    assert errors(outcomes) == [CredentialsNotWritten, NotFound]
    assert await history(database_url) == []


async def test_a_decider_knows_nothing_of_events_whose_rows_failed(
    database_url: str, keys: InstallationKeys
) -> None:
    """It decides the first batch on what it knows, without asking history."""
    broken = True

    async def write(connection: AsyncConnection[Any], command: RenameArea, work: Any) -> None:
        if broken and command.name == "Broken":
            raise ZeroDivisionError

    async with await connect(database_url) as connection:
        decider = Decider(keys, with_inline(RenameArea, write))
        hall, annex = [
            (await give(decider, connection, CreateArea(name=Text(name))))[0].or_raise().value.id
            for name in ("Hall", "Annex")
        ]
        await give(decider, connection, RenameArea(area_id=hall, name=Text("Great Hall")))
        outcomes = await give(
            decider,
            connection,
            RenameArea(area_id=hall, name=Text("Broken")),
            RenameArea(area_id=annex, name=Text("New Annex")),
        )
        assert errors(outcomes) == [ZeroDivisionError, None]
        broken = False
        (renamed,) = await give(
            decider, connection, RenameArea(area_id=hall, name=Text("Broken"), expected_version=2)
        )
        assert renamed.or_raise().value.version == 3
        assert await names(connection) == ["Hall", "Annex", "Great Hall", "New Annex", "Broken"]


async def test_a_decider_knows_nothing_of_a_transaction_that_was_rolled_back(
    database_url: str, keys: InstallationKeys
) -> None:
    """Neither of events, nor of whose a visitor's stream was in it."""

    async def register(email: str) -> UUID:
        command = RegisterVisitor(
            event_id=fair, full_name=FullName("Ada"), email=Email.parse(email)
        )
        id: UUID = (await decider.execute_one(connection, command, ORIGIN)).value.id
        return id

    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        fair = (await decider.execute_one(connection, a_fair(), ORIGIN)).value.event.id
        async with connection.transaction(force_rollback=True):
            shared, other = await register("a@fass.de"), await register("a@faß.de")
            assert shared != other
        assert await register("a@faß.de") == shared
        assert await register("a@fass.de") not in {shared, other}
    registered = [e for e in await history(database_url) if isinstance(e.event, Registered)]
    assert [e.originator_version for e in registered] == [1, 1]


async def test_a_row_that_is_refused_leaves_the_transaction_around_it_usable(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        await refuse_eve(connection)
        async with connection.transaction():
            outcomes = await give(
                Decider(keys, APPLICATION), connection, an_account("Eve"), an_account("Ada")
            )
        assert errors(outcomes) == [CredentialsNotWritten, None]
        cursor = await connection.execute("SELECT username FROM credentials")
        assert await cursor.fetchall() == [("Ada",)]


async def test_a_connection_that_is_lost_while_rows_are_written_leaves_nothing(
    database_url: str, keys: InstallationKeys
) -> None:
    async def lose(connection: AsyncConnection[Any], command: CreateArea, work: Any) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    connection = await connect(database_url)
    decider = Decider(keys, with_inline(CreateArea, lose))
    with pytest.raises(OutcomeUnknown):
        await give(decider, connection, CreateArea(name=Text("Hall")))
    assert await history(database_url) == []


async def test_a_look_up_that_fails_affects_no_other_command_of_the_batch(
    database_url: str, keys: InstallationKeys
) -> None:
    async def look_up(connection: AsyncConnection[Any], command: DisableAccount) -> DisableAccount:
        await connection.execute("SELECT 1 / 0")
        return command

    row = msgspec.structs.replace(APPLICATION.commands[DisableAccount], completed_by=look_up)
    commands = dict(APPLICATION.commands) | {DisableAccount: row}
    application = msgspec.structs.replace(APPLICATION, commands=commands)
    async with await connect(database_url) as connection, connection.transaction():
        decider = Decider(keys, application)
        ada = (await decider.execute_one(connection, an_account("ada"), ORIGIN)).value
        outcomes = await give(
            decider, connection, DisableAccount(account_id=ada.id), CreateArea(name=Text("Hall"))
        )
        assert errors(outcomes) == [psycopg.errors.DivisionByZero, None]


async def test_rows_follow_the_order_of_the_batch(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        id = decider._identity.account(Username("Ada"))
        await give(
            decider,
            connection,
            an_account("Ada", "auditor"),
            GrantRole(account_id=id, role="admin"),
            ChangePassword(account_id=id, password_hash=PasswordHash("the last")),
        )
        cursor = await connection.execute(
            "SELECT roles, password_hash, password_version FROM credentials"
        )
        assert await cursor.fetchall() == [(["auditor", "admin"], "the last", 4)]


async def test_a_password_replaces_only_the_one_that_was_verified(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        ada = (await decider.execute_one(connection, an_account("ada"), ORIGIN)).value

        def change(text: str) -> ChangePassword:
            hashed = PasswordHash(text)
            return ChangePassword(account_id=ada.id, password_hash=hashed, replaces=ada.version)

        outcomes = await give(decider, connection, change("first"), change("second"))
        assert errors(outcomes) == [None, PasswordReplaced]
        cursor = await connection.execute("SELECT password_hash, password_version FROM credentials")
        assert await cursor.fetchall() == [("first", ada.version + 1)]


async def test_a_locked_row_refuses_its_command_and_lets_the_others_go_on(
    database_url: str, keys: InstallationKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.history.decider.ROW_LOCK_TIMEOUT", "50ms")
    async with await connect(database_url) as connection, await connect(database_url) as other:
        decider = Decider(keys, APPLICATION)
        ada = (await decider.execute_one(connection, an_account("ada"), ORIGIN)).value
        async with other.transaction():
            await other.execute("SELECT FROM credentials FOR UPDATE")
            outcomes = await give(
                decider,
                connection,
                GrantRole(account_id=ada.id, role="admin"),
                CreateArea(name=Text("Hall")),
            )
        assert errors(outcomes) == [psycopg.errors.LockNotAvailable, None]
        await decider.execute_one(connection, GrantRole(account_id=ada.id, role="admin"), ORIGIN)
        cursor = await connection.execute("SELECT roles FROM credentials")
        assert await cursor.fetchall() == [(["admin"],)]


async def test_of_two_admins_given_up_in_one_batch_one_stays(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        ids = [
            (await decider.execute_one(connection, an_account(name, "admin"), ORIGIN)).value.id
            for name in ("ada", "bob")
        ]
        outcomes = await give(decider, connection, *(DisableAccount(account_id=id) for id in ids))
        assert errors(outcomes) == [None, LastAdmin]


async def test_who_registers_in_the_batch_that_erases_them_stays_readable(
    database_url: str, keys: InstallationKeys
) -> None:
    async with await connect(database_url) as connection:
        decider = Decider(keys, APPLICATION)
        fair = (await decider.execute_one(connection, a_fair(), ORIGIN)).value.event.id
        ada = (await decider.execute_one(connection, visitor(fair, 1), ORIGIN)).value.id
        await give(decider, connection, EraseVisitor(visitor_id=ada), visitor(fair, 1))
        events = await read_events(connection, after=0, limit=100)
        people = [
            e.event.person is not None
            for e in await open_all(connection, events, keys)
            if isinstance(e.event, Registered)
        ]
    assert people == [False, True]


async def test_a_password_hash_is_shown_nowhere(database_url: str, keys: InstallationKeys) -> None:
    """Not even by the error of a row that PostgreSQL shows in its message."""
    command = RegisterAccount(username=Username("Eve"), password_hash=PasswordHash("$argon2id$x"))
    shown = [repr(command), str(command), f"{command.password_hash}"]
    with suppress(TypeError):
        shown.append(str(msgspec.json.encode(command)))
    async with await connect(database_url) as connection:
        await refuse_eve(connection)
        decider = Decider(keys, APPLICATION)
        with pytest.raises(CredentialsNotWritten, match="check constraint") as refused:
            await decider.execute_one(connection, command, ORIGIN)
        await connection.execute(
            "ALTER TABLE credentials DROP CONSTRAINT credentials_username_check"
        )
        await decider.execute_one(connection, command, ORIGIN)
        cursor = await connection.execute("SELECT convert_from(state, 'UTF8') FROM history_events")
        shown += [state for (state,) in await cursor.fetchall()]
    shown += [str(refused.value), repr(refused.value)]
    assert not [text for text in shown if "argon2id" in text]
