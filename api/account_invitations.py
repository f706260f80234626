"""Invitations of people, and links where they set a password: what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from psycopg import AsyncConnection

from api.http.examples import ACCOUNT_ID, example
from api.http.requests import Request
from api.http.responses import Answer, created, json_response, not_stored
from api.identity.credentials import Credential, read_credential
from api.identity.password_links import PasswordLink
from domain.accounts import Account, Role
from domain.core.values import Username

_LINK: Mapping[str, str] = {
    "link": f"https://events.example.com/admin/password/{72 * 'a'}/",
    "expires_at": "2030-05-18T09:00:00Z",
}


@example(username="ada", roles=["organizer"])
class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    username: Username
    roles: tuple[Role, ...] = ()


@example(id=ACCOUNT_ID, username="ada", roles=["organizer"], **_LINK)
class InvitedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The only response that shows `link`."""

    id: UUID
    username: str
    roles: tuple[Role, ...]
    link: str
    expires_at: datetime


@example(**_LINK)
class NewPasswordLink(msgspec.Struct, frozen=True, kw_only=True):
    """The only response that shows `link`."""

    link: str
    expires_at: datetime


def invitation_answer(request: Request, path: str) -> Callable[[Credential], Response[Any]]:
    """Makes the response to an invitation; `path` is that of all accounts."""

    def respond(credential: Credential) -> Response[Any]:
        link = link_for(request, credential)
        account = InvitedAccount(
            id=credential.account_id,
            username=credential.username,
            roles=credential.roles,
            link=link.link,
            expires_at=link.expires_at,
        )
        return not_stored(created(Answer(data=account), f"{path}/{credential.account_id}"))

    return respond


def link_answer(request: Request) -> Callable[[Credential], Response[Any]]:
    """Makes the response with a new link."""
    return lambda credential: not_stored(json_response(Answer(data=link_for(request, credential))))


def link_for(request: Request, credential: Credential) -> NewPasswordLink:
    link = PasswordLink.to(credential)
    address = request.connections.password_links.address(request.public_url, link)
    return NewPasswordLink(link=address, expires_at=link.expires_at)


async def credential_of(connection: AsyncConnection[Any], account: Account) -> Credential:
    """The row that was committed with the account."""
    credential = await read_credential(connection, account.id)
    if credential is None:
        raise AssertionError("each account has a row in credentials")
    return credential
