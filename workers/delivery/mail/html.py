"""The HTML part of a mail."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from projections.message_texts import Content

_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("mail.html")


def html_of(content: Content, footnote: str, qr_code_id: str | None) -> str:
    """It loads nothing from elsewhere: the picture of the ticket is a part of the mail."""
    return _TEMPLATE.render(
        content=content,
        footnote=footnote,
        qr_code_id=qr_code_id,
        language=content.locale.language,
        _=content.locale.gettext,
    )
