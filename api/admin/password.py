"""`/admin/password`: change your own password."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from api.admin.kit import cookies
from api.admin.kit.pages import page, see
from api.auth import PasswordChange
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import COOKIE, Who
from api.http.authentication import password_changed
from api.http.requests import Request
from api.identity.credentials import InvalidCredentials
from domain.core.errors import InvalidFields

CHANGED = "Your password was changed and all your sessions ended. Sign in with the new password."


@get("/password", opt={"access": Who.SIGNED_IN})
async def password_page(request: Request) -> Response[str]:
    return page(request, "password/change.html", form=Form())


@post("/password", opt={"access": Who.SIGNED_IN, "limit": "login"})
async def change_password(request: Request) -> Response[Any]:
    """Ends all sessions of the account. A wrong password is never shown again."""
    sent = await sent_form(request)
    try:
        change = parsed(PasswordChange, sent)
        if sent.get("again") != change.password:
            raise InvalidFields(again="is not the same as above")
        done = await password_changed(request, change.current, change.password)
    except InvalidFields as error:
        return page(request, "password/change.html", status_code=422, form=refused({}, error))
    except InvalidCredentials:
        form = Form({}, {"current": "is not your current password"})
        return page(request, "password/change.html", status_code=422, form=form)
    response = see(request, "/admin/sign-in", position=done.position, notice=CHANGED)
    cookies.forget(response, COOKIE)
    return response
