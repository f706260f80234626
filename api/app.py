"""The HTTP application: which routes there are, and how they are wired. Nothing connects here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Response
from litestar import Request as AnyRequest
from litestar.datastructures import State
from litestar.types import ASGIApp, ControllerRouterHandler

from api.access import Access, require_declarations
from api.accounts import AccountCalls
from api.admin.panel import is_of_panel, panel
from api.admin.problems import answer_problem_page
from api.areas import AreaCalls
from api.audit import AuditCalls
from api.auth import AuthCalls
from api.bodies import JsonBody, refuse_fields_of_no_use
from api.clients import Clients
from api.connections import Connections
from api.cors import for_origins
from api.documentation import documentation
from api.edge import OPTIONS, edge
from api.events import EventCalls
from api.heads import bounded
from api.health import live, ready
from api.home import home
from api.hosts import in_turn, only_hosts
from api.limits import Limits
from api.metrics import Scrapes, metrics
from api.problems import answer_problem
from api.registrations import register
from api.requests import Request
from api.visitors import erase, get_visitor
from events_face.settings import Settings

ROUTES: Sequence[ControllerRouterHandler] = [
    AreaCalls,
    EventCalls,
    register,
    get_visitor,
    erase,
    AuthCalls,
    AccountCalls,
    AuditCalls,
    live,
    ready,
    metrics,
]


def create_app(settings: Settings, connections: Connections) -> ASGIApp:
    """The ASGI application, on connections that its caller opens and closes."""
    clients = Clients(settings.trusted_proxies)
    access = Access(connections.sessions, settings.write_policy)
    limits = Limits(settings, clients, connections.broker)
    checks = (only_hosts(settings.allowed_hosts), limits.check, access.check)
    app = Litestar(
        [home, *ROUTES, *documentation(ROUTES, settings.write_policy), panel(checks)],
        state=State(
            {
                "settings": settings,
                "connections": connections,
                "limits": limits,
                "clients": clients,
                "scrapes": Scrapes(connections.watch, settings.metrics_token),
            }
        ),
        request_class=Request,
        dto=JsonBody,
        return_dto=None,
        before_request=in_turn(*checks, refuse_fields_of_no_use),
        exception_handlers={Exception: _answer_failure},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    require_declarations(app)
    served = for_origins(bounded(app), settings.cors_origins)
    return edge(served, clients, connections.ending.is_set, connections.in_flight)


def _answer_failure(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    """With a page where people are; also at addresses that there are not."""
    for_people = is_of_panel(request.scope["path"]) and request.scope["method"] != OPTIONS
    return (answer_problem_page if for_people else answer_problem)(request, error)
