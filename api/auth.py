"""`/api/auth`: register an account, sign in, refresh tokens, sign out, change the password."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import JSONBody
from psycopg import AsyncConnection

from api.http.access import Who
from api.http.authentication import authenticated, password_changed
from api.http.dispatch import answered, answered_once
from api.http.examples import ACCOUNT_ID, example
from api.http.requests import Request
from api.http.responses import Answer, created, json_response, no_content, not_stored
from api.identity.credentials import InvalidCredentials, read_credential
from api.identity.passwords import Password, Secret
from api.identity.sessions import TokenPair
from api.identity.tokens import TokenInvalid
from domain.accounts import Account, PasswordHash, RegisterAccount, Role, UsernameTaken
from domain.core.errors import ProblemError
from domain.core.values import Line, Username
from domain.history.batch import Done
from domain.history.idempotency import Once

_PASSWORD, _NEXT_PASSWORD = "see you at the fair", "until the next fair"
_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."  # noqa: S105  in examples only

example(access_token=_TOKEN, refresh_token=_TOKEN)(TokenPair)


@example(username="ada", password=_PASSWORD)
class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    username: Username
    password: Password


@example(username="ada", password=_PASSWORD)
class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Any text is accepted: one that cannot be a username or password is simply wrong."""

    username: Line
    password: Secret


@example(refresh=_TOKEN)
class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    refresh: Secret


@example(current=_PASSWORD, password=_NEXT_PASSWORD)
class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    current: Secret
    password: Password


@example(id=ACCOUNT_ID, username="ada")
class RegisteredAccount(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    username: str


class NewSession(NamedTuple):
    account: Account
    pair: TokenPair | None


@example(id=ACCOUNT_ID, username="ada", roles=["organizer"])
class Me(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    username: str
    roles: tuple[Role, ...]


class AccountRegistrationClosed(ProblemError):
    """Accounts are made by invitation here: ask an admin for a link"""

    status = 403


class AuthCalls(Controller):
    path = "/api/auth"
    tags = ("auth",)

    @post(
        "/register",
        summary="Register an account",
        opt={
            "access": Who.ANYONE,
            "limit": "accounts",
            "problems": [UsernameTaken, AccountRegistrationClosed],
        },
    )
    async def register_account(
        self, request: Request, data: JSONBody[NewAccount]
    ) -> Response[Answer[RegisteredAccount]]:
        """Usernames are unique regardless of case. A new account has no roles and is signed in:
        `meta` holds its tokens. Where `ACCOUNT_REGISTRATION` is `closed`, admins invite people
        instead."""
        if request.settings.account_registration == "closed":
            raise AccountRegistrationClosed
        connections = request.connections
        password_hash = PasswordHash(await connections.passwords.hash(data.password))
        command = RegisterAccount(username=data.username, password_hash=password_hash)

        async def signed_in(connection: AsyncConnection[Any], account: Account) -> NewSession:
            credential = await read_credential(connection, account.id)
            if credential is None:
                return NewSession(account, None)
            return NewSession(account, await connections.sessions.begin_on(connection, credential))

        return await answered(request, command, _registered, signed_in)

    @post(
        "/login",
        status_code=200,
        summary="Sign in",
        opt={
            "access": Who.ANYONE,
            "limit": "login",
            "problems": [InvalidCredentials],
            "command": False,
        },
    )
    async def login(self, request: Request, data: JSONBody[Login]) -> Response[Answer[TokenPair]]:
        """Begins a session. An unknown username and a wrong password get the same response."""
        credential = await authenticated(request, data.username, data.password)

        async def write(once: Once | None) -> Done:
            done = await request.connections.sessions.begin(credential, once)
            if done is None:  # the account changed at this moment
                raise InvalidCredentials
            return done

        return await answered_once(request, write, _tokens)

    @post(
        "/refresh",
        status_code=200,
        summary="Get new tokens",
        opt={
            "access": Who.ANYONE,
            "problems": [TokenInvalid],
            "command": False,
        },
    )
    async def refresh(
        self, request: Request, data: JSONBody[RefreshToken]
    ) -> Response[Answer[TokenPair]]:
        """Spends the refresh token: using it again ends the whole session, except in the same call
        with the same `Idempotency-Key`."""

        async def write(once: Once | None) -> Done:
            return await request.connections.sessions.refresh(data.refresh, once)

        return await answered_once(request, write, _tokens)

    @post(
        "/logout",
        status_code=200,
        summary="Sign out",
        opt={"access": Who.SIGNED_IN, "command": False},
    )
    async def logout(
        self, request: Request, data: JSONBody[RefreshToken]
    ) -> Response[Answer[None]]:
        """Ends the session: both its tokens are invalid at once, in every process."""

        async def write(once: Once | None) -> Done:
            return await request.connections.sessions.end(request.account, data.refresh, once)

        return await answered_once(request, write, _signed_out)

    @get("/me", summary="Read your own account", opt={"access": Who.SIGNED_IN})
    async def me(self, request: Request) -> Response[Answer[Me]]:
        """The account of the token, with its current roles."""
        account = request.account
        me = Me(id=account.id, username=account.username, roles=account.roles)
        return not_stored(json_response(Answer(data=me)))

    @post(
        "/password",
        status_code=204,
        summary="Change your password",
        opt={
            "access": Who.SIGNED_IN,
            "limit": "login",
            "problems": [InvalidCredentials],
        },
    )
    async def change_password(
        self, request: Request, data: JSONBody[PasswordChange]
    ) -> Response[None]:
        """Ends all sessions of the account, including this one."""

        async def write(once: Once | None) -> Done:
            return await password_changed(request, data.current, data.password, once)

        return await answered_once(request, write, no_content)


def _registered(new: NewSession) -> Response[Answer[RegisteredAccount]]:
    account = RegisteredAccount(id=new.account.id, username=new.account.username)
    tokens = msgspec.structs.asdict(new.pair) if new.pair else {}
    answer = Answer(data=account, meta={"message": "Successful registration"} | tokens)
    return not_stored(created(answer, f"{AuthCalls.path}/me"))


def _tokens(pair: TokenPair) -> Response[Answer[TokenPair]]:
    return not_stored(json_response(Answer(data=pair)))


def _signed_out(_: None) -> Response[Answer[None]]:
    return json_response(Answer(data=None, meta={"message": "Successful logout"}))
