"""The OpenAPI document, from the routes' types and declarations.

A route declares in `opt` what its types do not say:

- `access`: who may call it;
- `limit`: None if it has no rate limit;
- `problems`: the classes of its own errors;
- `versioned`: that its result has an ETag, and that it honours `If-Match`;
- `tagged`: whether its result has an ETag; by default one from the read tables has;
- `command`: False if it changes something without writing history;
- `example`: of a response that is not a struct;
- `accepts`: the media type of a body that is not JSON, and that the handler reads itself;
- `sends`: an example of that body.

Problems that follow from the route's shape (a malformed body, an expired token) are added here, so
that the document names every problem that a call can answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Tag
from litestar.types import ControllerRouterHandler

from api.http.access import (
    Permission,
    Who,
    WritePolicy,
    is_by_write_policy,
    scope_of,
    who_may,
)
from api.http.bodies import JsonBody, MalformedBody, UnsupportedMediaType, takes_body
from api.http.body_limits import BodyTimeout, TooManyBodies
from api.http.failures import BadRequest, InternalError, PayloadTooLarge
from api.http.idempotency import HEADER, REPLAYED
from api.http.limits import EVERY_CALL, RateLimited
from api.http.problems import Problem
from api.http.reads import Lagging
from api.http.refusals import Forbidden
from api.http.requests import HeadersTooLarge, Request, UriTooLong
from api.identity.tokens import TokenInvalid, TokenMissing
from api.openapi import examples, webhooks
from api.openapi.components import COMPONENTS, DESCRIPTION, RATE_LIMIT_HEADERS, TAGS
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound, ProblemError
from domain.history.group_commit import Overloaded
from domain.history.idempotency import IdempotencyKeyReused
from runtime.release import release

Json = dict[str, Any]

_OF_HEAD = {BadRequest, HeadersTooLarge, PayloadTooLarge, UriTooLong}
"""Errors before routing."""

_OF_UNUSED_BODY = {BodyTimeout, InvalidFields, TooManyBodies, UnsupportedMediaType}
"""Errors of a body that the call does not take."""

_OF_BODY = _OF_UNUSED_BODY | {MalformedBody}
"""Errors of a body that the call takes."""

_ROLES = {
    Who.ORGANIZER: "For accounts with the role `organizer`.",
    Who.AUDITOR: "For accounts with the role `auditor`.",
    Who.STAFF: "For accounts with a role.",
    Who.ADMIN: "For accounts with the role `admin`.",
}


def document(routes: Sequence[ControllerRouterHandler], write_policy: WritePolicy) -> Json:
    """The OpenAPI 3.1 document of these routes under this write policy."""
    app = Litestar(
        routes,
        request_class=Request,
        dto=JsonBody,
        return_dto=None,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Events-Face",
            version=release(),
            description=DESCRIPTION,
            tags=[Tag(name, description) for name, description in TAGS.items()],
            use_handler_docstrings=True,
            operation_id_creator=_operation_id,
        ),
    )
    drawn = app.openapi_schema.to_schema()
    handlers = {
        (route.path_format, method): handler
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        for method in handler.http_methods
    }
    for path, method, operation in _operations(drawn):
        handler = handlers[path, method.upper()]
        _complete(operation, handler)
        _describe_access(operation, handler.opt["access"], write_policy)
    _link(drawn)
    for kind, parts in COMPONENTS.items():
        drawn["components"].setdefault(kind, {}).update(parts)
    drawn["components"]["schemas"] |= webhooks.data_schemas()
    drawn["webhooks"] = webhooks.webhooks()
    return _named_plainly(drawn)


def _operation_id(handler: HTTPRouteHandler, _: object, path: Sequence[object]) -> str:
    """The handler's name; if it has several paths, with the last part of this one."""
    return handler.handler_name + (f"_at_{path[-1]}" if len(handler.paths) > 1 else "")


def problems_of(handler: HTTPRouteHandler) -> list[type[ProblemError]]:
    """All problems that the call can answer: one error class for each slug."""
    found: set[type[ProblemError]] = {InternalError, *_OF_HEAD, *handler.opt.get("problems", ())}
    if not _is_probe(handler):
        found.add(Overloaded)
    if _is_limited(handler):
        found.add(RateLimited)
    if handler.opt["access"] is not Who.ANYONE:
        found |= {TokenInvalid, TokenMissing}
    if who_may(handler.opt["access"]) in _ROLES:
        found.add(Forbidden)
    if "accepts" in handler.opt:
        found |= _OF_UNUSED_BODY - {UnsupportedMediaType}
    elif takes_body(handler):
        found |= _OF_BODY
    elif "GET" not in handler.http_methods:
        found |= _OF_UNUSED_BODY
    if _reads(handler):
        found.add(Lagging)
    parameters = set(_parameter_types(handler).values())
    if UUID in parameters:
        found.add(NotFound)
    if parameters - {UUID}:
        found.add(InvalidFields)
    if _honours_if_match(handler):
        found.add(ChangedMeanwhile)
    if _is_done_once(handler):
        found.add(IdempotencyKeyReused)
    by_slug = {kind.slug: kind for kind in found}
    return [by_slug[slug] for slug in sorted(by_slug)]


def _parameter_types(handler: HTTPRouteHandler) -> dict[str, Any]:
    fields = handler.parsed_fn_signature.parameters
    return {name: fields[name].annotation for name in fields.keys() - {"self", "request", "data"}}


def _is_probe(handler: HTTPRouteHandler) -> bool:
    return "health" in handler.resolve_tags()


def _is_limited(handler: HTTPRouteHandler) -> bool:
    return handler.opt.get("limit", EVERY_CALL) is not None


def _reads(handler: HTTPRouteHandler) -> bool:
    """Whether it answers from the read tables."""
    return "min_event_position" in handler.parsed_fn_signature.parameters


def _is_tagged(handler: HTTPRouteHandler) -> bool:
    """Whether an answer that is known already is a 304."""
    return bool(handler.opt.get("tagged", _reads(handler)))


def _honours_if_match(handler: HTTPRouteHandler) -> bool:
    """What is only being created has no version to compare with."""
    return bool(handler.opt.get("versioned")) and handler.status_code != 201


def _is_done_once(handler: HTTPRouteHandler) -> bool:
    """Whether it honours `Idempotency-Key`: every call that changes something."""
    return "GET" not in handler.http_methods


def _operations(drawn: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in drawn["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _complete(operation: Json, handler: HTTPRouteHandler) -> None:
    """Add what does not follow from the types of the operation."""
    parameters = [_parameter(drawn) for drawn in operation.pop("parameters", [])]
    if _is_tagged(handler):
        parameters.append(_ref("parameters", "If-None-Match"))
    if _honours_if_match(handler):
        parameters.append(_ref("parameters", "If-Match"))
    if _is_done_once(handler):
        parameters.append(_ref("parameters", HEADER))
    if parameters:
        operation["parameters"] = parameters
    if accepted := handler.opt.get("accepts"):
        media = {"schema": {"type": "string"}, "example": handler.opt["sends"]}
        operation["requestBody"] = {"required": True, "content": {accepted: media}}
    elif "requestBody" in operation:
        sent = handler.parsed_fn_signature.parameters["data"]
        body = operation["requestBody"]
        body["required"] = sent.is_required
        body["content"]["application/json"]["example"] = examples.body(sent.annotation)
    success = str(handler.status_code)
    responses = {success: _success(operation["responses"][success], handler)}
    if _is_tagged(handler):
        responses["304"] = {
            "description": "It is what `If-None-Match` named",
            "headers": _headers("X-Request-ID", "ETag"),
        }
    for status in map(str, handler.responses or ()):
        responses[status] = operation["responses"][status] | {"headers": _headers("X-Request-ID")}
    operation["responses"] = dict(sorted((responses | _failures(handler)).items()))


def _describe_access(operation: Json, access: Who | Permission, write_policy: WritePolicy) -> None:
    who = who_may(access)
    if who is Who.ANYONE:
        operation["security"] = []
        return
    is_open = write_policy == "anyone" and is_by_write_policy(access)
    operation["security"] = [{}, {"bearer": []}] if is_open else [{"bearer": []}]
    if who in _ROLES and not is_open:
        operation["description"] += f"\n\n{_ROLES[who]}"
    if scope := scope_of(access):
        operation["security"].append({"apiKey": [scope]})
        operation["description"] += f"\n\nFor API keys with the scope `{scope}`."


def _parameter(drawn: Json) -> Json:
    """A parameter without what says nothing, and by name where several calls have it."""
    if drawn["name"] in COMPONENTS["parameters"]:
        return _ref("parameters", drawn["name"])
    schema = drawn["schema"]
    schema.pop("description", None)
    alternatives = [one for one in schema.pop("oneOf", []) if one != {"type": "null"}]
    for alternative in alternatives:
        schema |= alternative
    kept = {key: drawn[key] for key in ("name", "in", "description", "required") if key in drawn}
    return kept | {"schema": schema}


def _success(drawn: Json, handler: HTTPRouteHandler) -> Json:
    """What the call answers when all is well."""
    headers = ["X-Request-ID"]
    if "GET" not in handler.http_methods and handler.opt.get("command", True):
        headers.append("Event-Position")
    if handler.status_code != 204 and (_is_tagged(handler) or handler.opt.get("versioned")):
        headers.append("ETag")
    if handler.status_code == 201:
        headers.append("Location")
    if _is_done_once(handler):
        headers.append(REPLAYED)
    if _is_limited(handler):
        headers += RATE_LIMIT_HEADERS
    description = HTTPStatus(handler.status_code).phrase
    response: Json = {"description": description, "headers": _headers(*headers)}
    if handler.status_code != 204:
        (answered,) = handler.parsed_fn_signature.return_type.inner_types
        ((media_type, media),) = drawn["content"].items()
        example = handler.opt.get("example") or examples.answer(answered.raw)
        response["content"] = {media_type: media | {"example": example}}
    return response


def _failures(handler: HTTPRouteHandler) -> Json:
    """The problems by status; several may have the same status."""
    by_status: dict[str, list[type[ProblemError]]] = {}
    for kind in problems_of(handler):
        by_status.setdefault(str(kind.status), []).append(kind)
    return {status: _failure(status, kinds) for status, kinds in by_status.items()}


def _failure(status: str, kinds: Sequence[type[ProblemError]]) -> Json:
    headers = ["X-Request-ID"]
    if status in {"429", "503"}:
        headers.append("Retry-After")
    if status == "429":
        headers += RATE_LIMIT_HEADERS
    if status == "401":
        headers.append("WWW-Authenticate")
    return {
        "description": ", or ".join(kind.title.lower() for kind in kinds).capitalize(),
        "headers": _headers(*headers),
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [_ref("schemas", Problem.__name__)],
                    "properties": {
                        "type": {"enum": [f"/problems/{kind.slug}" for kind in kinds]},
                        "status": {"const": int(status)},
                    },
                },
                "examples": {kind.slug: {"value": examples.problem(kind)} for kind in kinds},
            }
        },
    }


def _link(drawn: Json) -> None:
    """What was created is found, changed and deleted by its id."""
    at_least = _ref("parameters", "Min-Event-Position")
    for path, _, operation in list(_operations(drawn)):
        created = operation["responses"].get("201")
        if created is None:
            continue
        of_one = re.compile(rf"{re.escape(path)}/\{{(\w+)\}}(/\w+)?")
        for target_path, method, target in _operations(drawn):
            if found := of_one.fullmatch(target_path):
                parameters = {found[1]: "$response.body#/data/id"}
                if method == "get" and at_least in target["parameters"]:
                    parameters["header.Min-Event-Position"] = "$response.header.Event-Position"
                created.setdefault("links", {})[target["operationId"]] = {
                    "operationId": target["operationId"],
                    "parameters": parameters,
                }


def _headers(*names: str) -> Json:
    return {name: _ref("headers", name) for name in names}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


_GENERIC = re.compile(r"(Answer|Listing)_(?:\w+\.)*(\w+)_")


def _named_plainly(drawn: Json) -> Json:
    """With `AreaAnswer` for what Litestar names `Answer_api.areas.Area_`."""
    named: Json = msgspec.json.decode(_GENERIC.sub(r"\2\1", msgspec.json.encode(drawn).decode()))
    return named
