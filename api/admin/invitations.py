"""`/admin/accounts/`: admins invite people, and make links where they set a password."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from api.account_invitations import Invitation, credential_of, link_for
from api.admin.accounts import MEANINGS
from api.admin.kit.pages import page
from api.database.query import run_query
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.requests import Request
from domain.accounts import ROLES, Account, InviteAccount, MakePasswordLink, UsernameTaken
from domain.core.errors import InvalidFields


class InvitationPages(Controller):
    path = "/accounts"
    opt = {"access": Permission.MANAGE_ACCOUNTS}  # noqa: RUF012  Litestar's own type for it

    @get("/new")
    async def new_invitation(self, request: Request) -> Response[str]:
        return _form(request, Form())

    @post("/new")
    async def invite(self, request: Request) -> Response[str]:
        sent = await sent_form(request)
        try:
            new = parsed(Invitation, _fields(sent))
            done = await execute(request, InviteAccount(username=new.username, roles=new.roles))
        except (InvalidFields, UsernameTaken) as error:
            return _form(request, refused(sent, error, "username"), status_code=422)
        return await _link(request, done.value, invited=True)

    @post("/{account_id:uuid}/password-link")
    async def make_link(self, request: Request, account_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, MakePasswordLink(account_id=account_id))
        return await _link(request, done.value, invited=False)


def _fields(sent: dict[str, str]) -> dict[str, object]:
    """The fields as the API takes them: one for all boxes."""
    roles = [role for role in ROLES if f"role {role}" in sent]
    return {"username": sent.get("username", ""), "roles": roles}


def _form(request: Request, form: Form, status_code: int = 200) -> Response[str]:
    return page(
        request, "accounts/invite.html", status_code=status_code, form=form, meanings=MEANINGS
    )


async def _link(request: Request, account: Account, *, invited: bool) -> Response[str]:
    """The page that shows the new link, once."""
    credential = await run_query(
        request.connections.primary, lambda connection: credential_of(connection, account)
    )
    return page(
        request,
        "accounts/link.html",
        account_shown=credential,
        link=link_for(request, credential),
        invited=invited,
    )
