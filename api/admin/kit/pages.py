"""Rendering a page: the templates, and what each of them is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.enums import MediaType
from litestar.response import Redirect
from litestar_htmx import HTMXDetails

from api.admin import names
from api.admin.kit import cookies, csrf
from api.admin.kit.files import address_of
from api.admin.kit.forms import Form
from api.http.access import Permission, may
from api.http.requests import Request

_TEMPLATES = Environment(
    loader=PackageLoader("api.admin"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: Request, template: str, *, status_code: int = 200, **content: Any
) -> Response[str]:
    """The template with its content, for this reader and nobody else."""
    account = request.scope.get("user")
    known = csrf.known_secret(request)
    secret = known or csrf.new_secret()
    rendered = _TEMPLATES.get_template(template).render(
        account=account,
        csrf_field=csrf.FIELD,
        csrf_token=csrf.token_for(secret),
        notice=cookies.notice(request),
        path=request.scope["path"].rstrip("/") or "/",
        query=dict(request.query_params),
        now=datetime.now(UTC),
        allowed=lambda what: account is not None and may(account.roles, what),
        hides_names=account is not None and not names.are_shown(request),
        **content,
    )
    response = Response(
        rendered,
        status_code=status_code,
        media_type=MediaType.HTML,
        headers={"Cache-Control": "no-store", "Vary": "HX-Request"},
    )
    if not known:
        response.set_cookie(cookies.csrf(request, secret))
    if cookies.NOTICE in request.cookies:
        cookies.forget(response, cookies.NOTICE)
    return response


def fragment(template: str, **content: Any) -> str:
    """A part of a page that is the same for every reader."""
    return _TEMPLATES.get_template(template).render(**content)


def is_partial(request: Request) -> bool:
    """Whether htmx asks, and will put in place only what its element names."""
    details = HTMXDetails(request)
    return bool(details) and not details.boosted


def see(request: Request, address: str, *, position: int | None, notice: str) -> Response[Any]:
    """After a change: where to look next, and what to say there. Without a position nothing was."""
    response = Redirect(address, status_code=303)
    cookies.remember(response, request, position or 0, notice)
    return response


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _readable(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%-d %b %Y, %H:%M")


def _with(query: Mapping[str, str], **changes: object) -> str:
    """The query of this page with some of it changed; None takes a part away."""
    changed = {**query, **changes}
    return "?" + urlencode(
        {key: value for key, value in changed.items() if value not in (None, "")}
    )


_TEMPLATES.filters |= {"moment": _moment, "readable": _readable}
_TEMPLATES.globals |= {
    "address_of": address_of,
    "with_query": _with,
    "blank_form": Form(),
    "may": Permission,
}
