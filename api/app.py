"""The HTTP application: its routes, and how they are wired. It opens no connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Response
from litestar import Request as AnyRequest
from litestar.datastructures import State
from litestar.types import ASGIApp, ControllerRouterHandler

from api.accounts import AccountCalls
from api.admin.kit import problems as panel_problems
from api.admin.panel import is_of_panel, panel
from api.answers import name_wrong_answers
from api.areas import AreaCalls
from api.audit import AuditCalls
from api.auth import AuthCalls
from api.calendars import CalendarCalls
from api.check_ins import DoorCalls
from api.door_page.frames import read_frame
from api.door_page.page import door_file, door_page, door_worker
from api.erasures import erase
from api.event_list import list_events
from api.event_visitors import EventVisitorCalls
from api.events import EventCalls
from api.feed import read_feed
from api.health import live, ready
from api.http.access import WritePolicy
from api.http.authorization import Access, require_declarations
from api.http.bodies import JsonBody, refuse_fields_of_no_use
from api.http.clients import Clients
from api.http.connections import Connections
from api.http.cors import for_origins
from api.http.direct_calls import with_direct_calls
from api.http.edge import OPTIONS, edge
from api.http.heads import with_checked_heads
from api.http.hosts import Check, in_turn, only_hosts
from api.http.key_access import KeyAccess
from api.http.limits import Limits
from api.http.parameters import refuse_unknown_and_repeated
from api.http.problems import answer_problem
from api.http.requests import Request
from api.http.unrouted import AnswerFailure, counting_unrouted
from api.keys import KeyCalls
from api.manage import ManageCalls
from api.metrics import Scrapes, metrics
from api.openapi.pages import documentation
from api.pages import problems as page_problems
from api.pages.site import pages
from api.person_exports import export as export_person
from api.questions import QuestionCalls
from api.registrations import register
from api.visitor_files import VisitorFileCalls
from api.visitors import VisitorCalls
from api.webhooks import WebhookCalls
from runtime.settings import Settings

ROUTES: Sequence[ControllerRouterHandler] = [
    AreaCalls,
    EventCalls,
    list_events,
    QuestionCalls,
    CalendarCalls,
    register,
    EventVisitorCalls,
    VisitorFileCalls,
    VisitorCalls,
    DoorCalls,
    ManageCalls,
    erase,
    export_person,
    AuthCalls,
    AccountCalls,
    read_feed,
    KeyCalls,
    AuditCalls,
    WebhookCalls,
    live,
    ready,
    metrics,
]


CHECKS_OF_INPUT = (refuse_unknown_and_repeated, refuse_fields_of_no_use)
"""The panel leaves these out: its forms say themselves what is wrong."""


def create_app(settings: Settings, connections: Connections) -> ASGIApp:
    """The ASGI application, on connections that the caller opens and closes."""
    routes = Routes(public_pages=settings.public_pages, write_policy=settings.write_policy)
    return routes.on(settings, connections)


class Routes:
    """The routes that are served with these settings. Most of an API process's start goes into
    building them; they hold no connection."""

    def __init__(self, *, public_pages: bool, write_policy: WritePolicy) -> None:
        self._checks: tuple[Check, ...] = ()
        self._answer_failure: AnswerFailure = _answer_failure
        self._app = Litestar(
            [
                *pages(public=public_pages),
                door_page,
                door_worker,
                door_file,
                read_frame,
                *ROUTES,
                *documentation(ROUTES, write_policy),
                panel(self._check),
            ],
            request_class=Request,
            dto=JsonBody,
            return_dto=None,
            before_request=in_turn(self._check, *CHECKS_OF_INPUT),
            after_exception=[name_wrong_answers],
            exception_handlers={Exception: self._answer},
            openapi_config=None,
            logging_config=None,
            debug=False,
        )
        require_declarations(self._app)

    def on(self, settings: Settings, connections: Connections) -> ASGIApp:
        """The application on these connections, and on no others from now on."""
        clients = Clients(settings.trusted_proxies)
        key_access = KeyAccess(connections.api_keys, connections.primary)
        access = Access(connections.signed_in, key_access, settings.write_policy)
        limits = Limits(settings, clients, connections.broker)
        hosts = only_hosts(settings.allowed_hosts)
        checks = (key_access.recognize, limits.check, hosts, access.check)
        self._checks = tuple(check for check in checks if check is not None)
        self._answer_failure = counting_unrouted(_answer_failure, limits)
        self._app.state = State(
            {
                "settings": settings,
                "connections": connections,
                "limits": limits,
                "clients": clients,
                "scrapes": Scrapes(connections.watch, settings.metrics_token),
            }
        )
        check = in_turn(*self._checks, *CHECKS_OF_INPUT)
        direct = with_direct_calls(self._app, check, self._answer_failure, name_wrong_answers)
        checked = with_checked_heads(self._app, direct, self._answer_failure)
        served = for_origins(checked, settings.cors_origins)
        return edge(served, clients, connections.ending.is_set, connections.in_flight)

    def _answer(self, request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
        return self._answer_failure(request, error)

    async def _check(self, request: Request) -> None:
        """What every request passes. Raises what refuses it."""
        for check in self._checks:
            await check(request)


def _answer_failure(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    """With a page in the panel and where visitors look for one, also for unknown addresses; with a
    problem document elsewhere."""
    path = request.scope["path"]
    if request.scope["method"] != OPTIONS:
        if is_of_panel(path):
            return panel_problems.answer_problem_page(request, error)
        if page_problems.is_page(path):
            return page_problems.answer_problem_page(request, error)
    return answer_problem(request, error)
