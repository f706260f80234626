"""`/problems/{slug}`: what a problem type means, for people; as JSON for clients that accept it."""

from __future__ import annotations

from functools import cache

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from api.http.access import Who
from api.http.failures import NothingHere
from api.http.problems import problem_types
from api.http.reads import unless_known
from api.http.requests import Request
from api.http.responses import Answer
from api.pages.formats import HTML, by_format, wants_json
from api.pages.languages import FOR_DEVELOPERS
from api.pages.rendering import rendered
from domain.history.codec import to_json

_LATER = "Wait for as many seconds as `Retry-After` says, then send the same request again."
_SMALLER = "Send less. The limits are in the OpenAPI document."

WHAT_TO_DO = {
    400: "Correct the request. Sent again as it is, it fails again.",
    401: "Sign in again, or refresh the access token, and send the request with the new one."
    " Replace an API key that was revoked or has expired.",
    403: "Sign in with an account that has the role, or ask an admin for the role. An API key needs"
    " the scope that the answer names: ask an admin for another key.",
    404: "Check the address and the ids in it. What was there may be deleted.",
    405: "Use a method that the `Allow` header names.",
    408: "Send the request again, the whole body within 15 seconds.",
    409: "Read the current state. The same request fails as long as the rule forbids it.",
    410: "Use the newest link that you were sent. What this one led to has ended.",
    412: "Read it again, and send the change with the new `ETag` if it is still right.",
    413: _SMALLER,
    414: _SMALLER,
    415: "Send JSON in UTF-8, as `application/json` and without a `Content-Encoding`.",
    422: "Correct the fields that `errors` names. Each has its message.",
    429: _LATER,
    431: _SMALLER,
    500: "This is a bug. Report it with the `request_id` of the answer.",
    503: _LATER,
}
"""By status."""

WHAT_TO_DO_ABOUT = {
    "idempotency-key-reused": "Send each new call with a new key, and a call that you send"
    " again exactly as it was.",
    "not-in-history": "Take back what you read after the `position` of the answer, and go on from"
    " there.",
}
"""By slug, where the status does not say it."""


class ProblemType(msgspec.Struct, frozen=True):
    type: str
    title: str
    status: int
    happens_when: list[str]
    what_to_do: str


@get("/problems/{slug:str}", include_in_schema=False, opt={"access": Who.ANYONE})
async def problem_type(request: Request, slug: FromPath[str]) -> Response[bytes]:
    found = _all().get(slug)
    if found is None:
        raise NothingHere
    if wants_json(request):
        answer = by_format(to_json(Answer(data=found)), "application/json")
    else:
        page = rendered(FOR_DEVELOPERS, "problem_type.html", problem=found)
        answer = by_format(page, HTML)
    return unless_known(request, answer)


@cache
def _all() -> dict[str, ProblemType]:
    return {
        slug: ProblemType(
            type=f"/problems/{slug}",
            title=kinds[0].title,
            status=kinds[0].status,
            happens_when=sorted({(kind.__doc__ or "").partition("\n")[0] for kind in kinds}),
            what_to_do=WHAT_TO_DO_ABOUT.get(slug) or WHAT_TO_DO[kinds[0].status],
        )
        for slug, kinds in problem_types().items()
    }
