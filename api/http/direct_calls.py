"""Calls that are made very often: they are answered without what Litestar does for each request.

Such a call is declared like all others, with `opt={"direct": True}`: its documentation, access and
limits are the same, and so are its checks. Only the ways of Litestar to a handler are left out:
middleware, arguments by signature, caches of responses. They take more time than all checks. Any
other spelling of its path, or another method, goes through Litestar.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from api.http.bodies import JsonBody, Reader, require_json
from api.http.hosts import Check
from api.http.requests import Request

AnswerFailure = Callable[[Request, Exception], Response[Any]]
Hook = Callable[[Exception, Scope], Awaitable[None]]

_UUID = r"(?P<\1>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

_id_of = lru_cache(1_024)(UUID)


class DirectCall(msgspec.Struct, frozen=True):
    """Its path has no other parameters than UUIDs; its handler takes them, the request, and the
    body as `data`."""

    template: str
    """The path of the route, with the names of the parameters."""
    method: str
    path: re.Pattern[str]
    handler: HTTPRouteHandler
    body: Reader[Any]

    async def __call__(self, request: Request) -> Response[Any]:
        """The handler's response. Raises what the call is refused with."""
        require_json(request.scope["headers"])
        data = self.body.read(await request.body())
        response: Response[Any] = await self.handler.fn(
            request=request, data=data, **request.scope["path_params"]
        )
        return response


def with_direct_calls(
    app: Litestar, check: Check, answer_failure: AnswerFailure, failed: Hook
) -> ASGIApp:
    """The application, with a short way to these calls. `failed` is called before a failure is
    answered."""
    calls = list(_direct_calls(app))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        for call in calls:
            if scope.get("method") == call.method and (match := call.path.fullmatch(scope["path"])):
                break
        else:
            await app(scope, receive, send)
            return
        scope["app"] = scope["litestar_app"] = app
        scope["route_handler"] = call.handler
        scope["path_template"] = call.template
        ids = {name: _id_of(text) for name, text in match.groupdict().items()}
        scope["path_params"] = cast("dict[str, Any]", ids)
        request = Request(scope, receive, send)
        try:
            await check(request)
            response = await call(request)
        except Exception as error:  # noqa: BLE001  what a call is refused with, or a bug: answered
            await failed(error, scope)
            response = answer_failure(request, error)
        await response.to_asgi_response(None, request)(scope, receive, send)

    return answer


def _direct_calls(app: Litestar) -> Iterator[DirectCall]:
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if handler.opt.get("direct"):
                (method,) = handler.http_methods
                yield DirectCall(
                    template=route.path_format,
                    method=method,
                    path=re.compile(re.sub(r"\{(\w+)\}", _UUID, route.path_format)),
                    handler=handler,
                    body=JsonBody.reader_of(handler),
                )
