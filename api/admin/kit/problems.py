"""Problems of the API as pages for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request as AnyRequest
from litestar import Response
from litestar.response import Redirect

from api.admin.kit import cookies
from api.admin.kit.pages import is_partial, page
from api.http.access import COOKIE
from api.http.problems import problem_of
from api.http.requests import Request
from api.identity.tokens import TokenInvalid


def answer_problem_page(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    """The page for a request's exception; without a session, a redirect to the sign-in page."""
    asked = Request(request.scope, request.receive, request.send)
    if isinstance(error, TokenInvalid):
        return to_sign_in(asked)
    problem, headers = problem_of(request, error)
    response = page(
        asked,
        "problem.html",
        status_code=problem.status,
        title=problem.title,
        detail=problem.detail,
        request_id=problem.request_id if problem.status >= 500 else None,
    )
    response.headers.update(headers)
    return response


def to_sign_in(request: Request, shown_at: str | None = None) -> Response[Any]:
    """Redirect to the sign-in page, which then leads back to the requested page, or to the one that
    was shown. For a request of htmx, the whole page is loaded instead of a part."""
    address = "/admin/sign-in"
    if is_partial(request):
        return Response(b"", headers={"HX-Refresh": "true"})
    path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
    if request.method == "GET" and path != "/admin":
        shown_at = f"{path}?{query}" if query else path
    if shown_at is not None:
        address += f"?next={quote(shown_at)}"
    response = Redirect(address, status_code=303)
    if COOKIE in request.cookies:
        cookies.forget(response, COOKIE)
    return response
