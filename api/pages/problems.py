"""Problems of the API as pages for visitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request as AnyRequest
from litestar import Response

from api.http.problems import Problem, answer_problem, problem_of
from api.http.responses import Ready
from api.pages.formats import HTML, wants_json
from api.pages.languages import reader_of
from api.pages.rendering import rendered
from domain.core.errors import ProblemError
from runtime.languages.locale import Locale


class EventRemoved(ProblemError):
    """The organizers have removed this event"""

    status = 410


def is_page(path: str) -> bool:
    """Whether people look for a page there, even if there is none."""
    return f"{path}/".startswith(("/events/", "/r/"))


class Explanation(msgspec.Struct, frozen=True):
    """What a page says of a problem."""

    heading: str
    text: str


def answer_problem_page(
    request: AnyRequest[Any, Any, Any], error: Exception, template: str = "problem.html"
) -> Response[Any]:
    if wants_json(request):
        return answer_problem(request, error)
    return problem_page(request, error, explanation_of, template)


def problem_page(
    request: AnyRequest[Any, Any, Any],
    error: Exception,
    explain: Callable[[Problem, Locale], Explanation],
    template: str = "problem.html",
) -> Ready:
    problem, headers = problem_of(request, error)
    reader = reader_of(request)
    said = explain(problem, reader.locale)
    content = rendered(reader, template, query=None, problem=problem, said=said)
    headers |= reader.headers
    return Ready(content, status_code=problem.status, media_type=HTML, headers=headers)


def explanation_of(problem: Problem, locale: Locale) -> Explanation:
    _ = locale.gettext
    match problem.status:
        case 403:
            return Explanation(
                _("The form was not sent"),
                _("It came from another site. Open this page itself and try again."),
            )
        case 404:
            return Explanation(
                _("There is nothing here"), _("Check the address. What was here may be gone.")
            )
        case 410:
            return Explanation(_("This event was removed"), _("Its organizers have removed it."))
        case 429:
            return Explanation(
                _("Too many at once"),
                _(
                    "Many people register right now. Wait a minute, go back, and send the form"
                    " again: what you have typed is still there."
                ),
            )
        case 503:
            return Explanation(
                _("This is not possible right now"), _("Please try again in a minute.")
            )
        case status if status >= 500:
            return Explanation(
                _("Something went wrong here"),
                _("Please try again later. The request id helps to find out what it was."),
            )
        case _status:
            return Explanation(_("This did not work"), f"{problem.detail}.")
