"""QR codes for pages."""

from __future__ import annotations

from markupsafe import Markup


def svg(text: str) -> Markup:
    """An element with black modules on white, in the dark too: not every scanner reads the
    reverse. It has no style, which the Content-Security-Policy would not allow."""
    import segno  # only for these pages

    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(border=2, dark="#000", light="#fff", omitsize=True, svgclass=None)
    return Markup(drawn)  # noqa: S704  it has digits and commands of paths only
