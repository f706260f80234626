"""The pages for visitors: all of them, or those that messages lead to."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from api.html.files import file
from api.pages.embed import EmbeddedForm
from api.pages.event_list import event_list
from api.pages.event_page import EventPage
from api.pages.home import home
from api.pages.own_registration import OwnRegistrationPages
from api.pages.problem_types import problem_type
from api.pages.sitemap import robots, sitemap

ALWAYS: Sequence[ControllerRouterHandler] = [
    home,
    problem_type,
    OwnRegistrationPages,
    robots,
    file,
]

PUBLIC: Sequence[ControllerRouterHandler] = [event_list, EventPage, EmbeddedForm, sitemap]
"""With `PUBLIC_PAGES=off` there are none of these."""


def pages(*, public: bool) -> Sequence[ControllerRouterHandler]:
    return [*ALWAYS, *PUBLIC] if public else ALWAYS
