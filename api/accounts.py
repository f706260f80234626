"""`/api/accounts`: admins manage accounts and their roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from psycopg import AsyncConnection

from api.account_invitations import (
    Invitation,
    InvitedAccount,
    NewPasswordLink,
    credential_of,
    invitation_answer,
    link_answer,
)
from api.http.access import Permission
from api.http.dispatch import answered
from api.http.examples import ACCOUNT_ID, example
from api.http.reads import Limit, MinEventPosition, Offset, read, read_listing, unless_known
from api.http.requests import Request
from api.http.responses import Answer, Listing, Pagination, json_response, no_content
from domain.accounts import (
    AccountDisabled,
    DisableAccount,
    EnableAccount,
    GrantRole,
    InviteAccount,
    LastAdmin,
    MakePasswordLink,
    RevokeRole,
    Role,
    UsernameTaken,
)
from domain.core.errors import NotFound
from projections import accounts
from projections.lists.cursor import Page


@example(
    id=ACCOUNT_ID,
    username="ada",
    roles=["organizer"],
    disabled=False,
    invited=False,
    registered_at="2030-05-17T09:00:00Z",
)
class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    username: str
    roles: list[Role]
    disabled: bool
    invited: bool
    registered_at: datetime


class AccountCalls(Controller):
    path = "/api/accounts"
    tags = ("accounts",)
    opt = {"access": Permission.MANAGE_ACCOUNTS}  # noqa: RUF012  Litestar's own type for it

    @get("/", summary="List the accounts by username")
    async def list_accounts(
        self,
        request: Request,
        limit: Limit = 10,
        offset: Offset = 0,
        min_event_position: MinEventPosition = 0,
    ) -> Response[Listing[Account]]:
        """All accounts, invited and disabled ones included, in pages."""

        async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], Listing[Account]]:
            page = await accounts.list_accounts(connection, limit=limit, offset=offset)
            pagination = Pagination(offset=offset, limit=limit, total=page.total)
            return page, Listing(data=[_account(row) for row in page.rows], pagination=pagination)

        return await read_listing(request, min_event_position, accounts.list_version, listing)

    @post("/", summary="Invite a person", opt={"problems": [UsernameTaken]})
    async def invite(
        self, request: Request, data: JSONBody[Invitation]
    ) -> Response[Answer[InvitedAccount]]:
        """Creates an account without a password. Give `link` to the person, who sets a password
        there; it is good once, and for a day."""
        command = InviteAccount(username=data.username, roles=data.roles)
        respond = invitation_answer(request, self.path)
        return await answered(request, command, respond, credential_of)

    @get("/{account_id:uuid}", summary="Read an account", opt={"tagged": True})
    async def read_account(
        self,
        request: Request,
        account_id: FromPath[UUID],
        min_event_position: MinEventPosition = 0,
    ) -> Response[Answer[Account]]:
        """An invited or disabled one, too."""

        async def query(connection: AsyncConnection[Any]) -> accounts.AccountRow | None:
            return await accounts.get_account(connection, account_id)

        row = await read(request, min_event_position, query, ["accounts"])
        if row is None:
            raise NotFound("account", account_id)
        answer = Answer(data=_account(row))
        return unless_known(request, json_response(answer, version=row.version))

    @post("/{account_id:uuid}/roles/{role:str}", status_code=204, summary="Grant a role")
    async def grant_role(
        self, request: Request, account_id: FromPath[UUID], role: FromPath[Role]
    ) -> Response[None]:
        """Effective from the next request. Granting a role that the account has is not an error."""
        command = GrantRole(account_id=account_id, role=role)
        return await answered(request, command, no_content)

    @delete(
        "/{account_id:uuid}/roles/{role:str}",
        summary="Revoke a role",
        opt={"problems": [LastAdmin]},
    )
    async def revoke_role(
        self, request: Request, account_id: FromPath[UUID], role: FromPath[Role]
    ) -> Response[None]:
        """Effective from the next request. Revoking a role that the account does not have is not an
        error. The last admin keeps the role."""
        command = RevokeRole(account_id=account_id, role=role)
        return await answered(request, command, no_content)

    @post(
        "/{account_id:uuid}/disable",
        status_code=204,
        summary="Disable an account",
        opt={"problems": [LastAdmin]},
    )
    async def disable_account(self, request: Request, account_id: FromPath[UUID]) -> Response[None]:
        """Its sessions end, and it can no longer sign in, until it is enabled. Its name stays
        taken. The last admin cannot be disabled."""
        command = DisableAccount(account_id=account_id)
        return await answered(request, command, no_content)

    @post("/{account_id:uuid}/enable", status_code=204, summary="Enable an account")
    async def enable_account(self, request: Request, account_id: FromPath[UUID]) -> Response[None]:
        """It can sign in again, with the password and the roles that it had. Links to set the
        password that were made before are not good any more."""
        command = EnableAccount(account_id=account_id)
        return await answered(request, command, no_content)

    @post(
        "/{account_id:uuid}/password-link",
        status_code=200,
        summary="Make a link to set a password",
        opt={"problems": [AccountDisabled]},
    )
    async def make_password_link(
        self, request: Request, account_id: FromPath[UUID]
    ) -> Response[Answer[NewPasswordLink]]:
        """For a person who forgot the password, or whose invitation has expired. The link is good
        once, and for a day; the present password works until a new one is set. History records
        that the link was made."""
        command = MakePasswordLink(account_id=account_id)
        return await answered(request, command, link_answer(request), credential_of)


def _account(row: accounts.AccountRow) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        roles=row.roles,
        disabled=row.disabled,
        invited=row.invited,
        registered_at=row.registered_at,
    )
