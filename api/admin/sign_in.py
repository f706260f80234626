"""Sign in to the panel with an account that has a role, and sign out."""

from __future__ import annotations

import re
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from api.admin.kit import cookies
from api.admin.kit.pages import page
from api.auth import Login
from api.door_page.files import folder
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import COOKIE, Permission, Who, may
from api.http.authentication import authenticated
from api.http.requests import Request
from api.identity.credentials import InvalidCredentials
from domain.core.errors import InvalidFields

HOME = "/admin/"

_OF_THE_PANEL = re.compile(r"/admin/[\w/-]*(\?[^\s\\]*)?", re.ASCII)
"""Without dots, which could lead out of the panel."""

NO_ROLE = "This account has no role. Ask an admin for one, then sign in again."
WRONG = "Wrong username or password."


@get("/sign-in", opt={"access": Who.ANYONE})
async def sign_in_page(request: Request) -> Response[str]:
    return _page(request, Form())


@post("/sign-in", opt={"access": Who.ANYONE, "limit": "login"})
async def sign_in(request: Request) -> Response[Any]:
    """Continues to the page that was requested before signing in."""
    sent = await sent_form(request)
    try:
        login = parsed(Login, sent)
        credential = await authenticated(request, login.username, login.password)
    except InvalidFields as error:
        return _again(request, refused(sent, error))
    except InvalidCredentials:
        return _again(request, Form(sent, {"": WRONG}))
    if not may(credential.roles, Permission.USE_PANEL):
        return _again(request, Form(sent, {"": NO_ROLE}))
    token = await request.connections.sessions.begin_in_browser(credential)
    if token is None:
        return _again(request, Form(sent, {"": WRONG}))
    response = Redirect(_next(request), status_code=303)
    response.set_cookie(cookies.signed_in(request, token))
    return response


@post("/sign-out", opt={"access": Who.SIGNED_IN})
async def sign_out(request: Request) -> Response[Any]:
    await request.connections.sessions.end_in_browser(request.account)
    response = Redirect("/admin/sign-in", status_code=303)
    cookies.forget(response, COOKIE, cookies.SEEN, cookies.NOTICE)
    return response


def _again(request: Request, form: Form) -> Response[str]:
    values = {key: value for key, value in form.values.items() if key != "password"}
    return _page(request, Form(values, form.errors), status_code=422)


def _page(request: Request, form: Form, status_code: int = 200) -> Response[str]:
    """Its script takes from the browser what the door page has read by sessions that have ended."""
    return page(
        request,
        "sign_in.html",
        status_code=status_code,
        form=form,
        forgets_doors=f"{folder()}/forget_sessions.js",
    )


def _next(request: Request) -> str:
    """Always a page of the panel, even if `next` names another address."""
    asked = request.query_params.get("next", "")
    return asked if _OF_THE_PANEL.fullmatch(asked) else HOME
