"""Forms are accepted from our own pages only.

Visitors have no session that another site could misuse, but a form there must not register people
in the browsers of its readers. There is no token in the form, so it needs no cookie, and works in a
frame where the browser blocks those of third parties.
"""

from __future__ import annotations

from api.http.requests import Request
from domain.core.errors import ProblemError


class NotFromHere(ProblemError):
    """The form was sent from another site: open this page itself and try again"""

    status = 403
    title = "Not sent"


def require_same_site(request: Request) -> None:
    """Raises NotFromHere.

    Browsers say where a form comes from: the present ones in `Sec-Fetch-Site` where they trust the
    connection, the older ones in `Origin`, which is `null` on our pages, as they send no referrer.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        if fetched_from not in {"same-origin", "none"}:
            raise NotFromHere
        return
    origin = request.headers.get("Origin", "null")
    if origin != "null" and origin.partition("://")[2] != request.headers.get("Host"):
        raise NotFromHere
