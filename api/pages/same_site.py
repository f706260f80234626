"""Forms are accepted from our own pages only.

Visitors have no session that another site could misuse, but a form there must not register people
in the browsers of its readers. There is no token in the form, so it needs no cookie, and works in a
frame where the browser blocks those of third parties.
"""

from __future__ import annotations

from api.html.same_site import is_from_here
from api.http.requests import Request
from domain.core.errors import ProblemError


class NotFromHere(ProblemError):
    """The form was sent from another site: open this page itself and try again"""

    status = 403
    title = "Not sent"


def require_same_site(request: Request) -> None:
    """Raises NotFromHere."""
    if not is_from_here(request):
        raise NotFromHere
