"""Renders pages in the language of their reader.

Each language has templates of its own, because what one template imports from another knows nothing
of the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment
from jinja2.ext import InternationalizationExtension

from api.html.templates import templates_of
from api.pages.languages import Reader
from api.pages.translation import TranslatedTemplates
from domain.core.languages import Language
from runtime.languages.locale import locale_of

NOTHING: Mapping[str, str] = {}


def rendered(
    reader: Reader, template: str, *, query: Mapping[str, str] | None = NOTHING, **content: Any
) -> bytes:
    """`query`: what links to the same page in other languages keep of its address; None leaves
    these links out."""
    switches = [] if query is None else reader.switches(query)
    page = _templates(reader.language).get_template(template)
    return page.render(reader=reader, switches=switches, **content).encode()


@cache
def _templates(language: Language) -> Environment:
    templates = templates_of("api.pages", TranslatedTemplates)
    templates.locale = locale_of(language)
    templates.policies["ext.i18n.trimmed"] = True
    templates.add_extension(InternationalizationExtension)
    templates.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension
    templates.globals["locale"] = templates.locale
    return templates
