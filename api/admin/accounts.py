"""`/admin/accounts/`: admins manage accounts and their roles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit import cookies
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.http.access import COOKIE, Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.accounts import (
    ROLES,
    DisableAccount,
    EnableAccount,
    GrantRole,
    LastAdmin,
    RevokeRole,
    Role,
)
from domain.core.errors import NotFound
from projections import accounts

ACCOUNTS = "/admin/accounts/"
TABLES = ["accounts"]
PAGE_SIZE = 50

MEANINGS: dict[Role, str] = {
    "organizer": "creates and changes areas and events, reads visitors, starts syncs",
    "auditor": "reads everything, history included, and changes nothing; reading names is recorded",
    "admin": "may do all of this, manages accounts, and erases visitors",
}


class AccountPages(Controller):
    path = "/accounts"
    opt = {"access": Permission.MANAGE_ACCOUNTS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_accounts(self, request: Request) -> Response[str]:
        name, after, before = (_text(request, part) for part in ("name", "after", "before"))

        async def query(connection: AsyncConnection[Any]) -> accounts.AccountPage:
            return await accounts.find(
                connection,
                prefix=name,
                limit=PAGE_SIZE,
                after=after or None,
                before=before or None,
            )

        found = await read(request, seen(request), query, TABLES)
        return page(request, "accounts/list.html", found=found, name=name)

    @get("/{account_id:uuid}")
    async def account(self, request: Request, account_id: FromPath[UUID]) -> Response[str]:
        return await _shown(request, account_id)

    @post("/{account_id:uuid}/roles/{role:str}/grant")
    async def grant(
        self, request: Request, account_id: FromPath[UUID], role: FromPath[str]
    ) -> Response[Any]:
        command = GrantRole(account_id=account_id, role=_known(role, account_id))
        done = await execute(request, command)
        notice = f"“{done.value.username}” now has the role {role}."
        return see(request, f"{ACCOUNTS}{account_id}", position=done.position, notice=notice)

    @get("/{account_id:uuid}/roles/{role:str}/revoke")
    async def confirm_revocation(
        self, request: Request, account_id: FromPath[UUID], role: FromPath[str]
    ) -> Response[str]:
        """Asks for confirmation before admins revoke a role of their own."""
        row, known = await _row(request, account_id), _known(role, account_id)
        return page(request, "accounts/revoke.html", account_shown=row, role=known)

    @post("/{account_id:uuid}/roles/{role:str}/revoke")
    async def revoke(
        self, request: Request, account_id: FromPath[UUID], role: FromPath[str]
    ) -> Response[Any]:
        command = RevokeRole(account_id=account_id, role=_known(role, account_id))
        try:
            done = await execute(request, command)
        except LastAdmin as error:
            return await _shown(request, account_id, refused=error)
        left_here = (role, account_id) == ("admin", request.account.id)
        where = "/admin/" if left_here else f"{ACCOUNTS}{account_id}"
        notice = f"“{done.value.username}” no longer has the role {role}."
        return see(request, where, position=done.position, notice=notice)

    @get("/{account_id:uuid}/disable")
    async def confirm_disabling(
        self, request: Request, account_id: FromPath[UUID]
    ) -> Response[str]:
        row = await _row(request, account_id)
        return page(request, "accounts/disable.html", account_shown=row)

    @post("/{account_id:uuid}/disable")
    async def disable(self, request: Request, account_id: FromPath[UUID]) -> Response[Any]:
        command = DisableAccount(account_id=account_id)
        try:
            done = await execute(request, command)
        except LastAdmin as error:
            return await _shown(request, account_id, refused=error)
        notice = f"“{done.value.username}” was disabled."
        if account_id != request.account.id:
            return see(request, f"{ACCOUNTS}{account_id}", position=done.position, notice=notice)
        response = see(request, "/admin/sign-in", position=done.position, notice=notice)
        cookies.forget(response, COOKIE)
        return response

    @post("/{account_id:uuid}/enable")
    async def enable(self, request: Request, account_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, EnableAccount(account_id=account_id))
        notice = f"“{done.value.username}” was enabled."
        return see(request, f"{ACCOUNTS}{account_id}", position=done.position, notice=notice)


async def _shown(
    request: Request, account_id: UUID, refused: LastAdmin | None = None
) -> Response[str]:
    timeline = await read(
        request, seen(request), lambda connection: timeline_for(request, connection, account_id)
    )
    return page(
        request,
        "accounts/account.html",
        status_code=409 if refused else 200,
        timeline=timeline,
        account_shown=await _row(request, account_id),
        meanings=MEANINGS,
        refused=refused and str(refused),
    )


async def _row(request: Request, id: UUID) -> accounts.AccountRow:
    row = await read(
        request, seen(request), lambda connection: accounts.get_account(connection, id), TABLES
    )
    if row is None:
        raise NotFound("account", id)
    return row


def _known(role: str, account_id: UUID) -> Role:
    if role not in ROLES:
        raise NotFound("role", account_id)
    return role


def _text(request: Request, name: str) -> str:
    return request.query_params.get(name, "")[:255].replace("\0", "").strip()
