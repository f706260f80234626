"""Problems of the API as pages for visitors."""

from __future__ import annotations

from typing import Any

from litestar import Request as AnyRequest
from litestar import Response

from api.http.problems import answer_problem, problem_of
from api.http.responses import Ready
from api.pages.formats import HTML, wants_json
from api.pages.rendering import rendered
from domain.core.errors import ProblemError


class EventRemoved(ProblemError):
    """The organizers have removed this event"""

    status = 410


def is_page(path: str) -> bool:
    """Whether people look for a page there, even if there is none."""
    return f"{path}/".startswith(("/events/", "/r/"))


def answer_problem_page(
    request: AnyRequest[Any, Any, Any], error: Exception, template: str = "problem.html"
) -> Response[Any]:
    if wants_json(request):
        return answer_problem(request, error)
    problem, headers = problem_of(request, error)
    content = rendered(template, problem=problem)
    return Ready(content, status_code=problem.status, media_type=HTML, headers=headers)
