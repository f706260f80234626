"""Responses to failures: RFC 9457 `application/problem+json`, from the class of the error.

An error that is not a `ProblemError`, and that `api.http.failures` does not map to one, is a bug:
it is logged in full, and the response has no details.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    ValidationException,
)

from api.http.bodies import MalformedBody
from api.http.edge import OPTIONS
from api.http.failures import SHOWN_AS, BadRequest, InternalError, InvalidParameters
from api.http.parameters import name_of, what_is_wrong
from api.http.requests import id_of
from api.http.responses import Ready
from domain.core.availability import TABLES_MISSING, missing_table
from domain.core.errors import ProblemError

logger = structlog.get_logger(__name__)


class FieldProblem(msgspec.Struct, frozen=True):
    field: str
    messages: list[str]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the response to a failure."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    request_id: str


def problem_types() -> dict[str, list[type[ProblemError]]]:
    """All problem types by slug; several errors may have the same type."""
    by_slug: dict[str, list[type[ProblemError]]] = {}
    for kind in _final(ProblemError):
        by_slug.setdefault(kind.slug, []).append(kind)
    return by_slug


def _final(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
    """Classes without subclasses; the others are only bases."""
    subclasses = kind.__subclasses__()
    if not subclasses:
        yield kind
    for subclass in subclasses:
        yield from _final(subclass)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The response to a request that raised the error."""
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == OPTIONS:
        return Response(None, status_code=204, headers=error.headers)
    problem, headers = problem_of(request, error)
    members = error.members if isinstance(error, ProblemError) else {}
    return Ready(
        msgspec.json.encode(msgspec.structs.asdict(problem) | dict(members)),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def problem_of(request: Request[Any, Any, Any], error: Exception) -> tuple[Problem, dict[str, str]]:
    """The problem and the headers of its response. Bugs are logged here."""
    shown = _shown(request, error)
    if isinstance(shown, InternalError):
        logger.error("a bug", exc_info=error)
    elif isinstance(error, TABLES_MISSING):
        logger.error("a table is missing", reason=missing_table(error))
    headers = shown.headers
    if isinstance(error, HTTPException) and error.headers:
        headers = {**headers, **error.headers}
    return problem_from(shown, id_of(request.scope)), dict(headers)


def problem_from(error: ProblemError, request_id: str) -> Problem:
    return Problem(
        type=f"/problems/{error.slug}",
        title=error.title,
        status=error.status,
        detail=str(error),
        errors=[FieldProblem(field, [str(message)]) for field, message in error.messages.items()],
        request_id=request_id,
    )


def _shown(request: Request[Any, Any, Any], error: Exception) -> ProblemError:
    """The error that the client gets."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, ValidationException):
        return MalformedBody() if _lacks_body(error) else _invalid_parameters(request, error)
    for kind in type(error).__mro__:
        if kind in SHOWN_AS:
            return SHOWN_AS[kind]()
    return BadRequest(error.detail) if isinstance(error, ClientException) else InternalError()


def _invalid_parameters(
    request: Request[Any, Any, Any], error: ValidationException
) -> InvalidParameters:
    parameters = request.route_handler.parsed_fn_signature.parameters
    arguments = dict.fromkeys(item["key"].partition(".")[0] for item in _items(error))
    wrong = {argument: parameters[argument] for argument in arguments}
    return InvalidParameters(
        **{name_of(parameter, name): what_is_wrong(parameter) for name, parameter in wrong.items()}
    )


def _lacks_body(error: ValidationException) -> bool:
    """Litestar reports an empty body as a missing parameter."""
    return any(item.get("source") == "body" for item in _items(error))


def _items(error: ValidationException) -> list[dict[str, str]]:
    return error.extra if isinstance(error.extra, list) else []
