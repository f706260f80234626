"""Security headers of every response, built once.

Browsers must not run or frame data. Pages may load resources from this API only.
"""

from __future__ import annotations

from collections.abc import Collection

Header = tuple[bytes, bytes]

HTML = (b"content-type", b"text/html; charset=utf-8")
"""The content type of pages."""

SCRIPT = (b"content-type", b"text/javascript; charset=utf-8")

UNCHANGED = 304
"""The client keeps the stored response with its policy."""

_ALWAYS: tuple[Header, ...] = (
    (b"server", b"Events-Face"),  # instead of the HTTP server's name
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_OF_DATA = b"default-src 'none'; frame-ancestors 'none'"

_STYLES_OF_REDOC = (
    b"'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    b"'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
"""Of the two `<style>` elements that Redoc adds: an empty one, which its script fills, and one for
the scroll bar of its menu. For another version, a browser's console names the hashes."""

_OF_PAGES = b"; ".join(
    [
        b"default-src 'none'",
        b"script-src 'self'",
        b"style-src 'self' " + _STYLES_OF_REDOC,
        b"img-src 'self' data:",
        b"font-src 'self' data:",
        b"connect-src 'self'",
        b"worker-src 'self' blob:",
        b"form-action 'self'",
        b"base-uri 'none'",
    ]
)

_PAGE = (*_ALWAYS, (b"content-security-policy", _OF_PAGES + b"; frame-ancestors 'none'"))
_SCRIPT = (*_ALWAYS, (b"content-security-policy", b"default-src 'none'; connect-src 'self'"))
"""The policy of a worker is that of its script."""

_DATA = (*_ALWAYS, (b"content-security-policy", _OF_DATA))
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")

_CSP, _PERMISSIONS = b"content-security-policy", b"permissions-policy"

_NO_DEVICES = (_PERMISSIONS, b"camera=(), microphone=(), geolocation=()")
"""Of pages without a policy of their own."""

_FRAMED = tuple(header for header in _ALWAYS if header[0] != b"x-frame-options")
"""Of pages with a policy of their own."""


def framed_by(origins: Collection[str]) -> dict[str, str]:
    """The policy of a page that these sites may show in a frame, `*` means all. Such a page must
    not be answered with 304, which would forbid it."""
    ancestors = " ".join(origins) or "'none'"
    return {"Content-Security-Policy": f"{_OF_PAGES.decode()}; frame-ancestors {ancestors}"}


def hardening(status: int, headers: Collection[Header], *, https: bool) -> tuple[Header, ...]:
    """The security headers for a response with this status and these headers."""
    if HTML in headers:
        hardened = _of_page(headers)
    elif SCRIPT in headers:
        hardened = _SCRIPT
    else:
        hardened = _ALWAYS if status == UNCHANGED else _DATA
    return (*hardened, _HTTPS_ONLY) if https else hardened


def _of_page(headers: Collection[Header]) -> tuple[Header, ...]:
    own = {name for name, _ in headers}
    hardened = _FRAMED if _CSP in own else _PAGE
    return hardened if _PERMISSIONS in own else (*hardened, _NO_DEVICES)
