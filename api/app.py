"""The HTTP application: which routes there are, and how they are wired. Nothing connects here."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, ControllerRouterHandler

from api.areas import AreaCalls
from api.bodies import JsonBody
from api.connections import Connections
from api.edge import edge
from api.events import EventCalls
from api.health import live, ready
from api.hosts import only_hosts
from api.problems import answer_problem
from api.registrations import register
from api.requests import Request
from events_face.settings import Settings

ROUTES: Sequence[ControllerRouterHandler] = [AreaCalls, EventCalls, register, live, ready]


def create_app(settings: Settings, connections: Connections) -> ASGIApp:
    """The ASGI application, on connections that its caller opens and closes."""
    return edge(
        Litestar(
            ROUTES,
            state=State({"connections": connections}),
            request_class=Request,
            dto=JsonBody,
            return_dto=None,
            before_request=only_hosts(settings.allowed_hosts),
            exception_handlers={Exception: answer_problem},
            openapi_config=OpenAPIConfig(
                title="Events-Face",
                version="1.0.0",
                path="/api/schema",
                render_plugins=[JsonRenderPlugin(path="/")],
            ),
            logging_config=None,
            debug=False,
        )
    )
