"""Templates whose texts are put in place when they are compiled, once for each language.

So a page costs no more than one with fixed texts. Jinja's own way calls a function for each text
whenever a page is made, which doubled the time of the page of an event.
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer

from runtime.languages.locale import IN_ENGLISH, Locale

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")

_NAMES = {"_", "gettext"}
"""`_("text")` in an expression; `{% trans %}` calls the second."""


class TranslatedTemplates(Environment):
    locale: Locale = IN_ENGLISH
    """Set before the first template is loaded."""

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:
        translated = _Translation(self.locale).visit(source)
        return super()._generate(translated, *arguments, **options)


class _Translation(NodeTransformer):
    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  as Jinja calls it
        self.generic_visit(node)
        if not (isinstance(node.node, nodes.Name) and node.node.name in _NAMES):
            return node
        (message,) = node.args
        assert isinstance(message, nodes.Const)  # noqa: S101  else it could not be extracted
        return _filled(
            self._locale.pattern(message.value), {given.key: given.value for given in node.kwargs}
        )


def _filled(pattern: str, values: dict[str, nodes.Expr]) -> nodes.Expr:
    """The pattern with expressions for its placeholders."""
    pieces = _PLACEHOLDER.split(pattern)
    parts: list[nodes.Expr] = [
        values[piece] if place % 2 else nodes.TemplateData(piece.replace("%%", "%"))
        for place, piece in enumerate(pieces)
        if piece
    ]
    return parts[0] if len(parts) == 1 else nodes.Concat(parts)
