"""Entity tags. The tag of a resource is `"<version>-<hash>"`; `If-Match` compares the version only.

A client may send the tags of one header in several lines, which count as one list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_STRONG_VERSION = re.compile(r'(?<!W/)"(\d{1,18})(?:-[0-9a-f]+)?"')
_TAG = re.compile(r'"[^"]*"')


def versions_in(if_match: Iterable[str]) -> frozenset[int] | None:
    """The versions of the strong tags in the lines of `If-Match`, ignoring foreign tags; None for
    any version."""
    if any(line.strip() == "*" for line in if_match):
        return None
    return frozenset(int(v) for line in if_match for v in _STRONG_VERSION.findall(line))


def matches(if_none_match: Iterable[str], etag: str) -> bool:
    """Whether these lines of `If-None-Match` contain the tag (weak comparison)."""
    return any(line.strip() == "*" or etag in _TAG.findall(line) for line in if_none_match)
