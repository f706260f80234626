"""Entity tags. That of one thing is `"<version>-<hash>"`: `If-Match` asks for the version only.

A header may spread its tags over several lines, which count as one list. As RFC 9110 has it, `*` is
alone, and `W/` is written so; a header that is anything else has no tag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_MEMBER = re.compile(r'(W/)?("[!#-~\x80-\xff]*")|[^\s,"]+|"')
"""A valid tag, or other text."""

_VERSION = re.compile(r'"(\d{1,18})(?:-[0-9a-f]+)?(?:-gzip)?"', re.ASCII)


def versions_in(if_match: Sequence[str]) -> frozenset[int] | None:
    """The versions in the strong tags of the lines of `If-Match`, without other tags; None for any
    version."""
    if _is_any(if_match):
        return None
    tags = (_VERSION.fullmatch(tag) for weak, tag in _tags(if_match) if not weak)
    return frozenset(int(version[1]) for version in tags if version)


def matches(if_none_match: Sequence[str], etag: str) -> bool:
    """Whether the lines of `If-None-Match` have the tag, by weak comparison."""
    return _is_any(if_none_match) or any(tag == etag for _, tag in _tags(if_none_match))


def of_gzip(etag: str) -> str:
    """The tag of the same content, compressed."""
    return f'{etag[:-1]}-gzip"'


def _is_any(lines: Sequence[str]) -> bool:
    return ",".join(lines).strip(" \t") == "*"


def _tags(lines: Sequence[str]) -> list[tuple[bool, str]]:
    """Whether each is weak, and the tag itself."""
    text = ",".join(lines)
    members = list(_MEMBER.finditer(text))
    gaps = (text[one.end() : other.start()] for one, other in pairwise(members))
    if not all(member[2] for member in members) or not all("," in gap for gap in gaps):
        return []
    return [(bool(member[1]), member[2]) for member in members]
