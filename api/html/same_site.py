"""Where a form comes from, as browsers tell it."""

from __future__ import annotations

from api.http.requests import Request


def is_from_here(request: Request) -> bool:
    """Whether the form is from our own pages.

    Browsers say where a form comes from: the present ones in `Sec-Fetch-Site` where they trust the
    connection, the older ones in `Origin`, which is `null` on our pages, as they send no referrer.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        return fetched_from in {"same-origin", "none"}
    origin = request.headers.get("Origin", "null")
    return origin == "null" or origin.partition("://")[2] == request.headers.get("Host")
