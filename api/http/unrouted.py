"""Answers to requests that lead to no route count towards the client's rate limit, as calls do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.limits import Limits, RateLimited

AnswerFailure = Callable[[Request[Any, Any, Any], Exception], Response[Any]]


def counting_unrouted(answer_failure: AnswerFailure, limits: Limits) -> AnswerFailure:
    """Answers failures as `answer_failure`, after it counts requests without a route."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if "route_handler" in cast("dict[str, Any]", request.scope):
            return answer_failure(request, error)
        return _Counted(request, error)

    class _Counted(Response[Any]):
        def __init__(self, request: Request[Any, Any, Any], error: Exception) -> None:
            super().__init__(None)
            self._request, self._error = request, error

        def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # its arguments are not needed
            return self._send

        async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
            error = self._error
            try:
                await limits.check_unrouted(scope)
            except RateLimited as refusal:
                error = refusal
            response = answer_failure(self._request, error)
            await response.to_asgi_response(None, self._request)(scope, receive, send)

    return answer
