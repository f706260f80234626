"""Shared parts of the OpenAPI document: introduction, tags, headers and parameters."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from api.http.idempotency import PATTERN
from api.http.problems import Problem
from domain.api_keys import Scope

DESCRIPTION = """\
Manage events and register visitors for them. A trailing slash never matters; bodies are JSON in
UTF-8, times are RFC 3339 in UTC.

**Responses.** A successful response is `{"data": ..., "meta": {...}, "errors": []}`; lists add
`pagination`. Every failure is an RFC 9457 problem whose `type` is `/problems/<slug>`.

**Reading your own writes.** Every response to a command has the header `Event-Position`: the
position of its last event in history. A query with this value as `Min-Event-Position` reads from
tables that include the event.

**Concurrent changes.** Send the `ETag` of a resource as `If-Match` to change or delete it only if
it has not changed in the meantime, and as `If-None-Match` to read it only if it changed.

**Safe retries.** Send a new `Idempotency-Key` with each call that changes something, and the same
key when you send the same call again, for example after a timeout: it is done once, and for 24
hours you get the first response again, with `Idempotent-Replayed: true`. A failure is not kept: the
call is decided again.
"""

TAGS = {
    "areas": "Venues of events.",
    "events": "Events, and registration for them.",
    "visitors": "Registered visitors, for organizers and admins.",
    "door": "Checking visitors in.",
    "auth": "Your own account: register, sign in, sign out.",
    "accounts": "All accounts and their roles, for admins.",
    "feed": "What happened, in order, for other systems.",
    "keys": "API keys of other systems, for admins.",
    "audit": "History, for auditors.",
    "webhooks": "The items of the feed, sent to other systems.",
    "health": "For probes and load balancers.",
}


RATE_LIMIT_HEADERS = (
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("RateLimit", "RateLimit-Policy"),
)


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": schema}


def _limit_header(description: str, minimum: int) -> dict[str, Any]:
    """Present unless `RATE_LIMITS` is off."""
    return {"description": description, "schema": {"type": "integer", "minimum": minimum}}


_POSITION = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
"""The largest integer that every JSON library reads exactly; no position will be larger."""

_, _PROBLEM = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")

COMPONENTS: dict[str, dict[str, Any]] = {
    "headers": {
        "X-Request-ID": _header(
            "The request's id: the one that was sent, or a new one. The service's logs have it.",
            type="string",
            maxLength=128,
        ),
        "Event-Position": _header(
            "The position in history of the last event of this command.", **_POSITION
        ),
        "Location": _header("Where the new resource can be read.", type="string"),
        "ETag": _header("The version of the content.", type="string"),
        "Idempotent-Replayed": {
            "description": "Present if this response was stored for the `Idempotency-Key` and is "
            "sent again.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Retry-After": _header("Seconds to wait before trying again.", type="integer", minimum=1),
        "X-RateLimit-Limit": _limit_header("Calls that the strictest limit allows.", 1),
        "X-RateLimit-Remaining": _limit_header("Calls that remain of it.", 0),
        "X-RateLimit-Reset": _limit_header("Seconds until the limit is reset.", 0),
        "RateLimit": {
            "description": 'The same, as the draft standard has it: `"default";r=599;t=60`.',
            "schema": {"type": "string"},
        },
        "RateLimit-Policy": {
            "description": 'Calls in a number of seconds: `"default";q=600;w=60`.',
            "schema": {"type": "string"},
        },
        "WWW-Authenticate": {
            "description": "With every 401, and with a 403 for a missing scope: `Bearer`, and an "
            "`error` if a token was sent (RFC 6750).",
            "schema": {"type": "string"},
        },
    },
    "parameters": {
        "Min-Event-Position": {
            "name": "Min-Event-Position",
            "in": "header",
            "description": "Read from tables that include this `Event-Position`; waits up to 5 s "
            "for them.",
            "schema": _POSITION,
            "example": 0,
        },
        "If-None-Match": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of a stored response: answered with 304 if it is current.",
            "schema": {"type": "string"},
        },
        "If-Match": {
            "name": "If-Match",
            "in": "header",
            "description": "The ETag of the resource to change, or `*`: refused with 412 if it "
            "changed in the meantime.",
            "schema": {"type": "string"},
        },
        "Idempotency-Key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "1 to 255 visible ASCII characters, bare or in double quotes, new for "
            "each call: a call that is sent again with the same key is done once.",
            "schema": {"type": "string", "pattern": f"^({PATTERN})$"},
            "example": "9f1c2f0e-6d0c-4a39-9e0c-1d6d0b7a5c55",
        },
    },
    "schemas": _PROBLEM,
    "securitySchemes": {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of a login, valid for 15 minutes.",
        },
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "evf_...",
            "description": "An API key. Each operation names the scope that the key needs, one of "
            + ", ".join(f"`{scope}`" for scope in get_args(Scope))
            + ". Names, emails and answers are null for a key without the scope `personal`.",
        },
    },
}
