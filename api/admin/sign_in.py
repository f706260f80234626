"""Sign in to the panel with an account that has a role, and sign out.

A form that is sent without a session is kept on the page to sign in, and shown again after that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from api.admin.kit import cookies, kept_forms
from api.admin.kit.csrf import CsrfTokenMissing, check_csrf
from api.admin.kit.going_on import go_on
from api.admin.kit.kept_forms import OF_THE_PANEL, KeptForm, kept_form, read_kept
from api.admin.kit.pages import is_partial, page
from api.admin.kit.problems import to_sign_in
from api.auth import Login
from api.door_page.files import folder
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import COOKIE, Permission, Who, may
from api.http.authentication import authenticated
from api.http.hosts import Check
from api.http.requests import Request
from api.identity.credentials import InvalidCredentials
from api.identity.tokens import TokenInvalid
from domain.core.errors import InvalidFields

HOME = "/admin/"

NO_ROLE = "This account has no role. Ask an admin for one, then sign in again."
WRONG = "Wrong username or password."


def before_each_request(let_in: Check) -> Callable[[Any], Awaitable[Response[Any] | None]]:
    """The check, and the one against forged forms. A form that comes too late is not lost."""

    async def check(request: Request) -> Response[Any] | None:
        try:
            await let_in(request)
            await check_csrf(request)
        except (TokenInvalid, CsrfTokenMissing) as error:
            kept = None if is_partial(request) else await kept_form(request)
            if kept is None:
                raise
            return await _too_late(request, kept, error)
        return None

    return check


async def _too_late(request: Request, kept: KeptForm, error: Exception) -> Response[Any]:
    """The response to a form without a session, or of a session before this one."""
    if isinstance(error, CsrfTokenMissing) and request.caller is not None and kept.fields:
        return await go_on(request, kept, request.cookies[COOKIE])
    is_sent_again = kept_forms.FIELD in await request.form()
    if isinstance(error, CsrfTokenMissing) and not is_sent_again:
        raise error
    if not kept.fields:
        return to_sign_in(request, kept.shown_at)
    return _page(request, Form(), kept, status_code=403)


@get("/sign-in", opt={"access": Who.ANYONE})
async def sign_in_page(request: Request) -> Response[str]:
    return _page(request, Form(), None)


@post("/sign-in", opt={"access": Who.ANYONE, "limit": "login"})
async def sign_in(request: Request) -> Response[Any]:
    """Continues to the page that was requested before, or with the form that was sent."""
    sent = await sent_form(request)
    kept = read_kept(sent.get(kept_forms.FIELD, ""))
    try:
        login = parsed(Login, sent)
        credential = await authenticated(request, login.username, login.password)
    except InvalidFields as error:
        return _again(request, refused(sent, error), kept)
    except InvalidCredentials:
        return _again(request, Form(sent, {"": WRONG}), kept)
    if not may(credential.roles, Permission.USE_PANEL):
        return _again(request, Form(sent, {"": NO_ROLE}), kept)
    token = await request.connections.sessions.begin_in_browser(credential)
    if token is None:
        return _again(request, Form(sent, {"": WRONG}), kept)
    response: Response[Any] = (
        await go_on(request, kept, token) if kept else Redirect(_next(request), status_code=303)
    )
    response.set_cookie(cookies.signed_in(request, token))
    return response


@post("/sign-out", opt={"access": Who.SIGNED_IN})
async def sign_out(request: Request) -> Response[Any]:
    await request.connections.sessions.end_in_browser(request.account)
    response = Redirect("/admin/sign-in", status_code=303)
    cookies.forget(response, COOKIE, cookies.SEEN, cookies.NOTICE)
    return response


def _again(request: Request, form: Form, kept: KeptForm | None) -> Response[str]:
    values = {"username": form.value("username")}
    return _page(request, Form(values, form.errors), kept, status_code=422)


def _page(
    request: Request, form: Form, kept: KeptForm | None, status_code: int = 200
) -> Response[str]:
    """Its script takes from the browser what the door page has read by sessions that have ended."""
    settings = request.settings
    return page(
        request,
        "sign_in.html",
        status_code=status_code,
        form=form,
        kept=kept,
        next_page=_next(request),
        may_register=settings.account_registration == "open",
        public_pages=settings.public_pages,
        forgets_doors=f"{folder()}/forget_sessions.js",
    )


def _next(request: Request) -> str:
    """Always a page of the panel, even if `next` names another address."""
    asked = request.query_params.get("next", "")
    return asked if OF_THE_PANEL.fullmatch(asked) else HOME
