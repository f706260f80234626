"""What several parts of the document ask of a route, and references to shared parts."""

from __future__ import annotations

from typing import Any

from litestar.handlers import HTTPRouteHandler

from api.http.access import Who
from api.http.limits import EVERY_CALL

Json = dict[str, Any]

ROLES = {
    Who.ORGANIZER: "For accounts with the role `organizer`.",
    Who.AUDITOR: "For accounts with the role `auditor`.",
    Who.STAFF: "For accounts with a role.",
    Who.ADMIN: "For accounts with the role `admin`.",
}
"""Groups that only some accounts are in."""


def parameters_of(handler: HTTPRouteHandler) -> dict[str, Any]:
    """The parameters in path, query and header, by argument."""
    fields = handler.parsed_fn_signature.parameters
    return {name: fields[name] for name in fields if name not in {"self", "request", "data"}}


def is_probe(handler: HTTPRouteHandler) -> bool:
    return "health" in handler.resolve_tags()


def is_limited(handler: HTTPRouteHandler) -> bool:
    return handler.opt.get("limit", EVERY_CALL) is not None


def reads(handler: HTTPRouteHandler) -> bool:
    """Whether it answers from the read tables."""
    return "min_event_position" in handler.parsed_fn_signature.parameters


def is_tagged(handler: HTTPRouteHandler) -> bool:
    """Whether an answer that is known already is a 304."""
    return bool(handler.opt.get("tagged", reads(handler)))


def honours_if_match(handler: HTTPRouteHandler) -> bool:
    """What is only being created has no version to compare with."""
    return bool(handler.opt.get("versioned")) and handler.status_code != 201


def is_done_once(handler: HTTPRouteHandler) -> bool:
    """Whether it honours `Idempotency-Key`: every call that changes something."""
    return "GET" not in handler.http_methods


def headers(*names: str) -> Json:
    return {name: ref("headers", name) for name in names}


def ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
