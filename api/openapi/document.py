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
- `sends`: an example of that body;
- `former_path`: a path that is deprecated.

Problems that follow from the route's shape (a malformed body, an expired token) are added here, so
that the document names every problem that a call can answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Tag
from litestar.types import ControllerRouterHandler, Method

from api.http.access import Permission, Who, WritePolicy, is_by_write_policy, scope_of, who_may
from api.http.bodies import JsonBody
from api.http.idempotency import HEADER, REPLAYED
from api.http.problems import Problem
from api.http.requests import Request
from api.openapi import examples, webhooks
from api.openapi.components import (
    COMPONENTS,
    DESCRIPTION,
    RATE_LIMIT_HEADERS,
    TAGS,
)
from api.openapi.failures import failures
from api.openapi.parts import (
    ROLES,
    Json,
    headers,
    honours_if_match,
    is_done_once,
    is_limited,
    is_tagged,
    ref,
)
from api.openapi.schemas import structs_of, with_plain_schemas
from api.openapi.shared_responses import with_shared_responses
from domain.feed.item import ITEM_TYPES
from runtime.release import release

_METHODS = ("get", "put", "post", "patch", "delete")
"""In this order."""


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
        del operation["deprecated"]
        if handler.opt.get("former_path") == path:
            operation["deprecated"] = True
        _describe_access(operation, handler.opt["access"], write_policy)
    _link(drawn)
    for kind, parts in COMPONENTS.items():
        drawn["components"].setdefault(kind, {}).update(parts)
    drawn["components"]["schemas"] |= webhooks.data_schemas()
    drawn["webhooks"] = webhooks.webhooks()
    structs = structs_of(
        Problem, *ITEM_TYPES.values(), *chain.from_iterable(map(_types_of, handlers.values()))
    )
    plain = with_plain_schemas(_named_plainly(drawn), structs)
    return _in_order(with_shared_responses(plain))


def _types_of(handler: HTTPRouteHandler) -> Iterator[Any]:
    """The types of body and answer."""
    signature = handler.parsed_fn_signature
    yield signature.return_type.annotation
    if "data" in signature.parameters:
        yield signature.parameters["data"].annotation


def _in_order(drawn: Json) -> Json:
    """With paths, methods and schemas in an order that does not change from process to process."""
    drawn["paths"] = {
        path: {method: item[method] for method in _METHODS if method in item}
        for path, item in sorted(drawn["paths"].items())
    }
    drawn["components"]["schemas"] = dict(sorted(drawn["components"]["schemas"].items()))
    return drawn


def _operation_id(handler: HTTPRouteHandler, method: Method, path: Sequence[object]) -> str:
    """The handler's name, marked at its former path."""
    former = handler.opt.get("former_path") == "/".join(["", *map(str, path)])
    return handler.handler_name + ("_at_former_path" if former else "")


def _operations(drawn: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in drawn["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _complete(operation: Json, handler: HTTPRouteHandler) -> None:
    """Add what does not follow from the types of the operation."""
    parameters = [_parameter(drawn) for drawn in operation.pop("parameters", [])]
    if is_tagged(handler):
        parameters.append(ref("parameters", "If-None-Match"))
    if honours_if_match(handler):
        parameters.append(ref("parameters", "If-Match"))
    if is_done_once(handler):
        parameters.append(ref("parameters", HEADER))
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
    if is_tagged(handler):
        responses["304"] = {
            "description": "It is what `If-None-Match` named",
            "headers": headers("X-Request-ID", "ETag", *_limit_headers(handler)),
        }
    for status in map(str, handler.responses or ()):
        responses[status] = operation["responses"][status] | {"headers": headers("X-Request-ID")}
    operation["responses"] = dict(sorted((responses | failures(handler)).items()))


def _describe_access(operation: Json, access: Who | Permission, write_policy: WritePolicy) -> None:
    who = who_may(access)
    if who is Who.ANYONE:
        operation["security"] = []
        return
    is_open = write_policy == "anyone" and is_by_write_policy(access)
    operation["security"] = [{}, {"bearer": []}] if is_open else [{"bearer": []}]
    if who in ROLES and not is_open:
        operation["description"] += f"\n\n{ROLES[who]}"
    if scope := scope_of(access):
        operation["security"].append({"apiKey": [scope]})
        operation["description"] += f"\n\nFor API keys with the scope `{scope}`."


def _parameter(drawn: Json) -> Json:
    """A parameter without what says nothing, and by name where several calls have it."""
    if drawn["name"] in COMPONENTS["parameters"]:
        return ref("parameters", drawn["name"])
    schema = drawn["schema"]
    schema.pop("description", None)
    alternatives = [one for one in schema.pop("oneOf", []) if one != {"type": "null"}]
    for alternative in alternatives:
        schema |= alternative
    if None in schema.get("enum", ()):  # a parameter that is left out
        schema["enum"] = [choice for choice in schema["enum"] if choice is not None]
    kept = {key: drawn[key] for key in ("name", "in", "description", "required") if key in drawn}
    return kept | {"schema": schema}


def _success(drawn: Json, handler: HTTPRouteHandler) -> Json:
    """What the call answers when all is well."""
    names = ["X-Request-ID"]
    if "GET" not in handler.http_methods and handler.opt.get("command", True):
        names.append("Event-Position")
    if handler.status_code != 204 and (is_tagged(handler) or handler.opt.get("versioned")):
        names.append("ETag")
    if handler.status_code == 201:
        names.append("Location")
    if is_done_once(handler):
        names.append(REPLAYED)
    names += _limit_headers(handler)
    description = HTTPStatus(handler.status_code).phrase
    response: Json = {"description": description, "headers": headers(*names)}
    if handler.status_code != 204:
        (answered,) = handler.parsed_fn_signature.return_type.inner_types
        ((media_type, media),) = drawn["content"].items()
        example = handler.opt.get("example") or examples.answer(answered.raw)
        response["content"] = {media_type: media | {"example": example}}
    return response


def _limit_headers(handler: HTTPRouteHandler) -> Sequence[str]:
    return RATE_LIMIT_HEADERS if is_limited(handler) else ()


def _link(drawn: Json) -> None:
    """What was created is found, changed and deleted by its id."""
    at_least = ref("parameters", "Min-Event-Position")
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


_GENERIC = re.compile(r"(Answer|Listing)_(?:\w+\.)*(\w+)_")


def _named_plainly(drawn: Json) -> Json:
    """With `AreaAnswer` for what Litestar names `Answer_api.areas.Area_`."""
    encoded = _GENERIC.sub(r"\2\1", msgspec.json.encode(drawn).decode())
    named: Json = msgspec.json.decode(encoded.replace("NoneTypeAnswer", "EmptyAnswer"))
    return named
