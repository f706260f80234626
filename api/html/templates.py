"""Templates of pages, and the filters and functions that all of them have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api.answer_texts import offered, shown, shown_answer
from api.html.files import address_of
from api.html.forms import Form
from api.html.times import short_moment
from domain.questions import Question

E = TypeVar("E", bound=Environment)


def templates_of(package: str, kind: type[E]) -> E:
    """The package's templates, which may import the shared ones of this package."""
    templates = kind(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("api.html")]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "moment": _moment,
        "readable": _readable,
        "in_zone": short_moment,
        "breakable": breakable,
    }
    templates.globals |= {
        "address_of": address_of,
        "with_query": _with,
        "blank_form": Form(),
        "offered": _offered,
        "shown_answers": shown,
        "shown_answer": shown_answer,
    }
    return templates


def _offered(question: Question, form: Form) -> list[tuple[str, str]]:
    return [(option, option) for option in offered(question, form.values)]


def breakable(address: str) -> Markup:
    """An email that breaks into lines only after an @ or a dot."""
    return Markup(re.sub(r"([@.])", r"\1<wbr>", str(escape(address))))  # noqa: S704  it is escaped


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _readable(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%-d %b %Y, %H:%M")


def _with(query: Mapping[str, str], **changes: object) -> str:
    """The page's query with changed parameters; None removes a parameter."""
    changed = {**query, **changes}
    return "?" + urlencode(
        {key: value for key, value in changed.items() if value not in (None, "")}
    )
