"""`/admin/password/{token}`: set the password of an account by a link of an admin.

Opening the page changes nothing: mail programs and scanners follow links.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar import Request as AnyRequest
from litestar.params import FromPath

from api.admin.kit.pages import page, see
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import Who
from api.http.authentication import linked_account, password_set_by_link
from api.http.requests import Request
from api.identity.password_links import PasswordLinkExpired
from api.identity.passwords import Password
from domain.core.errors import InvalidFields

PRIVATE = {"X-Robots-Tag": "noindex"}
"""Besides the headers of every page: the address is a secret."""

SET = "The password is set. Sign in with it."


class FirstPassword(msgspec.Struct, frozen=True, kw_only=True):
    password: Password


def answer_expired(request: AnyRequest[Any, Any, Any], error: PasswordLinkExpired) -> Response[str]:
    asked = Request(request.scope, request.receive, request.send)
    return _private(page(asked, "password/expired.html", status_code=error.status, reason=error))


class PasswordLinkPages(Controller):
    path = "/password/{token:str}"
    opt = {"access": Who.ANYONE, "limit": "login"}  # noqa: RUF012  Litestar's own type for it
    exception_handlers = {PasswordLinkExpired: answer_expired}  # noqa: RUF012

    @get("/")
    async def show(self, request: Request, token: FromPath[str]) -> Response[str]:
        return await _form(request, token, Form())

    @post("/")
    async def set_password(self, request: Request, token: FromPath[str]) -> Response[Any]:
        sent = await sent_form(request)
        try:
            password = parsed(FirstPassword, sent).password
            if sent.get("again") != sent["password"]:
                raise InvalidFields(again="is not the same as above")
        except InvalidFields as error:
            return await _form(request, token, refused({}, error), status_code=422)
        done = await password_set_by_link(request, token, password)
        return see(request, "/admin/sign-in", position=done.position, notice=SET)


async def _form(request: Request, token: str, form: Form, status_code: int = 200) -> Response[str]:
    username = (await linked_account(request, token)).username
    return _private(
        page(request, "password/set.html", status_code=status_code, form=form, username=username)
    )


def _private(response: Response[str]) -> Response[str]:
    response.headers.update(PRIVATE)
    return response
