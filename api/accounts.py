"""`/api/accounts`: admins manage accounts and their roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.http.access import Permission
from api.http.dispatch import answered
from api.http.examples import ACCOUNT_ID, example
from api.http.reads import Limit, MinEventPosition, Offset, read_listing
from api.http.requests import Request
from api.http.responses import Listing, Pagination, no_content
from domain.accounts import DisableAccount, GrantRole, LastAdmin, RevokeRole, Role
from projections import accounts
from projections.lists.cursor import Page


@example(
    id=ACCOUNT_ID,
    username="ada",
    roles=["organizer"],
    disabled=False,
    registered_at="2030-05-17T09:00:00Z",
)
class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    username: str
    roles: list[Role]
    disabled: bool
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
        """All accounts, disabled ones included, in pages."""

        async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], Listing[Account]]:
            page = await accounts.list_accounts(connection, limit=limit, offset=offset)
            pagination = Pagination(offset=offset, limit=limit, total=page.total)
            return page, Listing(data=[_account(row) for row in page.rows], pagination=pagination)

        return await read_listing(request, min_event_position, accounts.list_version, listing)

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
        """Permanent: its sessions end and it can no longer sign in. Its name stays taken. The last
        admin cannot be disabled."""
        command = DisableAccount(account_id=account_id)
        return await answered(request, command, no_content)


def _account(row: accounts.AccountRow) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        roles=row.roles,
        disabled=row.disabled,
        registered_at=row.registered_at,
    )
