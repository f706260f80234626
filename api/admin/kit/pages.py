"""Renders pages: the templates and the variables that all of them get."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment
from litestar import Response
from litestar.enums import MediaType
from litestar.response import Redirect, Stream
from litestar_htmx import HTMXDetails

from api.admin import names
from api.admin.durations import in_words
from api.admin.kit import cookies, csrf
from api.admin.kit.history_phrases import KINDS_OF_MESSAGES
from api.html.states import registration_state
from api.html.templates import templates_of
from api.http.access import Permission, may
from api.http.requests import Request
from api.identity.sessions import SignedIn
from runtime.languages.locale import NAMES

_TEMPLATES = templates_of("api.admin", Environment)
_TEMPLATES.filters |= {"duration": in_words, "registration_state": registration_state}
_TEMPLATES.globals |= {
    "may": Permission,
    "language_names": NAMES,
    "kinds_of_messages": KINDS_OF_MESSAGES,
    "answer_words": {"yes": "Yes", "no": "No", "nothing": "No answer", "optional": "optional"},
}


def page(
    request: Request, template: str, *, status_code: int = 200, **content: Any
) -> Response[str]:
    """The rendered template, for this reader only."""
    account = request.caller if isinstance(request.caller, SignedIn) else None
    known = csrf.known_secret(request)
    secret = known or csrf.new_secret()
    rendered = _TEMPLATES.get_template(template).render(
        account=account,
        csrf_field=csrf.FIELD,
        csrf_token=csrf.token_for(secret),
        shown_at=_address(request),
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


def _address(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}" if query else request.scope["path"]


PROGRESS = "<!-- progress -->"
"""Where the template of a streamed page shows the progress."""


def streamed_page(
    request: Request,
    template: str,
    *,
    progress: AsyncIterator[str],
    result: Callable[[], Mapping[str, Any]],
    **content: Any,
) -> Response[Any]:
    """The page, sent while something is done: first what is before `PROGRESS`, with `result` None;
    then each part of the progress; at its end the rest, rendered with what `result` returns."""
    begun = page(request, template, result=None, **content)

    async def parts() -> AsyncIterator[bytes]:
        yield begun.content.partition(PROGRESS)[0].encode()
        async for part in progress:
            yield part.encode()
        whole = page(request, template, **content, **result())
        yield whole.content.partition(PROGRESS)[2].encode()

    return Stream(parts(), media_type=MediaType.HTML, headers=begun.headers, cookies=begun.cookies)


def fragment(template: str, **content: Any) -> str:
    """A rendered part of a page, the same for every reader."""
    return _TEMPLATES.get_template(template).render(**content)


def is_partial(request: Request) -> bool:
    """Whether htmx requests the page for one element only."""
    details = HTMXDetails(request)
    return bool(details) and not details.boosted


def see(request: Request, address: str, *, position: int | None, notice: str) -> Response[Any]:
    """Redirect after a change, with a notice; `position` is None when nothing changed."""
    response = Redirect(address, status_code=303)
    cookies.remember(response, request, position or 0, notice)
    return response
