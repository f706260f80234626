"""The commands `createsuperuser`, `grant`, `revoke` and `reset-password`: an operator manages
accounts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from getpass import getpass
from typing import TypeVar
from uuid import UUID, uuid4

from psycopg.errors import UndefinedTable

from api.http.connections import account_pool
from api.identity.credentials import Credential, Credentials, Pool
from api.identity.password_hasher import ARGON2ID
from api.identity.password_links import PasswordLink, PasswordLinks
from api.identity.passwords import Password
from domain.accounts import (
    ROLES,
    AccountDisabled,
    GrantRole,
    LastAdmin,
    MakePasswordLink,
    PasswordHash,
    RegisterAccount,
    RevokeRole,
    Role,
    UsernameTaken,
)
from domain.application import APPLICATION
from domain.core.values import Invalid, Line, Username
from domain.history.batch import Done, Origin
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys
from events_face.commands.announcement import reachable_url, up_address
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

T = TypeVar("T")

PASSWORD_VARIABLE = "EVENTS_FACE_PASSWORD"  # noqa: S105  the name of a variable


def createsuperuser(
    settings: Settings, services: Services, username: str, password: str | None
) -> None:
    """Create an account with every role; an existing account is not changed."""
    name = _parsed("username", Username.parse, username)

    exists_already = f"{name} exists already; nothing was changed"
    if _run(settings, services, lambda accounts: accounts.credentials.of(name)) is not None:
        _print_line(exists_already)
        return
    # The prompt is outside of the event loop, because Ctrl-C would not end it there.
    secret = _parsed("password", Password.parse, _password(password))

    async def create(accounts: _Accounts) -> str:
        password_hash = PasswordHash(ARGON2ID.hash(secret))
        try:
            await accounts.execute(
                RegisterAccount(username=name, password_hash=password_hash, roles=ROLES)
            )
        except UsernameTaken:
            return exists_already
        return f"created {name}, with every role"

    _print_line(_run(settings, services, create))


def grant(settings: Settings, services: Services, username: str, role: Role) -> None:
    _change_roles(settings, services, username, lambda id: GrantRole(account_id=id, role=role))


def revoke(
    settings: Settings, services: Services, username: str, role: Role, *, force: bool = False
) -> None:
    """Revoke a role; that of the last admin only with `force`."""
    _change_roles(
        settings,
        services,
        username,
        lambda id: RevokeRole(account_id=id, role=role, force=force),
    )


def reset_password(settings: Settings, services: Services, username: str) -> None:
    """Print a link where a new password is set; until then the present one works."""
    name = _parsed("username", Line.parse, username)

    async def make_link(accounts: _Accounts) -> Credential:
        credential = await accounts.named(name)
        try:
            await accounts.execute(MakePasswordLink(account_id=credential.account_id))
        except AccountDisabled:
            raise CommandFailed(
                f"{credential.username} is disabled: an admin has to enable it first"
            ) from None
        return await accounts.named(name)

    link = PasswordLink.to(_run(settings, services, make_link))
    _print_line(PasswordLinks(settings.secret_keys).address(_origin(settings), link))


def _origin(settings: Settings) -> str:
    """Where people reach this installation."""
    return (
        settings.public_url
        or up_address(settings.data_dir)
        or reachable_url(settings.app_host, settings.app_port)
    )


def _change_roles(
    settings: Settings,
    services: Services,
    username: str,
    change: Callable[[UUID], GrantRole | RevokeRole],
) -> None:
    name = _parsed("username", Line.parse, username)

    async def change_them(accounts: _Accounts) -> str:
        credential = await accounts.named(name)
        try:
            done = await accounts.execute(change(credential.account_id))
        except LastAdmin:
            raise CommandFailed(
                f"{credential.username} is the last admin: make another account an admin first, "
                "or add --force"
            ) from None
        return f"{credential.username}: {', '.join(done.value.roles) or 'no role'}"

    _print_line(_run(settings, services, change_them))


class _Accounts:
    """Reads their credentials, and executes an operator's commands."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self.credentials = Credentials(pool, keys)
        self._pool = pool
        self._decider = Decider(keys, APPLICATION)

    async def named(self, username: Line) -> Credential:
        credential = await self.credentials.of(username)
        if credential is None:
            raise CommandFailed(f"there is no account {username}")
        return credential

    async def execute(
        self, command: GrantRole | MakePasswordLink | RegisterAccount | RevokeRole
    ) -> Done:
        origin = Origin(actor="system:cli", correlation_id=str(uuid4()))
        async with self._pool.connection() as connection:
            return await self._decider.execute_one(connection, command, origin)


def _run(settings: Settings, services: Services, use: Callable[[_Accounts], Awaitable[T]]) -> T:
    keys = installation_keys(settings, services.database_url)

    async def run() -> T:
        async with account_pool(services.database_url) as pool:
            return await use(_Accounts(pool, keys))

    try:
        return asyncio.run(run())
    except UndefinedTable:
        raise CommandFailed(
            "the database is of an older release: run `events-face migrate`"
        ) from None


def _password(given: str | None) -> str:
    found = given or os.environ.get(PASSWORD_VARIABLE)
    if found:
        return found
    if not sys.stdin.isatty():
        raise CommandFailed(f"a password is needed: give --password, or set {PASSWORD_VARIABLE}")
    try:
        password, again = getpass("Password: "), getpass("Password again: ")
    except EOFError:
        raise CommandFailed("no password was entered") from None
    if again != password:
        raise CommandFailed("the passwords differ")
    return password


def _parsed(what: str, parse: Callable[[object], T], text: str) -> T:
    try:
        return parse(text)
    except Invalid as error:
        raise CommandFailed(f"the {what} {error}") from None


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
