"""The panel's routes, all under `/admin`, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.access import COOKIE, Who
from api.admin.areas import AreaPages
from api.admin.csrf import check_csrf
from api.admin.dashboard import dashboard
from api.admin.events import EventPages
from api.admin.files import file
from api.admin.problems import answer_problem_page
from api.admin.sign_in import sign_in, sign_in_page, sign_out
from api.hosts import Check, in_turn


def panel(checks: Sequence[Check | None]) -> Router:
    """All of it; the checks are what every request to the API goes through."""
    return Router(
        "/admin",
        route_handlers=[
            dashboard,
            sign_in_page,
            sign_in,
            sign_out,
            AreaPages,
            EventPages,
            file,
            nowhere,
        ],
        opt={"signed_in_by": COOKIE},
        before_request=in_turn(*checks, check_csrf),
        exception_handlers={Exception: answer_problem_page},
        include_in_schema=False,
    )


@get("/{path:path}", opt={"access": Who.ANYONE})
async def nowhere(path: FromPath[str]) -> None:
    """Any other address of the panel is answered with a page too."""
    raise NotFoundException
