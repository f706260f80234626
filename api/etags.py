"""Entity tags. That of one thing is `"<version>-<hash>"`: `If-Match` asks for the version only."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STRONG_VERSION = re.compile(r'(?<!W/)"(\d{1,18})(?:-[0-9a-f]+)?"')
_TAG = re.compile(r'"[^"]*"')


def versions_in(if_match: str) -> Iterator[int]:
    """The versions of the strong tags in an `If-Match` header; what is none of ours is left out."""
    return (int(version) for version in _STRONG_VERSION.findall(if_match))


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the sender of `If-None-Match` has what the tag stands for (weak comparison)."""
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
