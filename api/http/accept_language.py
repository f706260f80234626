"""The language of an answer, by `Accept-Language` (RFC 9110, RFC 4647)."""

from __future__ import annotations

import re
from functools import lru_cache

from domain.core.languages import ENGLISH, LANGUAGES, Language

MAX_LENGTH = 1_000
"""Characters that are read. Browsers send less than 100."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]\s*=\s*([01](?:\.\d{0,3})?)\s*)?"
)


def accepted_language(header: str | None) -> Language:
    """The catalogue language that the reader prefers; English where there is none."""
    return _best(header[:MAX_LENGTH]) if header else ENGLISH


@lru_cache(1_000)
def _best(header: str) -> Language:
    weights = dict[str, float]()
    for part in header.split(","):
        if found := _RANGE.fullmatch(part):
            language, weight = found[1].lower(), float(found[2] or 1)
            weights[language] = max(weight, weights.get(language, 0))
    for_others = weights.get("*", 0)
    of_ours = {language: weights.get(language, for_others) for language in LANGUAGES}
    order = list(weights)
    best = max(
        LANGUAGES,
        key=lambda one: (of_ours[one], -order.index(one) if one in order else -len(order)),
    )
    return best if of_ours[best] else ENGLISH
