"""Every failure as RFC 9457 `application/problem+json`, from one table.

A domain error names its problem itself (`DomainError.slug`); whatever else can go wrong is named
in `_FAILURES`, and what is not there is a bug: logged in full, and answered without details.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from psycopg_pool import PoolTimeout

from api.http.access import Forbidden
from api.http.bodies import MalformedBody, UnsupportedMediaType
from api.http.body_limits import BodyTimeout, TooManyBodies
from api.http.edge import OPTIONS
from api.http.limits import RateLimited
from api.http.parameters import name_of, what_is_wrong
from api.http.reads import Lagging
from api.http.requests import HeadersTooLarge, SenderGone, UriTooLong, id_of
from api.http.responses import Ready
from api.identity.credentials import InvalidCredentials
from api.identity.passwords import PasswordsWaiting
from api.identity.tokens import TokenInvalid
from domain.core.availability import TABLES_MISSING, UNAVAILABLE, missing_table
from domain.core.errors import DomainError, InvalidFields
from domain.history.batch import OutcomeUnknown
from domain.history.codec import UnknownEvent
from domain.history.group_commit import HistoryUnavailable, Overloaded

logger = structlog.get_logger(__name__)


class FieldProblem(msgspec.Struct, frozen=True):
    field: str
    messages: list[str]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer to what failed."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    request_id: str


class Kind(msgspec.Struct, frozen=True):
    status: int
    title: str


_HEADERS = {
    "invalid-credentials": {"WWW-Authenticate": "Bearer"},
    "token-invalid": {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    "overloaded": {"Retry-After": "1"},
    "projection-lagging": {"Retry-After": "1"},
}

KINDS = {
    "malformed-body": Kind(400, "Malformed body"),
    "bad-request": Kind(400, "Bad request"),
    "invalid-credentials": Kind(401, "Invalid credentials"),
    "token-invalid": Kind(401, "Token invalid"),
    "forbidden": Kind(403, "Forbidden"),
    "not-found": Kind(404, "Not found"),
    "method-not-allowed": Kind(405, "Method not allowed"),
    "request-timeout": Kind(408, "Request timeout"),
    "area-name-taken": Kind(409, "Area name taken"),
    "area-in-use": Kind(409, "Area in use"),
    "username-taken": Kind(409, "Username taken"),
    "last-admin": Kind(409, "Last admin"),
    "event-closed": Kind(409, "Event closed"),
    "registration-deadline-passed": Kind(409, "Registration deadline passed"),
    "duplicate-registration": Kind(409, "Duplicate registration"),
    "changed-meanwhile": Kind(412, "Changed meanwhile"),
    "payload-too-large": Kind(413, "Payload too large"),
    "uri-too-long": Kind(414, "URI too long"),
    "unsupported-media-type": Kind(415, "Unsupported media type"),
    "validation": Kind(422, "Validation failed"),
    "rate-limited": Kind(429, "Too many requests"),
    "headers-too-large": Kind(431, "Header fields too large"),
    "internal-error": Kind(500, "Internal error"),
    "overloaded": Kind(503, "Overloaded"),
    "projection-lagging": Kind(503, "Projection lagging"),
}
"""Slug -> what it answers."""

_FAILURES: dict[type[Exception], tuple[str, str | None]] = {
    MalformedBody: ("malformed-body", None),
    UnsupportedMediaType: ("unsupported-media-type", None),
    SenderGone: ("bad-request", None),
    UriTooLong: ("uri-too-long", None),
    HeadersTooLarge: ("headers-too-large", None),
    BodyTimeout: ("request-timeout", None),
    TooManyBodies: ("overloaded", None),
    InvalidCredentials: ("invalid-credentials", None),
    TokenInvalid: ("token-invalid", None),
    Forbidden: ("forbidden", None),
    PasswordsWaiting: ("overloaded", None),
    Lagging: ("projection-lagging", None),
    Overloaded: ("overloaded", None),
    HistoryUnavailable: ("overloaded", None),
    OutcomeUnknown: ("overloaded", None),
    UnknownEvent: ("overloaded", "A newer release has been at work on this; try again shortly"),
    PoolTimeout: ("overloaded", "All connections are busy; try again shortly"),
    **dict.fromkeys(UNAVAILABLE, ("overloaded", "The database is unavailable; try again shortly")),
    **dict.fromkeys(TABLES_MISSING, ("overloaded", "A table is missing: see /health/ready")),
    NotFoundException: ("not-found", "There is nothing at this address"),
    MethodNotAllowedException: ("method-not-allowed", "See the Allow header for what is allowed"),
    RequestEntityTooLarge: ("payload-too-large", "The body is too large"),
    ValidationException: ("validation", "Some parameters are not valid"),
    RateLimited: (
        "rate-limited",
        "Too many calls; come back after Retry-After",
    ),
    ClientException: ("bad-request", None),
}
"""Slug and detail by exception; None where the exception's own text is meant for the sender."""


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to a request that raised the error."""
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == OPTIONS:
        return Response(None, status_code=204, headers=error.headers)
    problem, headers = problem_of(request, error)
    return Ready(
        msgspec.json.encode(problem),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def problem_of(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """What the request met, and the headers that go with it. Bugs are logged here."""
    request_id = id_of(request.scope)
    slug, detail = _name(error)
    if slug == "internal-error":
        logger.error("a bug", exc_info=error)
    elif isinstance(error, TABLES_MISSING):
        logger.error("a table is missing", reason=missing_table(error))
    kind = KINDS[slug]
    problem = Problem(
        type=f"/problems/{slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=[FieldProblem(field, [message]) for field, message in _fields_of(request, error)],
        request_id=request_id,
    )
    headers = _HEADERS.get(slug, {})
    if isinstance(error, HTTPException) and error.headers:
        headers = {**headers, **error.headers}
    return problem, headers


def _name(error: Exception) -> tuple[str, str]:
    """The slug and the detail of what failed."""
    if isinstance(error, DomainError):
        return error.slug, str(error)
    if isinstance(error, ValidationException) and _lacks_body(error):
        error = MalformedBody()
    for kind in type(error).__mro__:
        if kind in _FAILURES:
            slug, detail = _FAILURES[kind]
            return slug, detail or _own_text(error)
    return "internal-error", "Something went wrong here; the request id helps to find out what"


def _own_text(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return error.detail
    return (type(error).__doc__ or "").partition("\n")[0]


def _fields_of(request: Request[Any, Any, Any], error: Exception) -> Iterable[tuple[str, str]]:
    if isinstance(error, InvalidFields):
        return error.messages.items()
    if isinstance(error, ValidationException) and not _lacks_body(error):
        parameters = request.route_handler.parsed_fn_signature.parameters
        return [
            (name_of(parameters[argument], argument), what_is_wrong(parameters[argument]))
            for argument in dict.fromkeys(item["key"].partition(".")[0] for item in _items(error))
        ]
    return []


def _lacks_body(error: ValidationException) -> bool:
    """Litestar treats an empty body as a parameter that is not there."""
    return any(item.get("source") == "body" for item in _items(error))


def _items(error: ValidationException) -> list[dict[str, str]]:
    return error.extra if isinstance(error.extra, list) else []
