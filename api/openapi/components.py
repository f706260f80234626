"""What many calls of the OpenAPI document share: its introduction, headers and parameters."""

from __future__ import annotations

from typing import Any

import msgspec

from api.http.problems import Problem

DESCRIPTION = """\
Events that people register for. A trailing slash never matters; bodies are JSON in UTF-8, times
are RFC 3339 in UTC.

**Answers.** What was asked for comes as `{"data": ..., "meta": {...}, "errors": []}`, lists with
`pagination` beside. Every failure is an RFC 9457 problem whose `type` is `/problems/<slug>`.

**Reading your own writes.** Each answer to a command carries `Event-Position`, its position in
history. A query sent with that as `Min-Event-Position` answers from tables that include it.

**Changes that cross.** What has an `ETag` is changed or deleted under `If-Match`, and is only read
again when it differs from `If-None-Match`.
"""

TAGS = {
    "areas": "The places where events are held.",
    "events": "Events, and registering for them.",
    "visitors": "Those who registered, for organizers and admins.",
    "auth": "Accounts of one's own: signing in and out.",
    "accounts": "Everybody's accounts and roles, for admins.",
    "audit": "History itself, for auditors.",
    "health": "For probes and load balancers.",
}


RATE_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": schema}


def _limit_header(description: str, minimum: int) -> dict[str, Any]:
    """They are there unless `RATE_LIMITS` is off."""
    return {"description": description, "schema": {"type": "integer", "minimum": minimum}}


_POSITION = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}

_, _PROBLEM = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")

COMPONENTS: dict[str, dict[str, Any]] = {
    "headers": {
        "X-Request-ID": _header(
            "The request's id: as it was sent, or made here. It stands in our logs.",
            type="string",
            maxLength=128,
        ),
        "Event-Position": _header(
            "The position in history of the last event of this command.", **_POSITION
        ),
        "Location": _header("Where what was made can be read.", type="string"),
        "ETag": _header("The version of what is shown.", type="string"),
        "Retry-After": _header("Seconds to wait before trying again.", type="integer", minimum=1),
        "X-RateLimit-Limit": _limit_header("Calls that the nearest limit allows.", 1),
        "X-RateLimit-Remaining": _limit_header("Calls that are left of it.", 0),
        "X-RateLimit-Reset": _limit_header("Seconds until counting begins anew.", 0),
        "WWW-Authenticate": _header("How to say who one is: `Bearer`.", type="string"),
    },
    "parameters": {
        "Min-Event-Position": {
            "name": "Min-Event-Position",
            "in": "header",
            "description": "Answer from tables that include this `Event-Position`; wait for them "
            "for up to 5 s.",
            "schema": _POSITION,
            "example": 0,
        },
        "If-None-Match": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of what is known already: answered with 304 if it still is.",
            "schema": {"type": "string"},
        },
        "If-Match": {
            "name": "If-Match",
            "in": "header",
            "description": "The ETag of what is meant to be changed, or `*`: refused with 412 if "
            "it has changed meanwhile.",
            "schema": {"type": "string"},
        },
    },
    "schemas": _PROBLEM,
    "securitySchemes": {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of a login; it holds for 15 minutes.",
        }
    },
}
