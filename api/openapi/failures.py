"""The problems that a call can answer, each with an example that the API really answers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar.handlers import HTTPRouteHandler

from api.http.access import Who, scope_of, who_may
from api.http.bodies import UNKNOWN, MalformedBody, Reader, UnsupportedMediaType, takes_body
from api.http.body_limits import BodyTimeout, TooManyBodies
from api.http.examples import EVENT_ID, REQUEST_ID
from api.http.failures import BadRequest, InternalError, InvalidParameters, PayloadTooLarge
from api.http.limits import RateLimited
from api.http.parameters import name_of, what_is_wrong
from api.http.problems import Problem, problem_from
from api.http.reads import Lagging
from api.http.refusals import Forbidden, ScopeMissing
from api.http.requests import HeadersTooLarge, UriTooLong
from api.identity.tokens import TokenInvalid, TokenMissing
from api.openapi.components import RATE_LIMIT_HEADERS
from api.openapi.parts import (
    ROLES,
    Json,
    headers,
    honours_if_match,
    is_done_once,
    is_limited,
    is_probe,
    parameters_of,
    reads,
    ref,
)
from domain.api_keys import Scope
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound, ProblemError
from domain.history.group_commit import Overloaded
from domain.history.idempotency import IdempotencyKeyReused

_OF_HEAD = {BadRequest, HeadersTooLarge, PayloadTooLarge, UriTooLong}
"""Errors before routing."""

_OF_UNUSED_BODY = {BodyTimeout, InvalidFields, TooManyBodies, UnsupportedMediaType}
"""Errors of a body that the call does not take."""

_OF_BODY = _OF_UNUSED_BODY | {MalformedBody}
"""Errors of a body that the call takes."""

_SAMPLES = {
    bool: True,
    int: 42,
    str: "name",
    UUID: UUID(EVENT_ID),
    datetime: datetime(2030, 5, 17, 9, tzinfo=UTC),
}
"""Arguments of errors in examples, by type."""


def problems_of(handler: HTTPRouteHandler) -> list[type[ProblemError]]:
    """All problems that the call can answer, by slug."""
    found: set[type[ProblemError]] = {InternalError, *_OF_HEAD, *handler.opt.get("problems", ())}
    if not is_probe(handler):
        found.add(Overloaded)
    if is_limited(handler):
        found.add(RateLimited)
    if handler.opt["access"] is not Who.ANYONE:
        found |= {TokenInvalid, TokenMissing}
    if who_may(handler.opt["access"]) in ROLES:
        found.add(Forbidden)
    if scope_of(handler.opt["access"]):
        found.add(ScopeMissing)
    if "accepts" in handler.opt:
        found |= _OF_UNUSED_BODY - {UnsupportedMediaType}
    elif takes_body(handler):
        found |= _OF_BODY
    elif "GET" not in handler.http_methods:
        found |= _OF_UNUSED_BODY
    if reads(handler):
        found.add(Lagging)
    if _ids_in_path(handler):
        found.add(NotFound)
    if not is_probe(handler):  # also for a parameter that the call does not know
        found.add(InvalidFields)
    if honours_if_match(handler):
        found.add(ChangedMeanwhile)
    if is_done_once(handler):
        found.add(IdempotencyKeyReused)
    return sorted(found, key=lambda kind: (kind.slug, kind.__name__))


def failures(handler: HTTPRouteHandler) -> Json:
    """The problems by status; several may have the same status."""
    by_status: dict[str, list[type[ProblemError]]] = {}
    for kind in problems_of(handler):
        by_status.setdefault(str(kind.status), []).append(kind)
    return {status: _failure(status, kinds, handler) for status, kinds in by_status.items()}


def _failure(status: str, kinds: Sequence[type[ProblemError]], handler: HTTPRouteHandler) -> Json:
    names = ["X-Request-ID"]
    if status in {"429", "503"}:
        names.append("Retry-After")
    if is_limited(handler):
        names += RATE_LIMIT_HEADERS
    if status == "401" or ScopeMissing in kinds:
        names.append("WWW-Authenticate")
    titles = dict.fromkeys(kind.title.lower() for kind in kinds)
    slugs = dict.fromkeys(kind.slug for kind in kinds)
    return {
        "description": ", or ".join(titles).capitalize(),
        "headers": headers(*names),
        "content": {
            "application/problem+json": {
                "schema": {
                    **ref("schemas", Problem.__name__),
                    "properties": {
                        "type": {"enum": [f"/problems/{slug}" for slug in slugs]},
                        "status": {"const": int(status)},
                    },
                },
                "examples": {
                    kind.__name__: {"value": _body(_occurrence(kind, handler))} for kind in kinds
                },
            }
        },
    }


def _body(error: ProblemError) -> Json:
    example = msgspec.structs.asdict(problem_from(error, REQUEST_ID)) | dict(error.members)
    body: Json = msgspec.to_builtins(example)
    return body


def _occurrence(kind: type[ProblemError], handler: HTTPRouteHandler) -> ProblemError:
    """The error as this call raises it."""
    if kind is InvalidFields:
        return _invalid_fields(handler)
    if kind is NotFound:
        *_, argument = "event_id", *_ids_in_path(handler)  # an event may be named in the query
        return NotFound(argument.removesuffix("_id"), UUID(EVENT_ID))
    if kind is ScopeMissing:
        return ScopeMissing(cast("Scope", scope_of(handler.opt["access"])))
    if not inspect.isfunction(kind.__init__):
        return kind()
    _, *arguments = inspect.signature(kind.__init__, eval_str=True).parameters.values()
    needed = [argument for argument in arguments if argument.default is argument.empty]
    return kind(**{argument.name: _SAMPLES[argument.annotation] for argument in needed})


def _ids_in_path(handler: HTTPRouteHandler) -> list[str]:
    return [name for name, field in parameters_of(handler).items() if field.annotation is UUID]


def _invalid_fields(handler: HTTPRouteHandler) -> InvalidFields:
    """The answer to a body, or to a query, with a wrong and an unknown member."""
    if body := handler.parsed_fn_signature.parameters.get("data"):
        return _wrong_body(body.annotation)
    for argument, parameter in parameters_of(handler).items():
        if parameter.annotation is not UUID:
            return InvalidParameters(**{name_of(parameter, argument): what_is_wrong(parameter)})
    return InvalidFields(unknown=UNKNOWN)


def _wrong_body(kind: Any) -> InvalidFields:
    first = msgspec.structs.fields(kind)[0].name
    try:
        Reader(kind).read(msgspec.json.encode({first: {}, "unknown": True}))
    except InvalidFields as error:
        return error
    raise AssertionError("unreachable")
